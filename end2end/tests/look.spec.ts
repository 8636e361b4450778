import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { crowded, sample } from "../src/configuration";
import { drawn, expectMoved, openLive, pages } from "../src/dashboard";
import { CONNECTION_LOST, expect, test } from "../src/test";

/** What axe finds, in words that lead to the place. */
async function violations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, any, all, none }) => {
      const why = [...any, ...all, ...none].map((check) => check.message).join("; ");
      return `${new URL(page.url()).pathname} ${id}: ${target.join(" ")}: ${why}`;
    }),
  );
}

for (const theme of ["dark", "light"] as const) {
  test(`axe finds nothing on any page in the ${theme} theme`, async ({ page, launch }) => {
    const gateway = await launch(sample());
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await openLive(page, gateway.console);
    const found: string[] = [];
    for (const path of await pages(page)) {
      await openLive(page, gateway.console + path);
      found.push(...(await violations(page)));
    }
    expect(found).toEqual([]);
  });

  test.describe(() => {
    test.use({ expectedNoise: CONNECTION_LOST });

    test(`axe finds nothing while the connection is lost, in the ${theme} theme`, async ({ page, launch, wire }) => {
      const gateway = await launch(sample());
      const line = await wire(gateway.ports.console);
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await openLive(page, line.url);
      line.cut();
      await expect(page.getByTestId("banner")).toBeVisible();
      expect(await violations(page)).toEqual([]);
    });
  });
}

test("every page fits 360 px without scrolling sideways", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await page.setViewportSize({ width: 360, height: 800 });
  await openLive(page, gateway.console);
  for (const path of await pages(page)) {
    await openLive(page, gateway.console + path);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, `${path} is this wide`).toBeLessThanOrEqual(360);
  }
});

test("names of 64 characters and ten stages fit every window, and the tile tells of all rollouts", async ({
  page,
  launch,
}) => {
  const gateway = await launch(crowded);
  await openLive(page, gateway.console);
  await expect(page.getByTestId("tile-candidate")).toHaveText("10–50");
  for (const width of [360, 768, 1180, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    for (const path of await pages(page)) {
      await openLive(page, gateway.console + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, `${path} in a window of ${width}`).toBeLessThanOrEqual(width);
      // What leaves its card is not counted above where something else cuts it off.
      const outside = await page.locator(".card").evaluateAll((cards) =>
        cards.flatMap((card) =>
          [...card.querySelectorAll("td, .segments, .share, h2")]
            .filter((part) => part.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)
            .map((part) => part.textContent),
        ),
      );
      expect(outside, `${path} in a window of ${width}`).toEqual([]);
    }
  }
});

test("every page opens without an error or a warning in the browser's console", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  for (const path of await pages(page)) {
    const response = await page.goto(gateway.console + path);
    expect(response?.status(), path).toBe(200);
    await expect(page.getByRole("heading", { level: 1 }), path).toBeVisible();
  }
});

test("the theme and the range that were chosen are still there after a reload", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await page.emulateMedia({ colorScheme: "dark" });
  await openLive(page, gateway.console);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByTestId("theme").click();
  await expect.poll(ground).not.toBe(dark);
  const light = await ground();

  await page.getByTestId("range-1m").click();
  await expect(page).toHaveURL(/range=1m/);
  await page.reload();
  await expect(page.getByTestId("range-1m")).toHaveAttribute("aria-current", "true");
  expect(await ground()).toBe(light);
});

test("Pause holds the picture, counts what is new, and Resume shows it", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const pause = page.getByTestId("pause");
  await pause.click();
  const held = await drawn(page, "traffic");
  await expect(pause).toContainText(/\+[2-9] new/);
  expect(await drawn(page, "traffic")).toEqual(held);
  await pause.click();
  await expectMoved(page, "traffic", held.lastMs + 1_500, 1_000);
  expect((await drawn(page, "traffic")).pieces).toBe(1);
});

test("while paused no figure moves, but what acts on the world acts and shows it", async ({ page, launch }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const [pause, connection] = [page.getByTestId("pause"), page.getByTestId("connection")];
  const rollout = page.getByTestId("rollout-search");
  await expect(rollout.getByTestId("side-legacy")).toContainText(/[1-9]\d* (ms|s)/);
  await pause.click();
  await expect(connection).toHaveText("Paused");
  // What came in just before may be drawn in the next frame still.
  await page.evaluate(() => new Promise(requestAnimationFrame));
  const held = await page.locator("main").innerText();
  await expect(pause).toContainText(/\+[3-9] new/);
  expect(await page.locator("main").innerText()).toBe(held);

  await rollout.getByTestId("share-50").click();
  await expect(rollout.getByTestId("share-50")).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByTestId("tile-candidate")).toHaveText("50");
  // Both sides are counted since the change, and paused.
  await expect(rollout.getByTestId("side-candidate").locator("td").nth(1)).toHaveText("0");
  await rollout.getByTestId("rollback").click();
  await expect(rollout.getByTestId("share-0")).toHaveAttribute("aria-pressed", "true");
  await expect(connection).toHaveText("Paused");

  await pause.click();
  await expect(connection).toHaveText("Live");
  await expect(rollout.getByTestId("side-legacy").locator("td").nth(1)).not.toHaveText("0");
});
