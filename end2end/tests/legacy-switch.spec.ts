import { twoSides } from "../src/configuration";
import { ask, askOften, begin, type RadMonitor, status, type Told } from "../src/legacy-calls";
import { expect, test } from "../src/test";

test("the kill switch takes back a call that waits for the candidate, and holds after a reload", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { gateway, shop } = await begin(launch, legacyPage, 100);
  await page.goto(shop.url);
  expect(await ask(page)).toBe("candidate");
  shop.candidate.manner = "stall";
  const held = ask(page);
  const order = ask(page, "/api/old/order", { method: "POST" });
  await expect.poll(() => shop.candidate.received).toBe(3);
  await page.evaluate(() => window.RadMonitor?.disable());
  expect(await held).toBe("legacy");
  // What cannot be made again is left to come to its end.
  expect(shop.legacy.received).toBe(1);
  shop.candidate.release();
  expect(await order).toBe("200");

  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  shop.candidate.manner = "answer";
  await page.reload();
  expect(await status(page)).toMatchObject({ mode: "legacy", state: "disabled" });
  expect(await askOften(page, 5)).toEqual({ legacy: 5 });
  expect(shop.candidate.received).toBe(3);
  expect(asked.filter((url) => url.startsWith(`${gateway.console}/api/`))).toEqual([]);
  const cookies = await page.context().cookies();
  expect(cookies.map(({ name, value }) => `${name}=${value}`)).toEqual(["rad_mode=legacy"]);

  await page.evaluate(() => window.RadMonitor?.enable());
  await expect.poll(async () => (await status(page)).rollouts.search?.side).toBe("candidate");
  expect(await status(page)).toMatchObject({ mode: "live", state: "connected" });
  expect(await ask(page)).toBe("candidate");
  expect(await page.context().cookies()).toEqual([]);
});

test("the kill switch holds in every tab of the browser", async ({ page, launch, legacyPage }) => {
  const { shop } = await begin(launch, legacyPage, 100);
  await page.goto(shop.url);
  const other = await page.context().newPage();
  await other.goto(shop.url);
  expect([await ask(page), await ask(other)]).toEqual(["candidate", "candidate"]);
  await other.evaluate(() => window.RadMonitor?.disable());
  await expect.poll(async () => (await status(page)).mode).toBe("legacy");
  expect(await ask(page)).toBe("legacy");
  await page.evaluate(() => window.RadMonitor?.enable());
  await expect.poll(async () => (await status(other)).mode).toBe("live");
});

test("a page without storage has the same switch, which a cookie remembers", async ({ page, launch, legacyPage }) => {
  const { shop } = await begin(launch, legacyPage, 100);
  await page.addInitScript(() =>
    Object.defineProperty(window, "localStorage", {
      get: () => {
        throw new DOMException("no storage", "SecurityError");
      },
    }),
  );
  await page.goto(shop.url);
  expect(await ask(page)).toBe("candidate");
  await page.evaluate(() => window.RadMonitor?.disable());
  expect(await ask(page)).toBe("legacy");
  await page.reload();
  expect(await ask(page)).toBe("legacy");
  await page.evaluate(() => window.RadMonitor?.enable());
  expect(await ask(page)).toBe("candidate");
});

test("a page that has the dashboard's switch already keeps it, and each throws both", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { shop } = await begin(launch, legacyPage, 100);
  await page.addInitScript(() => {
    let mode = "live" as "live" | "legacy";
    const status = () => ({ mode, state: "connected" as const, attempt: 0, retry_in_ms: null, epoch: "e", seq: 7 });
    window.RadMonitor = { status, disable: () => (mode = "legacy"), enable: () => (mode = "live") };
  });
  await page.goto(shop.url);
  expect(await ask(page)).toBe("candidate");
  expect(await status(page)).toMatchObject({ mode: "live", state: "connected", epoch: "e", seq: 7 });
  await page.evaluate(() => window.RadMonitor?.disable());
  expect(await status(page)).toMatchObject({ mode: "legacy", epoch: "e" });
  expect(await ask(page)).toBe("legacy");
});

