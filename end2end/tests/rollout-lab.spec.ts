import { sample } from "../src/configuration";
import { open, openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import { address, send } from "../src/traffic";

interface Lab {
  legacy_received: number;
  candidate_received: number;
}

test("a candidate that the Lab breaks is taken back at once, with its reason and its mark on the charts", async ({
  page,
  context,
  launch,
}) => {
  const gateway = await launch(sample({ requestsPerSecond: 200 }));
  const received = () => gateway.api<Lab>("GET", "/api/lab");
  await openLive(page, `${gateway.console}/rollouts`);
  await page.getByTestId("rollout-start").click();
  await expect(page.locator("#rollout-search")).toContainText("stage 1 of 4");

  await openLive(page, gateway.console);
  const card = page.locator("#rollout-search");
  await expect(card).toContainText("stage 1 of 4");
  await expect(card.getByTestId("verdict")).toContainText("Not enough evidence yet");
  // A tenth of these clients, beside those of the sample traffic.
  await send(`${gateway.traffic}/search`, { count: 600, client: address });
  expect((await received()).candidate_received).toBeGreaterThan(20);
  await expect(card.getByRole("img", { name: /candidate: between/ })).toBeVisible();

  const lab = await context.newPage();
  await open(lab, `${gateway.console}/lab`);
  await lab.getByTestId("lab-candidate-broken").click();
  await send(`${gateway.traffic}/search`, { count: 200, client: address });

  await expect(page.getByTestId("tile-candidate")).toHaveText("0");
  await expect(card).toContainText("rolled back");
  const events = page.getByTestId("events");
  await expect(events).toContainText("search rolled back, 10 → 0 %");
  await expect(events).toContainText(/By verdict: “.* of \d+ failed at this share/);
  for (const chart of ["traffic", "latency", "success"]) {
    await expect(page.locator(`#${chart} .moment[title*="search rolled back, 10 → 0 %"]`)).toHaveCount(1);
  }

  // What the page shows is long after the 100 ms within which it holds.
  const then = await received();
  await send(`${gateway.traffic}/search`, { count: 500, client: address });
  const now = await received();
  expect(now.candidate_received).toBe(then.candidate_received);
  expect(now.legacy_received).toBeGreaterThanOrEqual(then.legacy_received + 500);
});
