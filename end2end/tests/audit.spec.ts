import AxeBuilder from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";

import { twoSides } from "../src/configuration";
import { openLive } from "../src/dashboard";
import type { Gateway } from "../src/gateway";
import { CONNECTION_LOST, expect, test } from "../src/test";

/** A rollout `search` and two breakers, which nobody asks for anything. */
const CONFIGURATION = twoSides("http://127.0.0.1:1", "http://127.0.0.1:1", 0);

function share(gateway: Gateway, percent: number, reason: string): Promise<unknown> {
  return gateway.api("POST", "/api/rollouts/search", { percent, reason });
}

function entry(page: Page, id: number): Locator {
  return page.getByTestId(`entry-${id}`);
}

async function percent(gateway: Gateway): Promise<number> {
  return (await gateway.api<{ percent: number }>("GET", "/api/rollouts/search")).percent;
}

test("a change stands in the log with who made it and why, and Revert takes it back", async ({ page, launch }) => {
  const gateway = await launch(CONFIGURATION);
  await openLive(page, gateway.console);
  await page.getByLabel("Reason for the change").fill("first try");
  await page.getByTestId("share-50").click();
  await expect(page.getByTestId("share-50")).toHaveAttribute("aria-pressed", "true");

  await page.getByRole("link", { name: "Audit" }).click();
  await expect(entry(page, 1)).toContainText("console");
  await expect(entry(page, 1)).toContainText("rollout.share");
  await expect(entry(page, 1)).toContainText("percent 0 → 50");
  await expect(entry(page, 1)).toContainText("first try");

  await page.getByLabel("Reason for the revert").fill("too early");
  await page.getByRole("button", { name: "Revert entry 1" }).click();
  await expect(page.getByText("Changed 50 → 0 %.")).toBeVisible();
  await expect(entry(page, 2)).toContainText("percent 50 → 0");
  await expect(entry(page, 2)).toContainText("too early");
  await expect(entry(page, 2)).toContainText("takes back #1");
  await expect(entry(page, 1)).toContainText("taken back by #2");
  await expect(page.getByRole("button", { name: "Revert entry 1" })).toBeHidden();
  await expect(page.getByLabel("Reason for the revert")).toHaveValue("");
  expect(await percent(gateway)).toBe(0);

  await page.getByTestId("undo").click();
  await expect(entry(page, 3)).toContainText("percent 0 → 50");
  expect(await percent(gateway)).toBe(50);
});

test("what others do appears in the open log", async ({ page, launch }) => {
  const gateway = await launch(CONFIGURATION);
  await openLive(page, `${gateway.console}/audit`);
  await expect(page.getByText("Nothing has been changed yet.")).toBeVisible();
  await gateway.api("POST", "/api/breakers/search/mode", { mode: "forced_open", reason: "maintenance" });
  await expect(entry(page, 1)).toContainText("mode automatic → forced open");
  await expect(page.getByText("Nothing has been changed yet.")).toBeHidden();
});

