import type { Page } from "@playwright/test";

import { expectLive, openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import type { Upstream } from "../src/upstream";

function search({ url }: Upstream): string {
  return `
[upstreams.search]
targets = ["${url}"]
breaker = { consecutive_failures = 2, open_for = "60s" }
`;
}

/** Writes a search and sends it. */
async function ask(page: Page, body: string) {
  const runs = await page.getByTestId("run").count();
  await page.getByTestId("query-body").fill(body);
  await page.getByTestId("query-send").click();
  await expect(page.getByTestId("run")).toHaveCount(runs + 1);
}

function latest(page: Page) {
  return page.getByTestId("run").first();
}

test("a search reaches the upstream once, and the same search again is a hit", async ({ page, launch, upstream }) => {
  const well = await upstream("well");
  const gateway = await launch(search(well));
  await openLive(page, `${gateway.console}/query`);
  await expect(page.getByTestId("no-search")).toBeHidden();
  await ask(page, '{"query":{"match_all":{}}}');
  await expect(latest(page)).toContainText("200");
  await expect(latest(page)).toContainText("miss");
  await expect(latest(page)).toContainText("9 of 10");
  await expect(page.getByTestId("query-answer")).toHaveText('{\n  "from": "well"\n}');

  await ask(page, '{"query":{"match_all":{}}}');
  await expect(latest(page)).toContainText("hit, 0 s old");
  await expect(latest(page)).toContainText(/\d ms/);
  expect(well.received).toBe(1);

  await ask(page, '{"query":{"match_none":{}}}');
  await expect(latest(page)).toContainText("miss");
  expect(well.received).toBe(2);
});

test("what was written and what was asked is there again after leaving the page", async ({ page, launch, upstream }) => {
  const gateway = await launch(search(await upstream("well")));
  await openLive(page, `${gateway.console}/query`);
  await ask(page, '{"size":7}');
  await page.getByTestId("query-body").fill('{"size":8}');
  await page.getByRole("link", { name: "Overview" }).click();
  await expect(page.getByTestId("chart-traffic")).toBeVisible();
  await page.getByRole("link", { name: "Query" }).click();
  await expect(page.getByTestId("query-body")).toHaveValue('{"size":8}');
  await expect(latest(page)).toContainText('{"size":7}');
  await expect(latest(page)).toContainText("miss");
  await openLive(page, `${gateway.console}/query`);
  await expect(page.getByTestId("query-body")).toHaveValue('{"size":8}');
  await expect(page.getByTestId("query-answer")).toHaveText('{\n  "from": "well"\n}');
});

test("what is written before the page is alive stays, and is what is sent", async ({ page, launch, upstream }) => {
  const gateway = await launch(search(await upstream("well")));
  let pass = () => {};
  const written = new Promise<void>((resolve) => (pass = resolve));
  await page.route("**/pkg/*.wasm", async (route) => {
    await written;
    await route.continue();
  });
  await page.goto(`${gateway.console}/query`, { waitUntil: "commit" });
  await page.getByTestId("query-body").fill('{"early":true}');
  pass();
  await page.waitForFunction(() => window.RadMonitor !== undefined);
  await expectLive(page);
  await expect(page.getByTestId("query-body")).toHaveValue('{"early":true}');
  await page.getByTestId("query-send").click();
  await expect(latest(page)).toContainText('{"early":true}');
});

test("a search that takes long can be cancelled, and another one be sent", async ({ page, launch, upstream }) => {
  const slow = await upstream("slow");
  slow.manner = "stall";
  const gateway = await launch(search(slow));
  await openLive(page, `${gateway.console}/query`);
  await expect(page.getByTestId("query-cancel")).toBeHidden();
  await page.getByTestId("query-send").click();
  await expect.poll(() => slow.received).toBe(1);
  await page.getByTestId("query-cancel").click();
  await expect(latest(page)).toContainText("cancelled");
  await expect(page.getByTestId("query-cancel")).toBeHidden();
  slow.manner = "answer";
  slow.release();
  await ask(page, '{"size":2}');
  await expect(latest(page)).toContainText("200");
});

test.describe(() => {
  // Chromium writes every answer of 400 and more to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("a failing upstream, an open breaker and a reached limit look different", async ({ page, launch, upstream }) => {
    const broken = await upstream("broken");
    broken.manner = "fail";
    const gateway = await launch(search(broken));
    await openLive(page, `${gateway.console}/query`);
    await ask(page, "{}");
    await expect(latest(page)).toContainText("500");
    await ask(page, "{}");
    await ask(page, "{}");
    await expect(latest(page)).toContainText("503");
    await expect(page.getByTestId("query-answer")).toContainText("due to circuit breaker");
    expect(broken.received).toBe(2);
    for (let left = 7; left > 0; left -= 1) await ask(page, "{}");
    await page.getByTestId("query-send").click();
    await expect(latest(page)).toContainText("429 limited");
    await expect(latest(page)).toContainText(/more in \d+ s/);
    await expect(page.getByTestId("query-answer")).toContainText("Rate limit exceeded: 10 per 1 minute");
  });

  test("what is no JSON is refused with the place where it breaks, and stays to be mended", async ({
    page,
    launch,
    upstream,
  }) => {
    const well = await upstream("well");
    const gateway = await launch(search(well));
    await openLive(page, `${gateway.console}/query`);
    await ask(page, "{oops");
    await expect(latest(page)).toContainText("400");
    await expect(page.getByTestId("query-answer")).toContainText("line 1");
    await expect(page.getByTestId("query-body")).toHaveValue("{oops");
    expect(well.received).toBe(0);
  });

  test("without an upstream named search the page says so", async ({ page, launch }) => {
    const gateway = await launch("");
    await openLive(page, `${gateway.console}/query`);
    await expect(page.getByTestId("no-search")).toContainText("[upstreams.search]");
    await ask(page, "{}");
    await expect(latest(page)).toContainText("404");
    await expect(page.getByTestId("query-answer")).toContainText("no upstream is named");
  });
});
