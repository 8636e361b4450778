import { expect, type Locator, type Page } from "@playwright/test";

/** What `window.RadMonitor.status()` answers. */
export interface Status {
  mode: "live" | "legacy";
  state: "connecting" | "connected" | "reconnecting" | "offline" | "polling";
  attempt: number;
  retry_in_ms: number | null;
  epoch: string | null;
  seq: number | null;
}

declare global {
  interface Window {
    RadMonitor?: { status(): Status; enable(): void; disable(): void };
    /** Set by a test, to see that the page was not loaded again. */
    mark?: string;
  }
}

export type ChartName = "traffic" | "success" | "latency" | "limits";

export const CHARTS: ChartName[] = ["traffic", "success", "latency", "limits"];

/** How the page stands, in its own words. */
export function status(page: Page): Promise<Status> {
  return page.evaluate(() => {
    if (!window.RadMonitor) throw new Error("there is no window.RadMonitor");
    return window.RadMonitor.status();
  });
}

/** Opens a page of the console and waits until it is hydrated. */
export async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForFunction(() => window.RadMonitor !== undefined, undefined, { timeout: 20_000 });
}

/** Opens a page of the console and waits until its live connection stands. */
export async function openLive(page: Page, url: string): Promise<void> {
  await open(page, url);
  await expectLive(page);
}

export async function expectLive(page: Page): Promise<void> {
  await expect.poll(async () => (await status(page)).state, { timeout: 15_000 }).toBe("connected");
}

/** What a chart shows. */
export interface Drawn {
  /** One a second. */
  count: number;
  /** When the last one was. */
  lastMs: number;
  /** Pieces that the longest line is made of: each further one is a gap. */
  pieces: number;
}

export function drawn(page: Page, chart: ChartName): Promise<Drawn> {
  return page.getByTestId(`chart-${chart}`).evaluate((svg) => {
    const lines = [...svg.querySelectorAll("path.line")].map((path) => path.getAttribute("d") ?? "");
    const longest = lines.reduce((long, line) => (line.length > long.length ? line : long), "");
    return {
      count: Number(svg.getAttribute("data-points")),
      lastMs: Number(svg.getAttribute("data-last-ms")),
      pieces: longest.split("M").length - 1,
    };
  });
}

/** Waits until a chart has moved on from `lastMs`. */
export async function expectMoved(page: Page, chart: ChartName, lastMs: number, timeout = 10_000) {
  await expect.poll(async () => (await drawn(page, chart)).lastMs, { timeout }).toBeGreaterThan(lastMs);
}

/** The row of a breaker; its attribute `data-state` is the state. */
export function breaker(page: Page, name: string): Locator {
  return page.getByTestId(`breaker-${name}`);
}

/** Notes every state that a breaker's row shows from now on, however short; the current one first. */
export async function watchStates(page: Page, name: string): Promise<() => Promise<string[]>> {
  const row = await breaker(page, name).elementHandle();
  const states = await page.evaluateHandle((element) => {
    if (!element) throw new Error("the breaker has no row");
    const seen: string[] = [];
    const note = () => {
      const state = element.getAttribute("data-state") ?? "";
      if (seen.at(-1) !== state) seen.push(state);
    };
    note();
    new MutationObserver(note).observe(element, { attributes: true, attributeFilter: ["data-state"] });
    return seen;
  }, row);
  return () => states.jsonValue();
}

/** The addresses of all pages that the console's navigation leads to. */
export async function pages(page: Page): Promise<string[]> {
  const links = page.getByRole("navigation").getByRole("link");
  const paths = await links.evaluateAll((all) =>
    all.map((link) => new URL((link as HTMLAnchorElement).href)).map((url) => url.pathname),
  );
  return [...new Set(["/", ...paths])];
}
