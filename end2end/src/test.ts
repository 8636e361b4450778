import { test as base, expect } from "@playwright/test";

import { type Configuration, Gateway } from "./gateway";
import { LegacyPage } from "./legacy-page";
import { Upstream } from "./upstream";
import { Wire } from "./wire";

export { expect };

/** What Chromium itself writes to the console when a server is gone: true, and not the page's fault. */
export const CONNECTION_LOST = /^(WebSocket connection to .* failed|Failed to load resource: net::ERR_)/;

const NOTHING = /(?!)/;

interface Rooms {
  /** Starts the program; it is gone after the test. */
  launch: (configuration: Configuration, consoleKeys?: string, profile?: string) => Promise<Gateway>;
  /** Starts a server for the gateway to stand before; it is gone after the test. */
  upstream: (name: string) => Promise<Upstream>;
  /** Starts the site of a legacy page, with two backends of its own; it is gone after the test. */
  legacyPage: () => Promise<LegacyPage>;
  /** Lays a wire to a port that the test can cut; it is gone after the test. */
  wire: (port: number) => Promise<Wire>;
  /** Console messages that a test expects; any other error or warning fails it. */
  expectedNoise: RegExp;
}

export const test = base.extend<Rooms>({
  expectedNoise: [NOTHING, { option: true }],

  launch: async ({}, use, info) => {
    const gateways: Gateway[] = [];
    await use(async (configuration, consoleKeys, profile) => {
      const gateway = await Gateway.start(configuration, consoleKeys, profile);
      gateways.push(gateway);
      return gateway;
    });
    for (const [index, gateway] of gateways.entries()) {
      if (info.status !== info.expectedStatus) {
        await info.attach(`gateway-${index}.log`, { body: gateway.output, contentType: "text/plain" });
        const words = gateway.output.split("\n").filter((line) => !line.includes("query_execute_success"));
        console.log(`The gateway's last words:\n${words.slice(-20).join("\n")}`);
      }
      await gateway.dispose();
    }
  },

  upstream: async ({}, use) => {
    const upstreams: Upstream[] = [];
    await use(async (name) => {
      const upstream = await Upstream.start(name);
      upstreams.push(upstream);
      return upstream;
    });
    for (const upstream of upstreams) await upstream.stop();
  },

  legacyPage: async ({ upstream }, use) => {
    const pages: LegacyPage[] = [];
    await use(async () => {
      const page = await LegacyPage.start(await upstream("legacy"), await upstream("candidate"));
      pages.push(page);
      return page;
    });
    for (const page of pages) await page.stop();
  },

  wire: async ({}, use) => {
    const wires: Wire[] = [];
    await use(async (port) => {
      const wire = await Wire.to(port);
      wires.push(wire);
      return wire;
    });
    for (const wire of wires) await wire.stop();
  },

  // All pages of the test's browser, so that a second one is watched too. What they say is judged before the
  // programs are taken down (that is what `launch` is for here): afterwards they rightly find nobody.
  context: async ({ launch, context, expectedNoise }, use) => {
    void launch;
    const noise: string[] = [];
    context.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const text = message.text();
      if (!expectedNoise.test(text)) noise.push(`${message.type()}: ${text}`);
    });
    context.on("weberror", (error) => noise.push(`uncaught: ${error.error().message}`));
    await use(context);
    expect(noise, "errors and warnings in the browser's console").toEqual([]);
  },
});
