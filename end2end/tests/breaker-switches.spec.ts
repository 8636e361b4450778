import type { Locator, Page } from "@playwright/test";

import { breaker, openLive } from "../src/dashboard";
import { CONNECTION_LOST, expect, test } from "../src/test";
import { send, statuses } from "../src/traffic";
import type { Upstream } from "../src/upstream";

/** Two targets of one upstream, each with a breaker that stays open; the second one's name has a space. */
function targets(...all: Upstream[]): string {
  return `
[upstreams.search]
targets = [${all.map(({ url }) => `"${url}"`).join(", ")}]
timeout = "5s"
breaker = { consecutive_failures = 5, open_for = "60s", successes_to_close = 2, half_open_for = "30s" }
[[routes]]
path = "/search"
upstream = "search"
limits = []
`;
}

function card(page: Page): Locator {
  return page.locator("#breaker");
}

/** What ten requests are answered with. */
async function ten(traffic: string): Promise<Record<number, number>> {
  return statuses(await send(`${traffic}/search`, { count: 10, together: 1 }));
}

test("a breaker that is forced open spares its upstream, and Undo lets requests through again", async ({
  page,
  launch,
  upstream,
}) => {
  const well = await upstream("well");
  const gateway = await launch(targets(well));
  await openLive(page, `${gateway.console}/breakers`);
  await expect(page.getByTestId("mode-automatic")).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByTestId("says")).toContainText("0 failures in a row (opens at 5)");

  await page.getByLabel("Reason for the change").fill("maintenance");
  await page.getByTestId("mode-forced_open").click();
  await expect(page.getByTestId("mode-forced_open")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 503: 10 });
  expect(well.received).toBe(0);
  await expect(breaker(page, "search")).toContainText("forced open");
  await expect(page.getByTestId("says")).toContainText("Forced open");
  await expect(page.getByTestId("counts")).toContainText("rejected 10");

  await page.getByTestId("undo").click();
  await expect(page.getByTestId("mode-automatic")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 200: 10 });
  expect(well.received).toBe(10);

  await openLive(page, gateway.console);
  await expect(page.getByTestId("events")).toContainText("By console: “maintenance”");
});

test("a disabled breaker lets a failing upstream be asked, and what it has counted opens it in automatic mode", async ({
  page,
  launch,
  upstream,
}) => {
  const broken = await upstream("broken");
  broken.manner = "fail";
  const gateway = await launch(targets(broken));
  await openLive(page, `${gateway.console}/breakers`);

  await page.getByTestId("mode-disabled").click();
  await expect(page.getByTestId("mode-disabled")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 500: 10 });
  await expect(breaker(page, "search")).toContainText("disabled");

  await page.getByTestId("mode-automatic").click();
  await expect(page.getByTestId("mode-automatic")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 500: 1, 503: 9 });
  expect(broken.received).toBe(11);
  await expect(page.getByTestId("says")).toContainText("11 failures in a row (limit 5)");
});

test("with metrics only a breaker trips and rejects nothing; a reset closes it", async ({ page, launch, upstream }) => {
  const broken = await upstream("broken");
  broken.manner = "fail";
  const gateway = await launch(targets(broken));
  await openLive(page, `${gateway.console}/breakers`);

  await page.getByTestId("mode-metrics_only").click();
  await expect(page.getByTestId("mode-metrics_only")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 500: 10 });
  await expect(breaker(page, "search")).toContainText("open, metrics only");

  await page.getByTestId("mode-automatic").click();
  await expect(page.getByTestId("mode-automatic")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 503: 10 });

  broken.manner = "answer";
  await page.getByTestId("breaker-reset").click();
  await expect(card(page)).toContainText("what it counted is forgotten");
  expect(await ten(gateway.traffic)).toEqual({ 200: 10 });
  await expect(breaker(page, "search")).toHaveAttribute("data-state", "closed");
});

test.describe(() => {
  // Chromium writes every answer of 400 and more to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("Undo does nothing once somebody else has decided otherwise, and says how it is now", async ({
    page,
    context,
    launch,
    upstream,
  }) => {
    const well = await upstream("well");
    const gateway = await launch(targets(well));
    await openLive(page, `${gateway.console}/breakers`);
    await page.getByTestId("mode-forced_open").click();
    await expect(page.getByTestId("mode-forced_open")).toHaveAttribute("aria-pressed", "true");

    const other = await context.newPage();
    await openLive(other, `${gateway.console}/breakers`);
    await other.getByTestId("mode-disabled").click();
    await expect(other.getByTestId("mode-disabled")).toHaveAttribute("aria-pressed", "true");

    await page.getByTestId("undo").click();
    await expect(page.getByTestId("breaker-error")).toContainText("search is disabled now: somebody else");
    await expect(page.getByTestId("undo")).toBeHidden();
    await expect(page.getByTestId("mode-disabled")).toHaveAttribute("aria-pressed", "true");
    well.manner = "fail";
    expect(await ten(gateway.traffic), "still disabled: nothing opens it").toEqual({ 500: 10 });
  });
});

