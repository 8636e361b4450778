import { sample } from "../src/configuration";
import { breaker, open, openLive, watchStates } from "../src/dashboard";
import { expect, test } from "../src/test";
import type { Manner } from "../src/upstream";

test("a breaker that the Lab trips opens, probes and closes before one's eyes", async ({ page, context, launch }) => {
  const gateway = await launch(sample({ openFor: "2s", requestsPerSecond: 20 }));
  await openLive(page, gateway.console);
  await expect(breaker(page, "search")).toHaveAttribute("data-state", "closed");
  const seen = await watchStates(page, "search");

  const lab = await context.newPage();
  await open(lab, `${gateway.console}/lab`);
  await lab.getByTestId("lab-legacy-broken").click();
  await expect(breaker(page, "search")).toHaveAttribute("data-state", "open");
  await expect(page.getByTestId("tile-breakers")).toHaveText("1");
  await expect(page.getByTestId("events")).toContainText(/search.*opened/s);

  // Well again, but slow: it takes its probes two seconds to come back, so that one can watch.
  await lab.getByTestId("lab-legacy-slow").click();
  await expect(breaker(page, "search")).toHaveAttribute("data-state", "half-open");
  await expect(breaker(page, "search")).toContainText(/\d of 2 probes/);
  await expect(breaker(page, "search")).toHaveAttribute("data-state", "closed", { timeout: 15_000 });
  await expect(page.getByTestId("events")).toContainText(/search.*closed/s);

  // A probe may have failed before the upstream was well again, so that it opened more than once.
  expect((await seen()).join(" ")).toMatch(/^closed open( half-open open)* half-open closed$/);
});

const WAYS: { manner: Manner; words: string; status: number }[] = [
  { manner: "fail", words: "answers 500", status: 500 },
  { manner: "reset", words: "resets connections", status: 502 },
  { manner: "stall", words: "stalls", status: 504 },
];

for (const { manner, words, status } of WAYS) {
  test(`an upstream that ${words} is spared after five failures, and the page shows it`, async ({
    page,
    launch,
    upstream,
  }) => {
    const broken = await upstream("broken");
    broken.manner = manner;
    const gateway = await launch(`
[upstreams.search]
targets = ["${broken.url}"]
timeout = "200ms"
breaker = { consecutive_failures = 5, open_for = "60s", successes_to_close = 2, half_open_for = "30s" }
[[routes]]
path = "/search"
upstream = "search"
`);
    await openLive(page, gateway.console);
    for (let sent = 0; sent < 9; sent++) {
      const response = await fetch(`${gateway.traffic}/search`);
      const body = await response.text();
      expect(body, "addresses of upstreams are nobody's business").not.toContain("127.0.0.1");
      if (sent < 5) {
        expect(response.status).toBe(status);
      } else {
        expect(response.status).toBe(503);
        expect(JSON.parse(body)).toEqual({
          detail: "Service temporarily unavailable due to circuit breaker",
          status_code: 503,
        });
        expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      }
    }
    expect(broken.received).toBe(5);
    await expect(breaker(page, "search")).toHaveAttribute("data-state", "open");
  });
}
