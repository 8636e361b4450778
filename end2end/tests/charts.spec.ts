import { sample, twoSides } from "../src/configuration";
import { CHARTS, drawn, expectMoved, openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import { address, send, statuses } from "../src/traffic";

test("charts move once a second while traffic flows", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);

  for (const chart of CHARTS) {
    const before = await drawn(page, chart);
    await expectMoved(page, chart, before.lastMs);
  }

  const start = await drawn(page, "traffic");
  await expectMoved(page, "traffic", start.lastMs + 2_500);
  const end = await drawn(page, "traffic");
  expect(end.lastMs - start.lastMs).toBeLessThan((end.count - start.count + 0.5) * 1_000);
});

test("the tiles show what really flows", async ({ page, launch, upstream }) => {
  const legacy = await upstream("legacy");
  const candidate = await upstream("candidate");
  const gateway = await launch(twoSides(legacy.url, candidate.url, 0));
  await openLive(page, gateway.console);
  await expect(page.getByTestId("tile-requests")).toHaveText("0");

  const answers = await send(`${gateway.traffic}/few`, { count: 40 });
  expect(statuses(answers)).toEqual({ 200: 10, 429: 30 });
  expect(legacy.received).toBe(10);

  const events = page.getByTestId("events");
  await expect(events).toContainText("/few");
  const limit = page.getByTestId("limit-/few");
  // Every six seconds one request of the ten is free again.
  await expect(limit.getByRole("meter")).toHaveAttribute("aria-valuenow", /^(100|90|80)$/);
  await expect(limit).toContainText("127.0.0.1");
  await expect(limit).toContainText("30");
});

test("the first picture has charts, with JavaScript disabled", async ({ browser, launch }) => {
  const gateway = await launch(sample());
  await expect
    .poll(async () => (await gateway.api<{ totals: { requests: number } }>("GET", "/api/metrics")).totals.requests)
    .toBeGreaterThan(20);

  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(gateway.console);
  for (const chart of CHARTS) {
    const svg = page.getByTestId(`chart-${chart}`);
    await expect(svg).toBeVisible();
    const { count, pieces } = await drawn(page, chart);
    expect(count, chart).toBeGreaterThan(0);
    expect(pieces, chart).toBeGreaterThan(0);
  }
  await expect(page.getByTestId("tile-requests")).toContainText(/\d/);
  await expect(page.getByTestId("breaker-search")).toHaveAttribute("data-state", "closed");
  await context.close();
});

test("without JavaScript the page says when its picture was taken, and offers nothing that would not work", async ({
  browser,
  launch,
}) => {
  const gateway = await launch(sample());
  await expect
    .poll(async () => (await gateway.api<{ totals: { requests: number } }>("GET", "/api/metrics")).totals.requests)
    .toBeGreaterThan(20);

  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(gateway.console);
  await expect(page.getByTestId("snapshot")).toHaveText(/^Snapshot of \d\d:\d\d:\d\d UTC$/);
  await expect(page.locator("main noscript .banner")).toContainText("live figures need JavaScript");
  for (const inert of ["connection", "pause", "theme", "kill-switch", "rollback"]) {
    await expect(page.getByTestId(inert), inert).toBeHidden();
  }
  await context.close();

  const live = await (await browser.newContext()).newPage();
  await openLive(live, gateway.console);
  await expect(live.getByTestId("connection")).toHaveText("Live");
  await expect(live.getByTestId("snapshot")).toHaveCount(0);
  await live.context().close();
});

test("a lone second of traffic can be seen", async ({ page, launch, upstream }) => {
  const legacy = await upstream("legacy");
  const candidate = await upstream("candidate");
  const gateway = await launch(twoSides(legacy.url, candidate.url, 0));
  await openLive(page, gateway.console);
  // With a quiet second before and after it.
  const { lastMs } = await drawn(page, "traffic");
  await expectMoved(page, "traffic", lastMs);
  await send(`${gateway.traffic}/search`, { count: 1 });

  const dots = page.getByTestId("chart-latency").locator("path.dots");
  for (const dot of await dots.all()) {
    await expect(dot).toHaveAttribute("d", /^M[\d.]+ [\d.]+h0$/);
    const { width, cap } = await dot.evaluate((path) => {
      const { strokeWidth, strokeLinecap } = getComputedStyle(path);
      return { width: parseFloat(strokeWidth), cap: strokeLinecap };
    });
    expect(width).toBeGreaterThanOrEqual(4);
    expect(cap).toBe("round");
  }
  expect(await dots.count()).toBe(3);
  await expect(page.getByTestId("chart-traffic").locator("path.line.accent").first()).toHaveAttribute("d", /L/);
});

test("traffic of many clients reaches the chart of requests in full", async ({ page, launch, upstream }) => {
  const legacy = await upstream("legacy");
  const candidate = await upstream("candidate");
  const gateway = await launch(twoSides(legacy.url, candidate.url, 0));
  await openLive(page, gateway.console);

  await send(`${gateway.traffic}/search`, { count: 300, client: address });
  interface Metrics {
    totals: { requests: number; answered: number };
  }
  await expect
    .poll(async () => (await gateway.api<Metrics>("GET", "/api/metrics")).totals)
    .toMatchObject({ requests: 300, answered: 300 });
  expect(legacy.received).toBe(300);
});
