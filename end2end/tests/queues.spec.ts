import { openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import { send, statuses } from "../src/traffic";

test("who waits shows by priority, who finds the queue full is counted, and a free queue is free again", async ({
  page,
  launch,
  upstream,
}) => {
  const slow = await upstream("slow");
  slow.manner = "stall";
  const gateway = await launch(`
[upstreams.search]
targets = ["${slow.url}"]
[[routes]]
path = "/search"
upstream = "search"
limits = []
queue = { limit = 2, waiting = 3, max_wait = "1m", priority = "header:x-priority" }
`);
  await openLive(page, `${gateway.console}/queues`);
  const queue = page.getByTestId("queue-/search");
  await expect(queue).toContainText("free");
  const url = `${gateway.traffic}/search`;

  const running = send(url, { count: 2, together: 2 });
  await expect(queue).toContainText("2 of 2 in flight");
  const normal = send(url, { count: 2, together: 2 });
  await expect(queue).toContainText("2 of 3 waiting: 2 normal");
  const high = send(url, { count: 1, headers: { "x-priority": "high" } });
  await expect(queue).toContainText("3 of 3 waiting: 1 high, 2 normal");
  await expect(queue).toContainText("full");
  expect(statuses(await send(url, { count: 4, together: 1 }))).toEqual({ 503: 4 });
  await expect(queue).toContainText("4 found it full");
  expect(slow.received).toBe(2);
  await expect(page.getByTestId("chart-queue")).toBeVisible();
  await expect(page.locator("#queue .legend")).toContainText("in flight2");
  await expect(page.locator("#queue .legend")).toContainText("waiting3");

  slow.manner = "answer";
  slow.release();
  for (const answers of [running, normal, high]) expect(Object.keys(statuses(await answers))).toEqual(["200"]);
  await expect(queue).toContainText("free");
  await expect(queue).toContainText("0 of 3");
  await expect(queue).toContainText("3: ");
  // What a queue turned away is not what a limit rejected.
  await openLive(page, gateway.console);
  await expect(page.locator("#traffic .legend")).toContainText("turned away by queue");
});

test("without a queue the page says how to get one", async ({ page, launch }) => {
  const gateway = await launch("");
  await openLive(page, `${gateway.console}/queues`);
  await expect(page.getByText("No route has a queue")).toBeVisible();
});
