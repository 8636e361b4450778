import type { Page } from "@playwright/test";

import { openLive } from "../src/dashboard";
import { expect, test } from "../src/test";
import { send, statuses } from "../src/traffic";
import type { Upstream } from "../src/upstream";

const [ABUSER, NEIGHBOUR] = ["203.0.113.7", "203.0.113.8"];

/** Two limited routes; one of them in shadow. */
function limited({ url }: Upstream): string {
  return `
[upstreams.search]
targets = ["${url}"]
[[routes]]
path = "/search"
upstream = "search"
limits = ["20/minute"]
[[routes]]
path = "/trial"
upstream = "search"
limits = ["5/minute"]
shadow = true
`;
}

/** What so many requests of a client are answered with. */
async function ask(url: string, client: string, count: number): Promise<Record<number, number>> {
  return statuses(await send(url, { count, together: 1, client: () => client }));
}

function user(page: Page, client: string) {
  return page.getByTestId(`user-${client}`);
}

test("the page of a limit names who uses it and how much, and counts whom it rejects", async ({
  page,
  launch,
  upstream,
}) => {
  const gateway = await launch(limited(await upstream("well")));
  await openLive(page, `${gateway.console}/limits`);
  await page.getByRole("link", { name: "/search" }).click();
  await expect(page).toHaveURL(/route=\/search$/);
  await expect(page.getByTestId("limit-says")).toHaveText("20/minute for each client address, by token bucket.");

  expect(await ask(`${gateway.traffic}/search`, ABUSER, 25)).toEqual({ 200: 20, 429: 5 });
  expect(await ask(`${gateway.traffic}/search`, NEIGHBOUR, 4)).toEqual({ 200: 4 });
  await expect(user(page, ABUSER)).toContainText(/(19|20) of 20\/minute/);
  await expect(user(page, NEIGHBOUR)).toContainText(/[34] of 20\/minute/);
  await expect(page.getByTestId("limit-counts")).toContainText(
    `Rejected 5 since the start. In the last minute: ${ABUSER} (5). Remembers 2 of`,
  );
  // The fullest comes first.
  const rows = page.locator("#limit tbody tr");
  await expect(rows.first()).toContainText(ABUSER);
  await expect(page.getByTestId("limit-/search")).toContainText("5");
});

