import { readFile } from "node:fs/promises";

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { sample } from "../src/configuration";
import { expectLive, openLive } from "../src/dashboard";
import type { Gateway } from "../src/gateway";
import { expect, test } from "../src/test";

const PASSWORD = "correct horse battery";

/** The sample with a login, whose administrator is `ops`. */
const guarded: typeof sample = (options) => (ports) => {
  const configuration = sample(options);
  const rest = typeof configuration === "string" ? configuration : configuration(ports);
  return `[console.auth]\nadministrator = "ops"\n${rest}`;
};

async function logIn(page: Page, account: string, password: string): Promise<void> {
  await page.getByLabel("Name").fill(account);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Changes the first password to the one above. */
async function choose(page: Page, first: string): Promise<void> {
  await page.getByLabel("Present password").fill(first);
  await page.getByLabel("New password 12").fill(PASSWORD);
  await page.getByLabel("New password once more").fill(PASSWORD);
  await page.getByRole("button", { name: "Change it" }).click();
}

async function firstPassword(gateway: Gateway): Promise<string> {
  return (await readFile(gateway.file("rad-monitor.db.initial-password"), "utf8")).trim();
}

/** Logs the administrator in for the first time. */
async function enter(page: Page, gateway: Gateway, path = "/"): Promise<void> {
  await page.goto(gateway.console + path);
  const first = await firstPassword(gateway);
  await logIn(page, "ops", first);
  await choose(page, first);
}

/** Waits for a page to come, and to come alive. */
async function arrive(page: Page, url: string): Promise<void> {
  await expect(page).toHaveURL(url);
  await page.waitForFunction(() => window.RadMonitor !== undefined);
  await expectLive(page);
}

/** Calls the API as a page of the console does. */
function api(page: Page, gateway: Gateway, method: string, path: string, data?: unknown) {
  return page.request.fetch(gateway.console + path, { method, data, headers: { origin: gateway.console } });
}

async function expectFine(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join()}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
}

test("the first login chooses a password and leads to the page that was asked for", async ({ page, launch }) => {
  const gateway = await launch(guarded());
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${gateway.console}/limits?range=1m`);
  await expect(page.getByLabel("Name")).toBeFocused();
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expectFine(page);
  }
  const first = await firstPassword(gateway);
  await logIn(page, "ops", first);
  await expect(page.getByRole("heading")).toHaveText("Change the password of ops");
  await expectFine(page);
  await choose(page, first);
  await arrive(page, `${gateway.console}/limits?range=1m`);
  await expectFine(page);
});

test("a login works where no script runs, and so does logging out", async ({ browser, launch }) => {
  const gateway = await launch(guarded());
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await enter(page, gateway, "/breakers");
  await expect(page).toHaveURL(`${gateway.console}/breakers`);
  await page.getByRole("button", { name: "Log out ops" }).click();
  await expect(page).toHaveURL(`${gateway.console}/login`);
  await context.close();
});

test.describe(() => {
  test.use({ expectedNoise: /the server responded with a status of 401/ });

  test("a page whose session ends elsewhere goes to the login, and comes back to where it was", async ({
    page,
    launch,
  }) => {
    const gateway = await launch(guarded());
    await enter(page, gateway, "/limits");
    await arrive(page, `${gateway.console}/limits`);
    const out = await api(page, gateway, "DELETE", "/api/session");
    expect(out.status()).toBe(204);
    await expect(page).toHaveURL(`${gateway.console}/login?to=%2Flimits`);
    await logIn(page, "ops", PASSWORD);
    await arrive(page, `${gateway.console}/limits`);
  });

  test("a wrong password is told in words and the name need not be written again", async ({ page, launch }) => {
    const gateway = await launch(guarded());
    await page.goto(gateway.console);
    await logIn(page, "ops", "not the password");
    await expect(page.getByRole("alert")).toHaveText("Wrong name or password.");
    await expect(page.getByLabel("Name")).toHaveValue("ops");
    await expect(page.getByLabel("Password")).toBeFocused();
  });
});

test("a viewer sees everything and is offered no switch that would be refused", async ({ page, launch }) => {
  const gateway = await launch(guarded());
  await enter(page, gateway);
  const made = await api(page, gateway, "POST", "/api/accounts", { name: "vera", role: "viewer" });
  const { password } = (await made.json()) as { password: string };
  await page.getByRole("button", { name: "Log out ops" }).click();
  await logIn(page, "vera", password);
  await choose(page, password);
  await arrive(page, `${gateway.console}/`);
  await openLive(page, `${gateway.console}/limits`);
  await expect(page.getByText("Nobody is blocked.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Block", exact: true })).toBeHidden();
  await openLive(page, `${gateway.console}/query`);
  await expect(page.getByTestId("query-send")).toBeVisible();
  const refused = await api(page, gateway, "POST", "/api/metrics/reset", {});
  expect(await refused.json()).toEqual({ detail: "vera is viewer, and this takes operator" });
});
