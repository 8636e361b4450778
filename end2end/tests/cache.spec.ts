import type { Page } from "@playwright/test";

import { openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
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

function figures(page: Page) {
  return page.getByTestId("cache-figures");
}

test("the figures of the cache are those of the traffic", async ({ page, launch, upstream }) => {
  const well = await upstream("well");
  const gateway = await launch(cached(well));
  await openLive(page, `${gateway.console}/cache`);
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
  await expect(page.getByTestId("cache-counts")).toContainText("1 calls failed");
});

test("invalidating a tag makes the next request ask the upstream, and touches no other tag", async ({
  page,
  launch,
  upstream,
}) => {
  const well = await upstream("well");
  const gateway = await launch(cached(well));
  const both = ["/counts", "/trends"].map((path) => gateway.traffic + path);
  expect(await reach(well, [...both, ...both])).toBe(2);
  await openLive(page, `${gateway.console}/cache`);
  await page.getByTestId("invalidate-tag-counts").click();
  await expect(page.locator("#invalidate")).toContainText("Invalidated 1 answer.");
  await expect(figures(page)).toContainText("1 answer");
  expect(await reach(well, both)).toBe(1);
  expect(await reach(well, both)).toBe(0);
});

test("invalidating an organisation leaves the answers of others", async ({ page, launch, upstream }) => {
  const well = await upstream("well");
  const gateway = await launch(cached(well));
  const url = [`${gateway.traffic}/counts`];
  const [acme, other] = [{ "x-org-id": "acme" }, { "x-org-id": "other" }];
  expect((await reach(well, url, acme)) + (await reach(well, url, other))).toBe(2);
  await openLive(page, `${gateway.console}/cache`);
  await page.getByTestId("invalidate-organisation").click();
  await expect(page.getByTestId("invalidate-error")).toContainText("Which organisation?");
  await page.getByLabel("Organisation to invalidate").fill("acme");
  await page.getByTestId("invalidate-organisation").click();
  await expect(page.locator("#invalidate")).toContainText("Invalidated 1 answer.");
  expect(await reach(well, url, other)).toBe(0);
  expect(await reach(well, url, acme)).toBe(1);
});

test("invalidating everything takes two presses, and can be called off between them", async ({
  page,
  launch,
  upstream,
}) => {
  const well = await upstream("well");
  const gateway = await launch(cached(well));
  const both = ["/counts", "/trends"].map((path) => gateway.traffic + path);
  expect(await reach(well, both)).toBe(2);
  await openLive(page, `${gateway.console}/cache`);
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
