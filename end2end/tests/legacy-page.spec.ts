import type { Page } from "@playwright/test";

import { twoSides } from "../src/configuration";
import type { Configuration, Gateway } from "../src/gateway";
import type { LegacyPage } from "../src/legacy-page";
import { expect, test } from "../src/test";

interface Options {
  timeout?: number;
  retry?: boolean;
}

/** What the script gives a page. */
interface RadMonitor {
  fetch(input: string | Request, init?: RequestInit, options?: Options): Promise<Response>;
  status(): { mode: string; state: string; rollouts: Record<string, { state: string; side: string }> };
}

interface Calls {
  answered: number;
  bad_status: number;
  network_error: number;
  timeout: number;
}

interface Told {
  reports: number;
  legacy: Calls;
  candidate: Calls;
  fallbacks: number;
}

/** A console with a rollout, and a page of another origin that it names. */
async function begin(
  launch: (configuration: Configuration, consoleKeys?: string) => Promise<Gateway>,
  legacyPage: () => Promise<LegacyPage>,
  percent: number,
): Promise<{ gateway: Gateway; shop: LegacyPage }> {
  const shop = await legacyPage();
  const { legacy, candidate } = shop;
  const gateway = await launch(twoSides(legacy.url, candidate.url, percent), `origins = ["${shop.url}"]`);
  shop.include(gateway.console);
  return { gateway, shop };
}

/** Which side answers a call of the page, with which status; or the name of the error. */
function ask(page: Page, path = "/api/old/items", init: RequestInit = {}, options: Options = {}): Promise<string> {
  return page.evaluate(
    async ([path, init, options]) => {
      try {
        const rad = window.RadMonitor as unknown as RadMonitor;
        const answer = await rad.fetch(path, init, options);
        const text = await answer.text();
        return text === "" ? String(answer.status) : (JSON.parse(text) as { from: string }).from;
      } catch (error) {
        return (error as Error).name;
      }
    },
    [path, init, options] as const,
  );
}

async function askOften(page: Page, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    const side = await ask(page);
    seen[side] = (seen[side] ?? 0) + 1;
  }
  return seen;
}

function status(page: Page): Promise<ReturnType<RadMonitor["status"]>> {
  return page.evaluate(() => (window.RadMonitor as unknown as RadMonitor).status());
}

/** What the console has been told by browsers, once the page has gone away. */
async function told(page: Page, gateway: Gateway): Promise<Told> {
  await page.goto("about:blank");
  const tally = () => gateway.api<Told>("GET", "/api/rollouts/search/browsers");
  await expect.poll(async () => (await tally()).reports).toBeGreaterThan(0);
  return tally();
}

test("without a share all calls go to legacy, and with all of it to the candidate", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { gateway, shop } = await begin(launch, legacyPage, 0);
  await page.goto(shop.url);
  expect(await askOften(page, 5)).toEqual({ legacy: 5 });
  expect(await page.evaluate(() => localStorage.length)).toBe(0);

  await gateway.api("POST", "/api/rollouts/search", { percent: 100, reason: "a test" });
  await expect.poll(async () => (await status(page)).rollouts.search?.side).toBe("candidate");
  expect(await askOften(page, 5)).toEqual({ candidate: 5 });
  // What is none of the rollout's paths goes where it always went.
  expect(await ask(page, "/api/older")).toBe("legacy");
  expect([shop.legacy.received, shop.candidate.received]).toEqual([6, 5]);

  const tally = await told(page, gateway);
  expect(tally.legacy).toMatchObject({ answered: 5, bad_status: 0, network_error: 0, timeout: 0 });
  expect(tally.candidate).toMatchObject({ answered: 5, bad_status: 0, network_error: 0, timeout: 0 });
});

