import { sample } from "../src/configuration";
import { drawn, expectLive, expectMoved, openLive, status, type Status } from "../src/dashboard";
import { CONNECTION_LOST, expect, test } from "../src/test";
import type { Page } from "@playwright/test";

test.use({ expectedNoise: CONNECTION_LOST });

const attempt = async (page: Page) => (await status(page)).attempt;

/** Waits until the page waits, and answers for how long. */
async function announced(page: Page): Promise<number> {
  await expect.poll(async () => (await status(page)).retry_in_ms).not.toBeNull();
  return (await status(page)).retry_in_ms ?? 0;
}

test("a page outlives its server: it counts down, tries again, and resumes without a reload", async ({
  page,
  launch,
}) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  await page.evaluate(() => void (window.mark = "not loaded again"));
  const first = await status(page);
  expect(first.epoch).toBeTruthy();
  await expect.poll(async () => (await drawn(page, "traffic")).count).toBeGreaterThan(2);
  const before = (await drawn(page, "traffic")).count;

  await gateway.kill();
  await expect(page.getByTestId("banner")).toBeVisible();
  await expect(page.getByTestId("connection")).toContainText("Reconnecting");
  await expect(page.getByTestId("banner")).toContainText(/\(\d+ of 10\) in \d/);
  await expect.poll(() => attempt(page), { timeout: 20_000 }).toBeGreaterThanOrEqual(4);

  await gateway.start();
  await expectLive(page);
  await expect(page.getByTestId("banner")).toBeHidden();
  const second = await status(page);
  expect(second.epoch).not.toBe(first.epoch);
  const { lastMs, count } = await drawn(page, "traffic");
  expect(count, "what was seen before the restart is still there").toBeGreaterThanOrEqual(before);
  await expectMoved(page, "traffic", lastMs);
  expect(await page.evaluate(() => window.mark)).toBe("not loaded again");
});

test("waits grow by half up to thirty seconds; after ten attempts it says offline and goes on", async ({
  page,
  launch,
}) => {
  const gateway = await launch(sample());
  await page.clock.install();
  await openLive(page, gateway.console);
  await page.clock.pauseAt(new Date(Date.now() + 60_000));
  await gateway.kill();

  for (let which = 1; which <= 13; which++) {
    const wait = await announced(page);
    expect(await attempt(page)).toBe(which);
    const expected = which > 10 ? 30_000 : Math.min(1_000 * 1.5 ** (which - 1), 30_000);
    expect(wait, `wait before attempt ${which}`).toBeGreaterThanOrEqual(Math.floor(expected * 0.8));
    expect(wait, `wait before attempt ${which}`).toBeLessThanOrEqual(Math.ceil(expected * 1.2));

    const { state } = await status(page);
    await page.clock.runFor(200);
    const banner = page.getByTestId("banner");
    if (which <= 10) {
      expect(state).toBe("reconnecting");
      await expect(page.getByTestId("connection")).toContainText("Reconnecting");
      await expect(banner).toContainText(`(${which} of 10) in`);
    } else {
      expect(state).toBe("offline");
      await expect(page.getByTestId("connection")).toContainText("Offline");
      await expect(banner).toContainText("Offline after 10 attempts");
    }
    await page.clock.runFor(wait - 200);
  }

  await gateway.start();
  await page.clock.resume();
  await page.getByTestId("retry-now").click();
  await expectLive(page);
});

test("a page comes back by itself when its server does", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  await gateway.stop();
  await expect.poll(async () => (await status(page)).state).toBe("reconnecting");
  await gateway.start();
  await expectLive(page);
});

test("a cut wire leaves no gap in the charts", async ({ page, launch, wire }) => {
  const gateway = await launch(sample());
  const line = await wire(gateway.ports.console);
  await openLive(page, line.url);
  const { epoch } = await status(page);
  const { lastMs: start } = await drawn(page, "traffic");
  await expectMoved(page, "traffic", start);
  const before = await drawn(page, "traffic");

  line.cut();
  await expect.poll(() => attempt(page), { timeout: 15_000 }).toBeGreaterThanOrEqual(3);
  const during = await drawn(page, "traffic");
  line.restore();
  await expectLive(page);
  await expectMoved(page, "traffic", during.lastMs + 2_500);
  const after = await drawn(page, "traffic");

  expect((await status(page)).epoch).toBe(epoch);
  // One point a second, through the time without a connection too.
  expect(after.count - before.count).toBe(Math.round((after.lastMs - before.lastMs) / 1_000));
  expect(after.pieces).toBe(1);
});

test("without the live connection the page says so, fades, and still acts", async ({ page, launch, wire }) => {
  const gateway = await launch(sample());
  const line = await wire(gateway.ports.console);
  await openLive(page, line.url);
  await expect(page.getByTestId("tile-candidate")).toHaveText("10");

  line.cutLive();
  await expect(page.getByTestId("banner")).toBeVisible();
  await page.getByTestId("share-50").click();
  interface Metrics {
    rollouts: { name: string; candidate_share: number }[];
  }
  await expect
    .poll(async () => (await gateway.api<Metrics>("GET", "/api/metrics")).rollouts[0]?.candidate_share)
    .toBe(50);
  await expect(page.getByTestId("share-50")).toHaveAttribute("aria-pressed", "true");

  line.restore();
  await expectLive(page);
  await expect(page.getByTestId("tile-candidate")).toHaveText("50");
});

test("that nobody answered an action is said until the connection is back", async ({ page, launch, wire }) => {
  const gateway = await launch(sample());
  const line = await wire(gateway.ports.console);
  await openLive(page, line.url);
  const error = page.getByTestId("rollout-error");

  line.cut();
  await expect(page.getByTestId("banner")).toBeVisible();
  await page.getByTestId("share-50").click();
  await expect(error).toHaveText("The server did not answer.");

  line.restore();
  await expectLive(page);
  await expect(error).toBeHidden();
  await page.getByTestId("share-50").click();
  await expect(page.getByTestId("share-50")).toHaveAttribute("aria-pressed", "true");
});

test("Retry now tries at once", async ({ page, launch, wire }) => {
  const gateway = await launch(sample());
  const line = await wire(gateway.ports.console);
  await openLive(page, line.url);
  line.cutLive();
  await expect.poll(() => attempt(page), { timeout: 20_000 }).toBeGreaterThanOrEqual(4);
  const waiting: Status = await status(page);
  expect(waiting.retry_in_ms ?? 0).toBeGreaterThan(1_000);
  const { attempts } = line;
  await page.getByTestId("retry-now").click();
  await expect.poll(() => line.attempts, { timeout: 1_000 }).toBeGreaterThan(attempts);
});

test("five seconds of silence count as a lost connection", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const { epoch } = await status(page);
  gateway.freeze();
  await expect.poll(async () => (await status(page)).state).toBe("reconnecting");
  await expect(page.getByTestId("banner")).toBeVisible();
  gateway.thaw();
  await expectLive(page);
  expect((await status(page)).epoch).toBe(epoch);
});

test("a browser without network does not try, and tries at once when it is back", async ({
  page,
  context,
  launch,
  wire,
}) => {
  const gateway = await launch(sample());
  const line = await wire(gateway.ports.console);
  await openLive(page, line.url);
  await context.setOffline(true);
  line.cutLive();
  await expect.poll(async () => (await status(page)).state).toBe("offline");
  line.restore();
  const { attempts } = line;
  await context.setOffline(false);
  await expect.poll(() => line.attempts, { timeout: 1_000 }).toBe(attempts + 1);
  await expectLive(page);
});
