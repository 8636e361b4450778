import AxeBuilder from "@axe-core/playwright";

import { twoSides } from "../src/configuration";
import { openLive } from "../src/dashboard";
import type { Gateway } from "../src/gateway";
import { expect, test } from "../src/test";
import { send } from "../src/traffic";

/** What a client of OpenFeature would get. */
async function value(gateway: Gateway, key: string, context: object = {}): Promise<unknown> {
  const path = `/ofrep/v1/evaluate/flags/${key}`;
  return (await gateway.api<{ value: unknown }>("POST", path, { context })).value;
}

/** How many of 200 users find a flag on. */
async function found(gateway: Gateway, key: string): Promise<number> {
  const users = Array.from({ length: 200 }, (_, index) => value(gateway, key, { targetingKey: `user-${index}` }));
  return (await Promise.all(users)).filter((value) => value === true).length;
}

test("a flag is made, switched, shared and taken back on the page, and clients see each of it", async ({
  page,
  launch,
}) => {
  const gateway = await launch("");
  await openLive(page, `${gateway.console}/flags`);
  await page.getByLabel("Key of a new flag").fill("new-checkout");
  await page.getByTestId("create").click();
  const row = page.getByTestId("flag-new-checkout");
  await expect(row).toContainText("off");
  expect(await value(gateway, "new-checkout")).toBe(false);

  await page.getByLabel("Reason for the change").fill("it is ready");
  await row.getByTestId("toggle").click();
  await expect(page.locator("#flags").getByRole("status")).toContainText("new-checkout: everybody gets on.");
  expect(await value(gateway, "new-checkout")).toBe(true);
  await page.locator("#flags").getByTestId("undo").click();
  await expect(row.getByTestId("toggle")).toHaveText("Turn on");
  expect(await value(gateway, "new-checkout")).toBe(false);
  await row.getByTestId("toggle").click();
  await expect(row.getByTestId("toggle")).toHaveText("Turn off");

  await page.getByRole("link", { name: "new-checkout" }).click();
  await expect(page).toHaveURL(/\/flags\/new-checkout/);
  await expect(page.getByTestId("flag-says")).toHaveText("Everybody gets on.");
  await page.getByLabel("Share in percent").fill("25");
  await page.getByTestId("share").click();
  await expect(page.getByTestId("flag-says")).toHaveText("Everybody gets one of on 25 %, off 75 % by targetingKey.");
  // 50 of 200, and five standard deviations around that.
  const quarter = await found(gateway, "new-checkout");
  expect(quarter).toBeGreaterThan(19);
  expect(quarter).toBeLessThan(81);
  await page.locator("#flag").getByTestId("undo").click();
  await expect(page.getByTestId("flag-says")).toHaveText("Everybody gets on.");
  expect(await found(gateway, "new-checkout")).toBe(200);

  const history = page.locator("#flag-history tbody tr");
  await expect(history).toHaveCount(6);
  await expect(history.nth(4)).toContainText("it is ready");
  await history.last().getByTestId("revert").click();
  await expect(page.getByTestId("flag-says")).toHaveText("Everybody gets off, because it is off.");
  expect(await value(gateway, "new-checkout")).toBe(false);

  await page.getByTestId("archive").click();
  await expect(page.getByText("No flag has the key new-checkout.")).toBeVisible();
  await expect(row).toHaveCount(0);
});

test.describe(() => {
  // The browser notes every refusal; that is what this is about.
  test.use({ expectedNoise: /the server responded with a status of 4(00|09)/ });

  test("rules are written as JSON, what is wrong with them is said, and an answer can be tried out", async ({
    page,
    launch,
  }) => {
    const gateway = await launch("[flags.checkout]\non = true\n");
    await openLive(page, `${gateway.console}/flags/checkout`);
    const text = page.getByLabel("The flag, JSON");
    const flag = JSON.parse(await text.inputValue()) as Record<string, unknown>;
    const rule = { if: [{ attribute: "country", is: "equals", values: ["CH"] }], serve: "of" };
    await text.fill(JSON.stringify({ ...flag, default: "off", rules: [rule] }));
    await page.getByTestId("save").click();
    await expect(page.getByTestId("save-error")).toHaveText(
      'rules[0].serve: no variant is named "of"; known: off and on',
    );
    await text.fill(JSON.stringify({ ...flag, default: "off", rules: [{ ...rule, serve: "on" }] }));
    await page.getByTestId("save").click();
    await expect(page.locator("#flag")).toContainText("1. If country is CH: on");
    expect(await value(gateway, "checkout", { country: "CH" })).toBe(true);
    expect(await value(gateway, "checkout", { country: "FR" })).toBe(false);

    const trial = page.locator("#flag-trial");
    await trial.getByLabel("Context, JSON").fill('{"country": "FR"}');
    await trial.getByTestId("try").click();
    await expect(trial.getByRole("status")).toContainText(
      'Rule 1 does not match: it wants that country is CH; here country is "FR". So the answer is off (false): no rule matched.',
    );

    // Somebody else was faster.
    await text.fill(JSON.stringify({ ...flag, default: "on", rules: [] }));
    await gateway.api("POST", "/api/flags/checkout/toggle", { on: false });
    await expect(page.getByTestId("flag-says")).toHaveText("Everybody gets off, because it is off.");
    await page.getByTestId("save").click();
    await expect(page.getByTestId("save-error")).toContainText("checkout is of version 3 now");
    await page.getByTestId("discard").click();
    await expect(text).toHaveValue(/"on": false/);
  });
});

test("the program's own switch for its request log acts on the next request", async ({ page, launch, upstream }) => {
  const [legacy, candidate] = [await upstream("legacy"), await upstream("candidate")];
  const gateway = await launch(twoSides(legacy.url, candidate.url, 0));
  await openLive(page, `${gateway.console}/flags`);
  const toggle = page.getByTestId("flag-rad.request-log").getByTestId("toggle");
  const ask = (path: string) => send(`${gateway.traffic}/search/${path}`, { count: 20 });
  await ask("before");
  await toggle.click();
  await expect(toggle).toHaveText("Turn on");
  await ask("silent");
  await toggle.click();
  await expect(toggle).toHaveText("Turn off");
  await ask("after");
  await expect.poll(() => gateway.output.split("/search/after").length - 1).toBe(20);
  expect(gateway.output.split("/search/before").length - 1).toBe(20);
  expect(gateway.output).not.toContain("/search/silent");
});

test("a flag's page is whole without a script, fits 360 px, and axe finds nothing on it", async ({
  page,
  browser,
  launch,
}) => {
  const gateway = await launch("[flags.checkout]\npercent = 30\n");
  const still = await browser.newContext({ javaScriptEnabled: false });
  const first = await still.newPage();
  await first.goto(`${gateway.console}/flags/checkout`);
  await expect(first.getByTestId("flag-says")).toContainText("on 30 %, off 70 %");
  await expect(first.getByTestId("flag-rad.request-log")).toBeVisible();
  await still.close();

  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width: 360, height: 800 });
    await openLive(page, `${gateway.console}/flags/checkout`);
    await page.getByLabel("The flag, JSON").fill("{}");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`)).toEqual(
      [],
    );
  }
});
