import { test as base, expect } from "@playwright/test";

import { type Configuration, Gateway } from "./gateway";
import { Upstream } from "./upstream";
import { Wire } from "./wire";

export { expect };

/** What Chromium itself writes to the console when a server is gone: true, and not the page's fault. */
export const CONNECTION_LOST = [/^WebSocket connection to .* failed/, /^Failed to load resource: net::ERR_/];

interface Rooms {
  /** Starts the program; it is gone after the test. */
  launch: (configuration: Configuration) => Promise<Gateway>;
  /** Starts a server for the gateway to stand before; it is gone after the test. */
  upstream: (name: string) => Promise<Upstream>;
  /** Lays a wire to a port that the test can cut; it is gone after the test. */
  wire: (port: number) => Promise<Wire>;
  /** Console messages that a test expects; any other error or warning fails it. */
  expectedNoise: RegExp[];
}

export const test = base.extend<Rooms>({
  expectedNoise: [[], { option: true }],

  launch: async ({}, use, info) => {
    const gateways: Gateway[] = [];
    await use(async (configuration) => {
      const gateway = await Gateway.start(configuration);
      gateways.push(gateway);
      return gateway;
    });
    for (const [index, gateway] of gateways.entries()) {
      if (info.status !== info.expectedStatus) {
        await info.attach(`gateway-${index}.log`, { body: gateway.output, contentType: "text/plain" });
        console.log(`The gateway's last words:\n${gateway.output.split("\n").slice(-40).join("\n")}`);
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

  wire: async ({}, use) => {
    const wires: Wire[] = [];
    await use(async (port) => {
      const wire = await Wire.to(port);
      wires.push(wire);
      return wire;
    });
    for (const wire of wires) await wire.stop();
  },

  page: async ({ page, expectedNoise }, use) => {
    const noise: string[] = [];
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const text = message.text();
      if (!expectedNoise.some((pattern) => pattern.test(text))) noise.push(`${message.type()}: ${text}`);
    });
    page.on("pageerror", (error) => noise.push(`uncaught: ${error.message}`));
    await use(page);
    expect(noise, "errors and warnings in the browser's console").toEqual([]);
  },
});
