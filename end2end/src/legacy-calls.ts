import { expect, type Page } from "@playwright/test";

import { twoSides } from "./configuration";
import type { Configuration, Gateway } from "./gateway";
import type { LegacyPage } from "./legacy-page";

export interface Options {
  timeout?: number;
  retry?: boolean;
}

/** What the script gives a page. */
export interface RadMonitor {
  fetch(input: string | Request, init?: RequestInit, options?: Options): Promise<Response>;
  status(): { mode: string; state: string; rollouts: Record<string, { state: string; side: string }> };
}

export interface Calls {
  answered: number;
  bad_status: number;
  network_error: number;
  timeout: number;
}

export interface Told {
  reports: number;
  legacy: Calls;
  candidate: Calls;
  fallbacks: number;
}

/** A console with a rollout, and a page of another origin that it names. */
export async function begin(
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
export function ask(
  page: Page,
  path = "/api/old/items",
  init: RequestInit = {},
  options: Options = {},
): Promise<string> {
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

export async function askOften(page: Page, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    const side = await ask(page);
    seen[side] = (seen[side] ?? 0) + 1;
  }
  return seen;
}

export function status(page: Page): Promise<ReturnType<RadMonitor["status"]>> {
  return page.evaluate(() => (window.RadMonitor as unknown as RadMonitor).status());
}

/** What the console has been told by browsers, once the page has gone away. */
export async function told(page: Page, gateway: Gateway): Promise<Told> {
  await page.goto("about:blank");
  const tally = () => gateway.api<Told>("GET", "/api/rollouts/search/browsers");
  await expect.poll(async () => (await tally()).reports).toBeGreaterThan(0);
  return tally();
}
