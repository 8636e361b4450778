import type { Page } from "@playwright/test";

import { sample, twoSides } from "../src/configuration";
import { drawn, expectLive, expectMoved, open, openLive, status } from "../src/dashboard";
import { expect, test } from "../src/test";

/** Polling comes every ten seconds. */
const A_POLL_MS = 15_000;

/** Counts the sockets that the page opens from now on. */
function countSockets(page: Page): () => number {
  let opened = 0;
  page.on("websocket", () => (opened += 1));
  return () => opened;
}

test("the kill switch closes the socket, survives a reload, and the page still updates by polling", async ({
  page,
  launch,
}) => {
  const gateway = await launch(sample());
  const closed = page.waitForEvent("websocket").then((socket) => socket.waitForEvent("close"));
  await openLive(page, gateway.console);
  await page.getByTestId("kill-switch").click();
  await closed;
  await expect.poll(async () => (await status(page)).mode).toBe("legacy");
  await expect(page.getByTestId("legacy-badge")).toBeVisible();

  const sockets = countSockets(page);
  await page.reload();
  await page.waitForFunction(() => window.RadMonitor !== undefined);
  expect(await status(page)).toMatchObject({ mode: "legacy", state: "polling" });
  await expect(page.getByTestId("legacy-badge")).toBeVisible();

  const polled = page.waitForResponse((response) => response.url().includes("/api/metrics"), {
    timeout: A_POLL_MS,
  });
  const { lastMs } = await drawn(page, "traffic");
  await expectMoved(page, "traffic", lastMs, A_POLL_MS);
  expect((await polled).ok()).toBe(true);
  expect(sockets()).toBe(0);

  await page.getByTestId("kill-switch").click();
  await expectLive(page);
  expect(await status(page)).toMatchObject({ mode: "live" });
  expect(sockets()).toBe(1);
});

test("window.RadMonitor disables, enables and tells how things stand", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const live = await status(page);
  expect(live).toMatchObject({ mode: "live", state: "connected", attempt: 0 });
  expect(live.epoch).toBeTruthy();
  expect(live.seq).toBeGreaterThan(0);

  await page.evaluate(() => window.RadMonitor?.disable());
  await expect.poll(() => status(page)).toMatchObject({ mode: "legacy", state: "polling" });
  await page.evaluate(() => window.RadMonitor?.enable());
  await expectLive(page);
  expect(await status(page)).toMatchObject({ mode: "live", epoch: live.epoch });
});

test("a page in legacy mode has no gap once it is live again", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const { lastMs: start } = await drawn(page, "traffic");
  await expectMoved(page, "traffic", start);
  const before = await drawn(page, "traffic");

  await page.getByTestId("kill-switch").click();
  await expectMoved(page, "traffic", before.lastMs + 3_000, A_POLL_MS);
  await page.getByTestId("kill-switch").click();
  await expectLive(page);
  const resumed = await drawn(page, "traffic");
  await expectMoved(page, "traffic", resumed.lastMs + 1_500);

  const after = await drawn(page, "traffic");
  expect(after.count - before.count).toBe(Math.round((after.lastMs - before.lastMs) / 1_000));
  expect(after.pieces).toBe(1);
});

test("the kill switch sends this browser's requests to legacy", async ({ page, launch, upstream }) => {
  const legacy = await upstream("legacy");
  const candidate = await upstream("candidate");
  const gateway = await launch(twoSides(legacy.url, candidate.url, 100));
  await open(page, gateway.console);

  await page.request.get(`${gateway.traffic}/search`);
  expect([legacy.received, candidate.received]).toEqual([0, 1]);

  await page.getByTestId("kill-switch").click();
  await expect.poll(async () => (await status(page)).mode).toBe("legacy");
  await page.request.get(`${gateway.traffic}/search`);
  expect([legacy.received, candidate.received]).toEqual([1, 1]);
});