test("the first picture of the page has the figures already, without a script", async ({ browser, launch, upstream }) => {
  const gateway = await launch(limited(await upstream("well")));
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 21)).toEqual({ 200: 20, 429: 1 });
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${gateway.console}/limits?route=/search`);
  await expect(page).toHaveTitle("Limits · RAD Monitor");
  await expect(user(page, ABUSER)).toContainText("of 20/minute");
  await expect(page.getByTestId("limit-counts")).toContainText("Rejected 1 since the start");
  // What the last minute had is counted each second, and is there however late one comes.
  await expect(async () => {
    await page.reload();
    await expect(page.getByTestId("limit-/search").locator("td").nth(3)).toHaveText("1", { timeout: 100 });
  }).toPass();
  await context.close();
});

test("a client that is blocked is turned away on every route, and let in again by Undo and by Unblock", async ({
  page,
  launch,
  upstream,
}) => {
  const well = await upstream("well");
  const gateway = await launch(limited(well));
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 200: 1 });
  await openLive(page, `${gateway.console}/limits?route=/search`);

  await user(page, ABUSER).getByRole("link", { name: `Block ${ABUSER}` }).click();
  await expect(page.getByLabel("Client to block")).toHaveValue(ABUSER);
  await page.getByTestId("block-for-1h").click();
  await page.getByLabel("Reason for the block").fill("scrapes us");
  await page.getByTestId("block").click();
  const entry = page.getByTestId(`blocked-${ABUSER}`);
  await expect(entry).toContainText("scrapes us");
  await expect(entry).toContainText(/59 min|60 min|1 h/);
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 2)).toEqual({ 429: 2 });
  expect(await ask(`${gateway.traffic}/trial`, ABUSER, 2)).toEqual({ 429: 2 });
  expect(await ask(`${gateway.traffic}/search`, NEIGHBOUR, 2)).toEqual({ 200: 2 });
  expect(well.received).toBe(3);
  await expect(entry).toContainText("scrapes us; 4 requests turned away");

  await page.getByTestId("undo").click();
  await expect(page.getByText("Nobody is blocked.")).toBeVisible();
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 200: 1 });

  await page.getByLabel("Client to block").fill(ABUSER);
  await page.getByTestId("block-for-").click();
  await page.getByTestId("block").click();
  await expect(entry).toContainText("for good");
  await entry.getByRole("button", { name: `Unblock ${ABUSER}` }).click();
  await expect(page.locator("#block")).toContainText(`Unblocked ${ABUSER}`);
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 200: 1 });

  // Undo of that blocks again, for good as before.
  await page.getByTestId("undo").click();
  await expect(entry).toContainText("for good");
  expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 429: 1 });
});

test("the limit that rejects most is shown in full and marked in the list", async ({ page, launch, upstream }) => {
  const gateway = await launch(limited(await upstream("well")).replace("shadow = true", ""));
  await ask(`${gateway.traffic}/search`, ABUSER, 15);
  await ask(`${gateway.traffic}/trial`, ABUSER, 8);
  await expect
    .poll(async () => {
      await openLive(page, `${gateway.console}/limits`);
      return page.locator("#limit h2").textContent();
    })
    .toBe("/trial");
  await expect(page.getByTestId("limit-/trial").getByRole("link")).toHaveAttribute("aria-current", "true");
  await ask(`${gateway.traffic}/search`, ABUSER, 30);
  await expect(page.getByTestId("limit-/search").locator("td").nth(3)).toHaveText(/^2\d$/);
  await expect(page.locator("#limit h2")).toHaveText("/trial");
});

test.describe(() => {
  // Chromium writes every answer of 400 and more to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("Undo leaves a block that somebody else has made since, and one that somebody took off", async ({
    page,
    launch,
    upstream,
  }) => {
    const gateway = await launch(limited(await upstream("well")));
    const block = (reason: string) => gateway.api("POST", "/api/blocked", { address: ABUSER, reason });
    await openLive(page, `${gateway.console}/limits`);
    await page.getByLabel("Client to block").fill(ABUSER);
    await page.getByTestId("block").click();
    await expect(page.getByTestId(`blocked-${ABUSER}`)).toBeVisible();
    await block("scraper");
    await page.getByTestId("undo").click();
    await expect(page.getByTestId("block-error")).toContainText("blocked in another way now (scraper)");
    expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 429: 1 });

    await page.getByRole("button", { name: `Unblock ${ABUSER}` }).click();
    await expect(page.locator("#block")).toContainText(`Unblocked ${ABUSER}`);
    await block("again");
    await page.getByTestId("undo").click();
    await expect(page.getByTestId("block-error")).toContainText("blocked in another way now (again)");
    await gateway.api("DELETE", `/api/blocked/${ABUSER}`);
    expect(await ask(`${gateway.traffic}/search`, ABUSER, 1)).toEqual({ 200: 1 });
  });

  test("of an IPv6 client the network is blocked, and the page says so", async ({ page, launch, upstream }) => {
    const gateway = await launch(limited(await upstream("well")));
    await openLive(page, `${gateway.console}/limits`);
    await page.getByLabel("Client to block").fill("2001:db8::7");
    await page.getByTestId("block").click();
    await expect(page.locator("#block .outcome")).toContainText("Blocked 2001:db8::/64.");
    expect(await ask(`${gateway.traffic}/search`, "2001:db8::9", 1)).toEqual({ 429: 1 });
    await page.getByTestId("undo").click();
    await expect(page.getByText("Nobody is blocked.")).toBeVisible();
    expect(await ask(`${gateway.traffic}/search`, "2001:db8::9", 1)).toEqual({ 200: 1 });
  });

  test("what is no address is refused with words, and blocks nobody", async ({ page, launch, upstream }) => {
    const gateway = await launch(limited(await upstream("well")));
    await openLive(page, `${gateway.console}/limits`);
    await page.getByTestId("block").click();
    await expect(page.getByTestId("block-error")).toContainText("Which client?");
    await page.getByLabel("Client to block").fill("everybody");
    await page.getByTestId("block").click();
    await expect(page.getByTestId("block-error")).toContainText("write one such as");
    await expect(page.getByLabel("Client to block")).toHaveValue("everybody");
    await expect(page.getByText("Nobody is blocked.")).toBeVisible();
  });
});

test("a limit in shadow rejects nobody and counts whom it would have", async ({ page, launch, upstream }) => {
  const gateway = await launch(limited(await upstream("well")));
  await openLive(page, `${gateway.console}/limits?route=/trial`);
  await expect(page.locator("#limit")).toContainText("in shadow");
  expect(await ask(`${gateway.traffic}/trial`, ABUSER, 8)).toEqual({ 200: 8 });
  await expect(page.getByTestId("limit-counts")).toContainText("Would have rejected 3 since the start");
});
