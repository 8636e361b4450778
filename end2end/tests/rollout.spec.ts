import { twoSides } from "../src/configuration";
import { openLive } from "../src/dashboard";
import type { Gateway } from "../src/gateway";
import { expect, test } from "../src/test";
import { address, send, statuses } from "../src/traffic";
import type { Upstream } from "../src/upstream";

const CLIENTS = 400;

/** Sends one request from each of many clients; answers how many reached each side. */
async function round(gateway: Gateway, sides: [Upstream, Upstream]): Promise<[number, number]> {
  const before = sides.map((side) => side.received);
  const answers = await send(`${gateway.traffic}/search`, { count: CLIENTS, client: address });
  expect(statuses(answers)).toEqual({ 200: CLIENTS });
  return sides.map((side, index) => side.received - (before[index] ?? 0)) as [number, number];
}

/** Which side answers each client. */
async function assignment(gateway: Gateway): Promise<string[]> {
  const answers = await send(`${gateway.traffic}/search`, { count: CLIENTS, client: address });
  return answers.map(({ body }) => (JSON.parse(body) as { from: string }).from);
}

test("the rollout switch moves real traffic, and a rollback takes all of it back", async ({
  page,
  launch,
  upstream,
}) => {
  const sides: [Upstream, Upstream] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(twoSides(sides[0].url, sides[1].url, 0));
  await openLive(page, gateway.console);
  const rollout = page.getByTestId("rollout-search");
  expect(await round(gateway, sides)).toEqual([CLIENTS, 0]);

  await rollout.getByTestId("share-50").click();
  await expect(page.getByTestId("tile-candidate")).toHaveText("50");
  // 400 fair coins: outside 150 to 250 once in a million runs.
  const half = await round(gateway, sides);
  expect(half[1]).toBeGreaterThan(150);
  expect(half[1]).toBeLessThan(250);

  await rollout.getByTestId("share-100").click();
  await expect(page.getByTestId("tile-candidate")).toHaveText("100");
  expect(await round(gateway, sides)).toEqual([0, CLIENTS]);

  await rollout.getByTestId("rollback").click();
  await expect(page.getByTestId("tile-candidate")).toHaveText("0");
  expect(await round(gateway, sides)).toEqual([CLIENTS, 0]);

  await page.getByTestId("undo").click();
  await expect(page.getByTestId("tile-candidate")).toHaveText("100");
  expect(await round(gateway, sides)).toEqual([0, CLIENTS]);
});

test.describe(() => {
  // Chromium writes every answer of 400 and more to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("Undo leaves a share that somebody else has set since", async ({ page, launch, upstream }) => {
    const sides: [Upstream, Upstream] = [await upstream("legacy"), await upstream("candidate")];
    const gateway = await launch(twoSides(sides[0].url, sides[1].url, 0));
    await openLive(page, gateway.console);
    await page.getByTestId("share-50").click();
    await expect(page.getByTestId("tile-candidate")).toHaveText("50");
    await gateway.api("POST", "/api/rollouts/search", { percent: 100, reason: "all is well" });
    await expect(page.getByTestId("tile-candidate")).toHaveText("100");
    await page.getByTestId("undo").click();
    await expect(page.getByTestId("rollout-error")).toContainText("search is at 100 % now: somebody else");
    expect(await round(gateway, sides)).toEqual([0, CLIENTS]);
    await expect(page.getByTestId("tile-candidate")).toHaveText("100");
  });
});

test("a client stays on its side, and a larger share only adds clients", async ({ launch, upstream }) => {
  const legacy = await upstream("legacy");
  const candidate = await upstream("candidate");
  const gateway = await launch(twoSides(legacy.url, candidate.url, 10));

  const once = await assignment(gateway);
  expect(await assignment(gateway)).toEqual(once);

  await gateway.api("POST", "/api/rollouts/search", { percent: 50, reason: "more" });
  const later = await assignment(gateway);
  const moved = once.map((side, client) => `${side} → ${later[client]}`);
  expect(moved).not.toContain("candidate → legacy");
  expect(moved).toContain("legacy → candidate");
});

test("a rollback holds within 100 ms and over a power cut", async ({ launch, upstream }) => {
  const sides: [Upstream, Upstream] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(twoSides(sides[0].url, sides[1].url, 100));
  expect(await round(gateway, sides)).toEqual([0, CLIENTS]);

  await gateway.api("POST", "/api/rollouts/search/rollback");
  expect(await round(gateway, sides)).toEqual([CLIENTS, 0]);

  await gateway.kill();
  await gateway.start();
  expect(await round(gateway, sides)).toEqual([CLIENTS, 0]);
});
