import { ask, askOften, begin, type RadMonitor, status, told } from "../src/legacy-calls";
import { expect, test } from "../src/test";

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
    const later = { poll_after_ms: 60_000, report_every_ms: 60_000 };
    const standing = { share_basis_points: share, seed: "000000000000002a", ...later };
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