test("the worst breaker is shown in full, marked in the list, and stays when others get worse", async ({
  page,
  launch,
  upstream,
}) => {
  const [one, other] = [await upstream("one"), await upstream("other")];
  const gateway = await launch(targets(one, other));
  other.manner = "fail";
  await send(`${gateway.traffic}/search`, { count: 20, together: 1 });
  await expect
    .poll(async () => {
      await openLive(page, `${gateway.console}/breakers`);
      return card(page).getByRole("heading").textContent();
    })
    .toBe("search 2");
  const link = (name: string) => breaker(page, name).getByRole("link");
  await expect(link("search 2")).toHaveAttribute("aria-current", "true");
  await expect(link("search 1")).toHaveAttribute("aria-current", "false");
  await gateway.api("POST", "/api/breakers/search%202/reset", {});
  await gateway.api("POST", "/api/breakers/search%201/mode", { mode: "forced_open" });
  await expect(breaker(page, "search 1")).toContainText("forced open");
  await expect(card(page).getByRole("heading")).toHaveText("search 2");
});

test("on a small screen the breaker that is picked comes into view", async ({ page, launch, upstream }) => {
  const all = await Promise.all(["1", "2", "3", "4", "5", "6"].map((name) => upstream(name)));
  const gateway = await launch(targets(...all));
  await page.setViewportSize({ width: 360, height: 640 });
  await openLive(page, `${gateway.console}/breakers`);
  await expect(card(page)).not.toBeInViewport();
  await page.getByRole("link", { name: "search 2" }).click();
  await expect(card(page).getByRole("heading")).toHaveText("search 2");
  await expect(card(page).getByRole("heading")).toBeInViewport();
  // The overview leads there, too.
  await openLive(page, gateway.console);
  await page.getByRole("link", { name: "search 3" }).click();
  await expect(card(page).getByRole("heading")).toHaveText("search 3");
  await expect(card(page).getByRole("heading")).toBeInViewport();
});

test("each breaker has an address, and its switches turn no other's", async ({ page, launch, upstream }) => {
  const [one, other] = [await upstream("one"), await upstream("other")];
  const gateway = await launch(targets(one, other));
  await openLive(page, gateway.console);
  await page.getByRole("link", { name: "search 2" }).click();
  await expect(page).toHaveURL(/\/breakers\/search%202$/);
  await expect(card(page).getByRole("heading")).toHaveText("search 2");

  await page.getByTestId("mode-forced_open").click();
  await expect(page.getByTestId("mode-forced_open")).toHaveAttribute("aria-pressed", "true");
  expect(await ten(gateway.traffic)).toEqual({ 200: 10 });
  expect([one.received, other.received]).toEqual([10, 0]);

  await openLive(page, `${gateway.console}/breakers/search%202`);
  await expect(page.getByTestId("mode-forced_open")).toHaveAttribute("aria-pressed", "true");
  await page.getByRole("link", { name: "search 1" }).click();
  await expect(card(page).getByRole("heading")).toHaveText("search 1");
  await expect(page.getByTestId("mode-automatic")).toHaveAttribute("aria-pressed", "true");

  await openLive(page, `${gateway.console}/breakers/none`);
  await expect(page.locator("main")).toContainText("no breaker that is named none");
});

test.describe(() => {
  test.use({ expectedNoise: CONNECTION_LOST });

  test("the switches of a breaker work while the live connection is lost", async ({ page, launch, upstream, wire }) => {
    const well = await upstream("well");
    const gateway = await launch(targets(well));
    const line = await wire(gateway.ports.console);
    await openLive(page, `${line.url}/breakers`);
    line.cutLive();
    await expect(page.getByTestId("banner")).toBeVisible();

    await page.getByTestId("mode-forced_open").click();
    await expect(page.getByTestId("mode-forced_open")).toHaveAttribute("aria-pressed", "true");
    expect(await ten(gateway.traffic)).toEqual({ 503: 10 });
    expect(well.received).toBe(0);
  });
});