test("a copy of the script on the page's own site finds the console that it is told", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { gateway, shop } = await begin(launch, legacyPage, 100);
  await page.route(`${shop.url}/copy.js`, async (route) => {
    const script = await fetch(`${gateway.console}/client.js`);
    return route.fulfill({ contentType: "text/javascript", body: await script.text() });
  });
  shop.script =
    `<script async src="/copy.js" data-console="${gateway.console}/" data-rollout="search" ` +
    `data-legacy="/api/old/items" data-candidate="/api/new/things"></script>`;
  await page.goto(shop.url);
  await page.waitForFunction(() => window.RadMonitor !== undefined);
  expect(await ask(page, "/api/old/items?q=tea")).toBe("candidate");
  expect(shop.candidate.last?.url).toBe("/api/new/things?q=tea");
});

test("a page that nobody looks at asks only when it has to call", async ({ page, launch, legacyPage }) => {
  const { gateway, shop } = await begin(launch, legacyPage, 100);
  const asked: string[] = [];
  page.on("request", (request) => request.url().includes("/api/client/") && asked.push(new URL(request.url()).search));
  await page.clock.install();
  const question = page.waitForRequest((request) => request.url().includes("known=10000"));
  await page.goto(shop.url);
  const held = await question;
  const given = page.waitForEvent("requestfailed", (request) => request === held);
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await given;
  asked.length = 0;
  await page.clock.fastForward(60_000);
  expect(asked).toEqual([]);
  expect((await status(page)).rollouts.search?.side).toBe("legacy");
  expect(await askOften(page, 3)).toEqual({ candidate: 3 });
  expect(asked).toEqual([""]);
  await gateway.api("POST", "/api/rollouts/search/rollback");
  await page.clock.fastForward(5_000);
  expect(await ask(page)).toBe("legacy");
});

test("a rollback reaches an open page within a second, and no later call goes to the candidate", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { gateway, shop } = await begin(launch, legacyPage, 100);
  const held = page.waitForRequest((request) => request.url().includes("known=10000"));
  await page.goto(shop.url);
  expect(await ask(page)).toBe("candidate");
  // The console holds the page's question.
  await held;
  const before = Date.now();
  await gateway.api("POST", "/api/rollouts/search/rollback");
  await page.waitForFunction(
    () => (window.RadMonitor as unknown as RadMonitor).status().rollouts.search?.side === "legacy",
    undefined,
    { polling: 10 },
  );
  expect(Date.now() - before).toBeLessThan(1_000);
  const reached = shop.candidate.received;
  expect(await askOften(page, 20)).toEqual({ legacy: 20 });
  expect(shop.candidate.received).toBe(reached);
});

test.describe("when the console is gone", () => {
  test.use({ expectedNoise: /Failed to load resource: net::ERR_/ });

  test("an open page trusts what it knew for five seconds more, and then goes to legacy", async ({
    page,
    launch,
    legacyPage,
  }) => {
    const { gateway, shop } = await begin(launch, legacyPage, 100);
    await page.goto(shop.url);
    expect(await ask(page)).toBe("candidate");
    await gateway.kill();
    await expect.poll(async () => (await status(page)).rollouts.search?.side, { timeout: 8_000 }).toBe("legacy");
    const before = Date.now();
    expect(await askOften(page, 10)).toEqual({ legacy: 10 });
    // And nobody waits for a console that is known to be away.
    expect(Date.now() - before).toBeLessThan(2_000);
    await gateway.start();
    await expect.poll(async () => (await status(page)).rollouts.search?.side, { timeout: 20_000 }).toBe("candidate");
    expect(await ask(page)).toBe("candidate");
  });

  test("a page that finds only the script goes to legacy", async ({ page, launch, legacyPage }) => {
    const { gateway, shop } = await begin(launch, legacyPage, 100);
    await page.route(`${gateway.console}/api/**`, (route) => route.abort());
    await page.goto(shop.url);
    expect(await askOften(page, 3)).toEqual({ legacy: 3 });
    expect(shop.candidate.received).toBe(0);
  });
});

test.describe("a page of an origin that is not named", () => {
  test.use({ expectedNoise: /blocked by CORS policy|Failed to load resource: net::ERR_FAILED/ });

  test("stays with legacy", async ({ page, launch, legacyPage }) => {
    const shop = await legacyPage();
    const configuration = twoSides(shop.legacy.url, shop.candidate.url, 100);
    const gateway = await launch(configuration, 'origins = ["https://other.example"]');
    shop.include(gateway.console);
    await page.goto(shop.url);
    expect(await askOften(page, 3)).toEqual({ legacy: 3 });
    await page.goto("about:blank");
    expect((await gateway.api<Told>("GET", "/api/rollouts/search/browsers")).reports).toBe(0);
  });
});
