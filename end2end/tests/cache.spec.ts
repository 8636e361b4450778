import type { Page } from "@playwright/test";

import { openLive } from "../src/dashboard";
import type { Gateway } from "../src/gateway";
import { CONNECTION_LOST, expect, test as base } from "../src/test";
import { send } from "../src/traffic";
import type { Upstream } from "../src/upstream";

/** Two cached routes with a tag each. */
function cached({ url }: Upstream): string {
  return `
[upstreams.search]
targets = ["${url}"]
[[routes]]
path = "/counts"
upstream = "search"
limits = []
cache = { ttl = "10m", tags = ["counts"] }
[[routes]]
path = "/trends"
upstream = "search"
limits = []
cache = { ttl = "10m", stale_if_error = "1h", tags = ["trends"] }
`;
}

/** How many of the requests reached the upstream. */
async function reach(upstream: Upstream, urls: string[], headers?: Record<string, string>): Promise<number> {
  const before = upstream.received;
  for (const url of urls) {
    const answers = await send(url, { count: 1, headers });
    expect(answers[0]?.status).toBe(200);
  }
  return upstream.received - before;
}

interface Cached {
  /** A gateway before `well`, whose routes are cached, with the page of the cache open. */
  gateway: Gateway;
  well: Upstream;
  /** Both routes. */
  both: string[];
}

const test = base.extend<{ cached: Cached }>({
  cached: async ({ page, launch, upstream }, use) => {
    const well = await upstream("well");
    const gateway = await launch(cached(well));
    await openLive(page, `${gateway.console}/cache`);
    await use({ gateway, well, both: ["/counts", "/trends"].map((path) => gateway.traffic + path) });
  },
});

function figures(page: Page) {
  return page.getByTestId("cache-figures");
}

test("the figures of the cache are those of the traffic", async ({ page, cached: { gateway, well } }) => {
  const url = `${gateway.traffic}/counts`;
  expect(await reach(well, [url, url, url, url, `${url}?of=hosts`])).toBe(2);
  await expect(figures(page)).toContainText("3 of 5 lookups");
  await expect(figures(page)).toContainText("2 calls of upstreams made");
  await expect(figures(page)).toContainText("2 answers");
  const row = page.getByTestId("cached-/counts");
  await expect(row).toContainText("60 %");
  await expect(row).toContainText("5 lookups");
  await expect(page.getByTestId("cached-/trends")).toContainText("0 %");
  await expect(page.getByTestId("cached-/trends")).toContainText("10 min, 1 h more if the upstream fails");

  well.manner = "fail";
  const stale = await send(`${gateway.traffic}/trends`, { count: 1 });
  expect(stale[0]?.status).toBe(500);
  await expect(page.getByTestId("cache-counts")).toContainText("1 call failed");
});

test("invalidating a tag makes the next request ask the upstream, and touches no other tag", async ({
  page,
  cached: { well, both },
}) => {
  expect(await reach(well, [...both, ...both])).toBe(2);
  await page.getByTestId("invalidate-tag-counts").click();
  await expect(page.locator("#invalidate")).toContainText("Invalidated 1 answer.");
  await expect(figures(page)).toContainText("1 answer");
  expect(await reach(well, both)).toBe(1);
  expect(await reach(well, both)).toBe(0);
});

test("invalidating an organisation leaves the answers of others", async ({ page, cached: { gateway, well } }) => {
  const url = [`${gateway.traffic}/counts`];
  const [acme, other] = [{ "x-org-id": "acme" }, { "x-org-id": "other" }];
  expect((await reach(well, url, acme)) + (await reach(well, url, other))).toBe(2);
  await page.getByTestId("invalidate-organisation").click();
  await expect(page.getByTestId("invalidate-error")).toContainText("Which organisation?");
  await page.getByLabel("Organisation to invalidate").fill("acme");
  await page.getByTestId("invalidate-organisation").click();
  await expect(page.locator("#invalidate")).toContainText("Invalidated 1 answer.");
  expect(await reach(well, url, other)).toBe(0);
  await page.getByLabel("Organisation to invalidate").fill("acmee");
  await page.getByTestId("invalidate-organisation").click();
  await expect(page.locator("#invalidate")).toContainText("No answer of an organisation named acmee is kept");
  expect(await reach(well, url, other)).toBe(0);
  expect(await reach(well, url, acme)).toBe(1);
});

test("invalidating everything takes two presses, and can be called off between them", async ({
  page,
  cached: { well, both },
}) => {
  expect(await reach(well, both)).toBe(2);
  const all = page.getByTestId("invalidate-all");
  await all.click();
  await page.getByTestId("invalidate-not").click();
  expect(await reach(well, both)).toBe(0);
  await all.click();
  await expect(all).toHaveText("Invalidate everything now");
  await all.click();
  await expect(page.locator("#invalidate")).toContainText("Invalidated 2 answers.");
  await expect(all).toHaveText("Invalidate everything…");
  expect(await reach(well, both)).toBe(2);
});

test("the second press on everything is not waited for long", async ({ page, cached: { well, both } }) => {
  expect(await reach(well, both)).toBe(2);
  const all = page.getByTestId("invalidate-all");
  const disarmed = () => expect(all).toHaveText("Invalidate everything…");
  await all.click();
  await page.keyboard.press("Escape");
  await disarmed();
  await all.click();
  await page.getByLabel("Organisation to invalidate").focus();
  await disarmed();
  await all.click();
  await expect(all).toHaveText("Invalidate everything now");
  await disarmed();
  await all.click();
  expect(await reach(well, both)).toBe(0);
});

test.describe(() => {
  test.use({ expectedNoise: CONNECTION_LOST });

  test("figures that cannot be asked for fade and say how old they are, until they come again", async ({
    page,
    cached: { well, both },
  }) => {
    await expect(figures(page)).toContainText("0 of 0 lookups");
    const doubt = page.locator("#saved .doubt");
    const colour = () => figures(page).evaluate((table) => getComputedStyle(table).color);
    const lively = await colour();
    await page.route("**/api/cache", (route) => route.abort());
    await expect(doubt).toContainText(/^These figures are \d.* s old. The server did not answer.$/);
    expect(await colour()).not.toBe(lively);
    expect(await reach(well, both)).toBe(2);
    await expect(page.getByTestId("banner"), "the live connection stands").toBeHidden();
    await page.unroute("**/api/cache");
    await expect(figures(page)).toContainText("0 of 2 lookups");
    await expect(doubt).toBeHidden();
    expect(await colour()).toBe(lively);
  });
});