test("what is looked for stands in the URL, and the table for spreadsheets has the same", async ({ page, launch }) => {
  const gateway = await launch(CONFIGURATION);
  await share(gateway, 10, "first step");
  await share(gateway, 20, "second step");
  await gateway.api("POST", "/api/breakers/search/reset", { reason: "second look" });
  await openLive(page, `${gateway.console}/audit`);
  await page.getByLabel("Any text").fill("second");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page).toHaveURL(/text=second/);
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await expect(page.getByLabel("Any text")).toHaveValue("second");
  await page.waitForFunction(() => window.RadMonitor !== undefined);

  const table = await page.request.get(
    gateway.console + ((await page.getByRole("link", { name: "CSV" }).getAttribute("href")) ?? ""),
  );
  expect((await table.text()).trim().split("\r\n")).toHaveLength(3);

  // A value that is pressed is looked for alone.
  await entry(page, 3).getByRole("link", { name: "breaker.reset" }).click();
  await expect(page).toHaveURL(/\/audit\?action=breaker\.reset$/);
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.goBack();
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await page.getByRole("link", { name: "All" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(3);
});

test("older entries are a page further", async ({ page, launch }) => {
  const gateway = await launch(CONFIGURATION);
  for (let step = 1; step <= 53; step++) await share(gateway, step, `step ${step}`);
  await openLive(page, `${gateway.console}/audit`);
  await expect(page.locator("tbody tr")).toHaveCount(50);
  await expect(page.getByRole("link", { name: "Latest" })).toBeHidden();
  await page.getByRole("link", { name: "Older" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(3);
  await expect(entry(page, 1)).toContainText("step 1");
  await expect(page.getByRole("link", { name: "Older" })).toBeHidden();
  await page.getByRole("link", { name: "Latest" }).click();
  await expect(entry(page, 53)).toBeVisible();
});

test.describe(() => {
  // Chromium writes every answer of 400 and more to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("Revert does nothing once somebody else has decided otherwise, and says so", async ({ page, launch }) => {
    const gateway = await launch(CONFIGURATION);
    await share(gateway, 10, "");
    await share(gateway, 20, "");
    await openLive(page, `${gateway.console}/audit`);
    await page.getByRole("button", { name: "Revert entry 1" }).click();
    await expect(page.getByTestId("audit-error")).toContainText("entry 2 has decided otherwise since entry 1");
    expect(await percent(gateway)).toBe(20);
  });
});

test("in production a switch asks for a reason, and sends nothing without one", async ({ page, launch }) => {
  const gateway = await launch(CONFIGURATION, "", "production");
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") sent.push(request.url());
  });
  const SAY = "Say why: in production every change needs a reason.";

  await openLive(page, gateway.console);
  const why = page.getByLabel("Reason for the change");
  await expect(why).toHaveAttribute("required", "");
  for (const press of ["share-50", "rollback"]) {
    await page.getByTestId(press).click();
    await expect(page.getByTestId("rollout-error")).toHaveText(SAY);
  }
  await openLive(page, `${gateway.console}/rollouts`);
  await page.getByTestId("rollout-start").click();
  await expect(page.getByTestId("rollout-error")).toHaveText(SAY);
  await openLive(page, `${gateway.console}/breakers`);
  await page.getByTestId("mode-forced_open").click();
  await expect(page.getByTestId("breaker-error")).toHaveText(SAY);
  await openLive(page, `${gateway.console}/limits`);
  await page.getByLabel("Client to block").fill("203.0.113.7");
  await page.getByTestId("block").click();
  await expect(page.getByTestId("block-error")).toHaveText(SAY);
  await openLive(page, `${gateway.console}/cache`);
  await page.getByTestId("invalidate-all").click();
  await page.getByTestId("invalidate-all").click();
  await expect(page.getByTestId("invalidate-error")).toHaveText(SAY);
  expect(sent).toEqual([]);

  await openLive(page, gateway.console);
  await why.fill("first try");
  await page.getByTestId("share-50").click();
  await expect(page.getByTestId("share-50")).toHaveAttribute("aria-pressed", "true");
  await page.getByTestId("undo").click();
  await expect(page.getByTestId("share-0")).toHaveAttribute("aria-pressed", "true");

  await openLive(page, `${gateway.console}/audit`);
  await page.getByRole("button", { name: "Revert entry 2" }).click();
  await expect(page.getByTestId("audit-error")).toHaveText(SAY);
  await page.getByLabel("Reason for the revert").fill("it was right");
  await page.getByRole("button", { name: "Revert entry 2" }).click();
  await expect(entry(page, 3)).toContainText("it was right");
  expect(await percent(gateway)).toBe(50);
});

test.describe(() => {
  test.use({ expectedNoise: CONNECTION_LOST });

  test("Revert works while the live connection is lost", async ({ page, launch, wire }) => {
    const gateway = await launch(CONFIGURATION);
    await share(gateway, 50, "");
    const line = await wire(gateway.ports.console);
    await openLive(page, `${line.url}/audit`);
    line.cutLive();
    await expect(page.getByTestId("banner")).toBeVisible();
    await page.getByRole("button", { name: "Revert entry 1" }).click();
    await expect(entry(page, 2)).toContainText("percent 50 → 0");
    expect(await percent(gateway)).toBe(0);
  });
});

test.describe(() => {
  test.use({ javaScriptEnabled: false });

  test("without JavaScript the log is there, and can be looked through", async ({ page, launch }) => {
    const gateway = await launch(CONFIGURATION);
    for (let step = 1; step <= 51; step++) await share(gateway, step, `step ${step}`);
    await gateway.api("POST", "/api/breakers/search/reset", { reason: "second look" });
    await page.goto(`${gateway.console}/audit`);
    await expect(entry(page, 52)).toContainText("second look");
    await expect(page.getByRole("button", { name: "Revert entry 51" })).toBeHidden();
    await page.getByRole("link", { name: "Older" }).click();
    await expect(entry(page, 1)).toContainText("step 1");
    await page.getByLabel("Who").fill("nobody");
    await page.getByRole("button", { name: "Find" }).click();
    await expect(page.getByText("No entry is like this.")).toBeVisible();
  });
});

for (const theme of ["dark", "light"] as const) {
  test(`a log of long names and reasons fits every window, and axe finds nothing in it, in the ${theme} theme`, async ({
    page,
    launch,
  }) => {
    const gateway = await launch(CONFIGURATION);
    await share(gateway, 50, "x".repeat(200));
    await share(gateway, 25, "a reason of many words ".repeat(8));
    await gateway.api("POST", "/api/blocked", { address: "2001:db8:1234:5678::7", for: "1h", reason: "scraper" });
    await gateway.api("POST", "/api/cache/invalidate", { organisation: "o".repeat(100) });
    await gateway.api("POST", "/api/audit/2/revert", {});
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const width of [360, 721, 768, 1000, 1180, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await openLive(page, `${gateway.console}/audit`);
      await expect(entry(page, 5)).toBeVisible();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, `a window of ${width}`).toBeLessThanOrEqual(width);
      const outside = await page.locator("#audit").evaluate((card) =>
        [...card.querySelectorAll("td, button, input")]
          .filter((part) => part.getBoundingClientRect().right > card.getBoundingClientRect().right)
          .map((part) => part.textContent),
      );
      expect(outside, `a window of ${width}`).toEqual([]);
    }
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`)).toEqual([]);
  });
}
