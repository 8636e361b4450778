import { createHash } from "node:crypto";
import { brotliCompressSync, constants } from "node:zlib";

import type { Page } from "@playwright/test";

import { sample } from "../src/configuration";
import { expectLive, open, openLive, pages } from "../src/dashboard";
import { expect, test } from "../src/test";

/** What a page may load: WebAssembly, JavaScript and styles, as small as Brotli makes them. */
const MOST_BYTES = 251_000;

/** What the page loads from here on, by path. */
function loaded(page: Page): Map<string, Promise<Buffer>> {
  const files = new Map<string, Promise<Buffer>>();
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith("/pkg/")) files.set(pathname, response.body());
  });
  return files;
}

/** Most pages load the same files: each is compressed once. */
const known = new Map<string, number>();

function compressed(plain: Buffer): number {
  const name = createHash("sha256").update(plain).digest("hex");
  const bytes = known.get(name) ?? smallest(plain);
  known.set(name, bytes);
  return bytes;
}

function smallest(plain: Buffer): number {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 22,
    [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
  };
  return brotliCompressSync(plain, { params }).length;
}

test("every page loads less than 251 kB, and no code of other pages", async ({ browser, page, launch }) => {
  // Ten pages, each in a browser of its own that waits until nothing more is loaded.
  test.setTimeout(180_000);
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  for (const path of await pages(page)) {
    // A browser that has nothing yet.
    const context = await browser.newContext();
    const fresh = await context.newPage();
    const files = loaded(fresh);
    await openLive(fresh, gateway.console + path);
    await fresh.waitForLoadState("networkidle");
    const weights = await Promise.all([...files].map(async ([file, body]) => [file, compressed(await body)] as const));
    const sum = weights.reduce((sum, [, bytes]) => sum + bytes, 0);
    console.log(`${path} loads ${sum} bytes: ${weights.map(([file, bytes]) => `${file.slice(5)} ${bytes}`).join(", ")}`);
    expect(sum, `${path} loads ${JSON.stringify(weights)}`).toBeLessThanOrEqual(MOST_BYTES);
    const own = path.split("/")[1];
    const foreign = weights.filter(([file]) => file.includes("/split_") && !file.includes(`/split_${own}.`));
    expect(foreign, `code of other pages at ${path}`).toEqual([]);
    await context.close();
  }
});

test("the code of a page is asked for with the page, not only once the program runs", async ({ launch, page }) => {
  const gateway = await launch(sample());
  await page.goto(gateway.console + "/lab");
  const early = await page.locator("head link[rel=preload]").evaluateAll((links) =>
    links.map((link) => new URL((link as HTMLLinkElement).href).pathname),
  );
  expect(early).toContain("/pkg/split_lab.wasm");
  // And once: what was asked for early is what the program takes.
  const files: string[] = [];
  page.on("request", (request) => files.push(new URL(request.url()).pathname));
  await openLive(page, gateway.console + "/lab");
  expect(files.filter((file) => file === "/pkg/split_lab.wasm")).toHaveLength(1);
});

test("a link brings the code of its page without loading the window again", async ({ launch, page }) => {
  const gateway = await launch(sample());
  await openLive(page, gateway.console);
  const files = loaded(page);
  await page.evaluate(() => (window.mark = "same"));
  await page.getByRole("link", { name: "Lab" }).click();
  await expect(page.getByTestId("lab-candidate-broken")).toBeVisible();
  expect([...files.keys()]).toContain("/pkg/split_lab.wasm");
  await page.getByRole("link", { name: "Breakers" }).click();
  await expect(page.getByTestId("breaker-reset")).toBeVisible();
  const before = files.size;
  await page.getByRole("link", { name: "Lab" }).click();
  await expect(page.getByTestId("lab-candidate-broken")).toBeVisible();
  expect(files.size, "what came once stays").toBe(before);
  expect(await page.evaluate(() => window.mark)).toBe("same");
});

test.describe("when the code of a page does not come", () => {
  test.use({
    expectedNoise: /status of 503|HTTP status code is not ok|LinkError|wasm-split:|preload|WebAssembly|failed to fetch Wasm/,
  });

  test("the page says so, others still work, and coming back tries again", async ({ launch, page }) => {
    const gateway = await launch(sample());
    await openLive(page, gateway.console);
    await page.evaluate(() => (window.mark = "same"));
    await page.route("**/pkg/split_lab.wasm", (route) => route.fulfill({ status: 503 }));
    await page.getByRole("link", { name: "Lab" }).click();
    await expect(page.locator("#not-loaded")).toBeVisible();
    await page.getByRole("link", { name: "Overview" }).click();
    await expect(page.getByTestId("chart-traffic")).toBeVisible();
    await page.unroute("**/pkg/split_lab.wasm");
    await page.getByRole("link", { name: "Lab" }).click();
    await expect(page.getByTestId("lab-candidate-broken")).toBeVisible();
    expect(await page.evaluate(() => window.mark)).toBe("same");
  });

  test("code of another build is refused, until that of the running one comes", async ({ launch, page }) => {
    const gateway = await launch(sample());
    await openLive(page, gateway.console);
    // As after an update of the server: of the same form, but linked for another program.
    await page.route("**/pkg/split_lab.wasm", async (route) => {
      const response = await route.fetch();
      const body = Buffer.from(await response.body());
      const at = body.indexOf("__canary_");
      expect(at, "the file names its build").toBeGreaterThan(0);
      body[at + 9] = body[at + 9] === 0x30 ? 0x31 : 0x30;
      const { "content-encoding": _, "content-length": __, ...headers } = response.headers();
      await route.fulfill({ status: 200, headers, body });
    });
    await page.getByRole("link", { name: "Lab" }).click();
    const absent = page.locator("#not-loaded");
    await expect(absent.getByRole("link", { name: "Load the page again" })).toHaveAttribute("href", "/lab");
    await page.unroute("**/pkg/split_lab.wasm");
    // Nobody has to press it.
    await expect(page.getByTestId("lab-candidate-broken")).toBeVisible({ timeout: 30_000 });
    await open(page, page.url());
  });

  test("a first page whose code does not come says so, and comes alive once it does", async ({ launch, page }) => {
    const gateway = await launch(sample());
    await page.route("**/pkg/split_lab.wasm", (route) => route.fulfill({ status: 503 }));
    await page.goto(`${gateway.console}/lab`);
    const notice = page.locator("#not-alive");
    await expect(notice).toContainText("This page does not move");
    await expect(notice.getByRole("link", { name: "Load it again" })).toBeVisible();
    await page.unroute("**/pkg/split_lab.wasm");
    await expectLiveSoon(page);
    await expect(notice).toHaveCount(0);
    await page.getByTestId("lab-legacy-broken").click();
    await expect(page.getByTestId("breaker-search")).toHaveAttribute("data-state", "open");
  });

  test("a page whose program does not come says so", async ({ launch, page }) => {
    const gateway = await launch(sample());
    await page.route("**/pkg/rad-monitor.wasm", (route) => route.fulfill({ status: 503 }));
    await page.goto(gateway.console);
    await expect(page.locator("#not-alive")).toContainText("This page does not move");
    await page.unroute("**/pkg/rad-monitor.wasm");
    await page.getByRole("link", { name: "Load it again" }).click();
    await expectLiveSoon(page);
    await expect(page.locator("#not-alive")).toHaveCount(0);
  });
});

/** Waits until the page has come to life, and its live connection stands. */
async function expectLiveSoon(page: Page): Promise<void> {
  await page.waitForFunction(() => window.RadMonitor !== undefined, undefined, { timeout: 20_000 });
  await expectLive(page);
}