test("a browser stays on its side over reloads and while the share grows, as the gateway counts", async ({
  page,
  launch,
  legacyPage,
}) => {
  const { gateway, shop } = await begin(launch, legacyPage, 50);
  await page.goto(shop.url);
  const side = await ask(page);
  for (let reload = 0; reload < 3; reload++) {
    await page.reload();
    expect(await ask(page)).toBe(side);
  }
  // The buckets that the gateway's own tests have for these clients, with the seed 42.
  const known = { a: 1_952, b: 2_869, c: 9_393 };
  let share = 0;
  await page.route(`${gateway.console}/api/client/search*`, (route) => {
    const standing = { share_basis_points: share, seed: "000000000000002a", poll_after_ms: 60_000, report_every_ms: 60_000 };
    return route.fulfill({ json: standing, headers: { "access-control-allow-origin": "*" } });
  });
  for (const [client, bucket] of Object.entries(known)) {
    for (share of [bucket, bucket + 1]) {
      await page.evaluate((client) => localStorage.setItem("rad-monitor.client", client), client);
      await page.reload();
      expect(await ask(page)).toBe(share > bucket ? "candidate" : "legacy");
    }
  }
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

test.describe("when the candidate fails", () => {
  // Chromium writes every answer of 400 and more, and every connection that breaks, to its console.
  test.use({ expectedNoise: /Failed to load resource/ });

  test("the page gets legacy's answer, and the console is told why", async ({ page, launch, legacyPage }) => {
    const { gateway, shop } = await begin(launch, legacyPage, 100);
    await page.goto(shop.url);
    for (const [manner, options] of [
      ["fail", {}],
      ["reset", {}],
      ["answer", {}],
      ["stall", { timeout: 200 }],
    ] as const) {
      shop.candidate.manner = manner;
      expect(await ask(page, "/api/old/items?q=tea#x", {}, options)).toBe(manner === "answer" ? "candidate" : "legacy");
    }
    expect([shop.legacy.received, shop.candidate.received]).toEqual([3, 4]);
    const tally = await told(page, gateway);
    expect(tally.candidate).toMatchObject({ answered: 1, bad_status: 1, network_error: 1, timeout: 1 });
    expect(tally.legacy).toMatchObject({ answered: 3, bad_status: 0, network_error: 0, timeout: 0 });
    expect(tally.fallbacks).toBe(3);
  });

  test("what cannot be made again is not, unless the page says that it can", async ({ page, launch, legacyPage }) => {
    const { gateway, shop } = await begin(launch, legacyPage, 100);
    await page.goto(shop.url);
    const order = { method: "POST", body: "one" };
    shop.candidate.manner = "fail";
    expect(await ask(page, "/api/old/order", order)).toBe("500");
    shop.candidate.manner = "reset";
    expect(await ask(page, "/api/old/order", order)).toBe("TypeError");
    expect([shop.legacy.received, shop.candidate.received]).toEqual([0, 2]);

    shop.candidate.manner = "answer";
    expect(await ask(page, "/api/old/order", order)).toBe("candidate");
    shop.candidate.manner = "fail";
    expect(await ask(page, "/api/old/order", order, { retry: true })).toBe("legacy");
    expect(await ask(page, "/api/old/items", {}, { retry: false })).toBe("500");
    expect([shop.legacy.received, shop.candidate.received]).toEqual([1, 5]);
    expect((await told(page, gateway)).fallbacks).toBe(1);
  });

  test("a request with a body comes whole to the side that answers", async ({ page, launch, legacyPage }) => {
    const { shop } = await begin(launch, legacyPage, 100);
    await page.goto(shop.url);
    shop.candidate.manner = "fail";
    const sent = await page.evaluate(async () => {
      const request = new Request("/api/old/items", { method: "PUT", body: "a cup of tea", headers: { "x-a": "1" } });
      const answer = await (window.RadMonitor as unknown as RadMonitor).fetch(request);
      return [((await answer.json()) as { from: string }).from, request.bodyUsed];
    });
    expect(sent).toEqual(["legacy", true]);
    for (const side of [shop.candidate, shop.legacy]) {
      expect(side.last).toMatchObject({ method: "PUT", url: expect.stringMatching(/items$/), body: "a cup of tea" });
      expect(side.last?.headers["x-a"]).toBe("1");
    }
  });

  test("three failures in a row keep calls from it, and after 30 s one tries", async ({ page, launch, legacyPage }) => {
    const { shop } = await begin(launch, legacyPage, 100);
    await page.clock.install();
    await page.goto(shop.url);
    shop.candidate.manner = "fail";
    expect(await askOften(page, 6)).toEqual({ legacy: 6 });
    expect(shop.candidate.received).toBe(3);
    expect((await status(page)).rollouts.search?.side).toBe("legacy");

    // As long as the console is not heard the page trusts nothing: it has to hear of the rollout again, too.
    const later = async () => {
      await page.clock.fastForward(31_000);
      await expect.poll(async () => (await status(page)).rollouts.search?.state).toBe("connected");
    };
    await later();
    expect(await askOften(page, 3)).toEqual({ legacy: 3 });
    expect(shop.candidate.received).toBe(4);
    shop.candidate.manner = "answer";
    await later();
    expect(await ask(page, "/api/old/order", { method: "POST" })).toBe("legacy");
    expect(await askOften(page, 3)).toEqual({ candidate: 3 });
  });

  test("an error of legacy, and the caller's own wish to stop, come through as they are", async ({
    page,
    launch,
    legacyPage,
  }) => {
    const { gateway, shop } = await begin(launch, legacyPage, 100);
    await page.goto(shop.url);
    shop.candidate.manner = "fail";
    shop.legacy.manner = "reset";
    expect(await ask(page)).toBe("TypeError");

    /** Stops a call as soon as a side has it. */
    const stopped = async (side: "legacy" | "candidate") => {
      const before = shop[side].received;
      const ended = page.evaluate(async () => {
        const stop = ((window as unknown as { stop2: AbortController }).stop2 = new AbortController());
        const call = (window.RadMonitor as unknown as RadMonitor).fetch("/api/old/items", { signal: stop.signal });
        return call.then(() => "answered", (error: Error) => error.message);
      });
      await expect.poll(() => shop[side].received).toBe(before + 1);
      await page.evaluate(() => (window as unknown as { stop2: AbortController }).stop2.abort(new Error("enough")));
      return ended;
    };
    shop.legacy.manner = "stall";
    expect(await stopped("legacy")).toBe("enough");
    const asked = shop.legacy.received;
    shop.candidate.manner = "stall";
    expect(await stopped("candidate")).toBe("enough");
    expect(shop.legacy.received).toBe(asked);
    const tally = await told(page, gateway);
    // Two answered with 500; whoever leaves is nobody's failure.
    expect(tally.candidate).toMatchObject({ answered: 0, bad_status: 2, network_error: 0, timeout: 0 });
    expect(tally.legacy).toMatchObject({ answered: 0, network_error: 1 });
  });
});

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
  await page.goto(shop.url);
  const held = await page.waitForRequest((request) => request.url().includes("known=10000"));
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
  await page.goto(shop.url);
  expect(await ask(page)).toBe("candidate");
  // The console holds the page's question.
  await page.waitForRequest((request) => request.url().includes("known=10000"));
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
