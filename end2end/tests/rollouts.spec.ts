import { openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import { address, send } from "../src/traffic";
import type { Upstream } from "../src/upstream";

const staged = (legacy: Upstream, candidate: Upstream, bake: string) => `
[upstreams.old]
targets = ["${legacy.url}"]
[upstreams.new]
targets = ["${candidate.url}"]
[rollouts.search]
legacy = "old"
candidate = "new"
stages = [50, 100]
bake = "${bake}"
[[routes]]
path = "/search"
rollout = "search"
limits = []
`;

test("a candidate that breaks is taken out by itself, and the page says why", async ({ page, launch, upstream }) => {
  const [legacy, candidate] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(staged(legacy, candidate, "10m"));
  await openLive(page, `${gateway.console}/rollouts`);
  const card = page.locator("#rollout-search");
  await expect(card).toContainText("not started");
  const url = `${gateway.traffic}/search`;

  await page.getByLabel("Reason for the change").fill("first try");
  await page.getByTestId("rollout-start").click();
  await expect(card).toContainText("stage 1 of 2");
  await expect(card.getByRole("row", { name: /^candidate 50 %/ })).toBeVisible();
  await send(url, { count: 200, client: address });
  expect(candidate.received).toBeGreaterThan(50);
  await expect(page.getByTestId("rollout-says")).toContainText("Not enough evidence yet");

  candidate.manner = "fail";
  await expect(async () => {
    await send(url, { count: 50, client: address });
    await expect(card).toContainText("rolled back", { timeout: 100 });
  }).toPass();
  const history = page.locator("#history-search tbody tr");
  await expect(history.first()).toContainText("50 → 0 %");
  await expect(history.first()).toContainText("verdict");
  await expect(history.first()).toContainText("failed at this share");
  await expect(history.nth(1)).toContainText("first try");
  const received = candidate.received;
  await send(url, { count: 200, client: address });
  expect(candidate.received).toBe(received);
});

test("a healthy candidate goes through all stages, and can be paused, promoted and rolled back", async ({
  page,
  launch,
  upstream,
}) => {
  const [legacy, candidate] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(staged(legacy, candidate, "1s"));
  await openLive(page, `${gateway.console}/rollouts`);
  const card = page.locator("#rollout-search");
  const url = `${gateway.traffic}/search`;
  await page.getByTestId("rollout-start").click();
  await page.getByTestId("rollout-pause").click();
  await expect(card).toContainText("stage 1 of 2, paused");
  await send(url, { count: 1_600, client: address });
  await expect(page.getByTestId("rollout-says")).toContainText("The candidate reaches 99.5 %.");
  await expect(card).toContainText("stage 1 of 2, paused");

  await page.getByTestId("rollout-resume").click();
  await expect(card).toContainText("stage 2 of 2");
  await expect(page.getByTestId("rollout-promote")).toBeVisible();
  await send(url, { count: 800, client: address });
  await expect(card).toContainText("complete");
  const [old, young] = [legacy.received, candidate.received];
  await send(url, { count: 100, client: address });
  expect([legacy.received, candidate.received]).toEqual([old, young + 100]);

  await page.getByTestId("rollout-rollback").click();
  await expect(card).toContainText("rolled back");
  await send(url, { count: 100, client: address });
  expect([legacy.received, candidate.received]).toEqual([old + 100, young + 100]);
});

test("without a rollout the page says how to get one", async ({ page, launch }) => {
  const gateway = await launch("");
  await openLive(page, `${gateway.console}/rollouts`);
  await expect(page.getByText("No rollout is configured")).toBeVisible();
});

test("what the candidate answers otherwise is found on copies of requests, and clients get legacy's answer", async ({
  page,
  launch,
  upstream,
}) => {
  const [legacy, candidate] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(staged(legacy, candidate, "10m"));
  await openLive(page, `${gateway.console}/rollouts`);
  const card = page.locator("#shadow-search");
  await expect(page.getByTestId("shadow-says")).toContainText("Nothing is copied to the candidate.");
  await card.getByLabel("Share to copy in percent").fill("100");
  await card.getByTestId("shadow-set").click();
  await expect(page.getByTestId("shadow-says")).toContainText("100 % of the requests that legacy answers");

  const answers = await send(`${gateway.traffic}/search`, { count: 40, together: 2, client: address });
  for (const { body } of answers) expect(JSON.parse(body)).toMatchObject({ from: "legacy" });
  // Both upstreams tell their name in the field `from`.
  const row = card.getByRole("row", { name: /\$\.from/ });
  await expect(row).toContainText("differs");
  await expect(row).toContainText("100 %");
  expect(candidate.received).toBeGreaterThan(18);

  await card.getByTestId("undo").click();
  await expect(page.getByTestId("shadow-says")).toContainText("Nothing is copied to the candidate.");
  const received = candidate.received;
  await send(`${gateway.traffic}/search`, { count: 40, together: 2, client: address });
  expect(candidate.received).toBe(received);
});

test("a planned start is shown, and can be called off", async ({ page, launch, upstream }) => {
  const [legacy, candidate] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(staged(legacy, candidate, "10m"));
  const at = new Date(Date.now() + 86_400_000).toISOString();
  await gateway.api("POST", "/api/rollouts/search/start", { at, reason: "tomorrow" });
  await openLive(page, `${gateway.console}/rollouts`);
  await expect(page.getByTestId("rollout-says")).toContainText("Starts by itself");
  await page.getByTestId("rollout-call_off").click();
  await expect(page.getByTestId("rollout-says")).not.toContainText("Starts by itself");
  await expect(page.getByTestId("rollout-call_off")).toBeHidden();
});
