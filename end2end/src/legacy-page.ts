import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { Upstream } from "./upstream";

/**
 * A site outside the console, which knows nothing of it but one script: a page, and behind `/api/old` and `/api/new`
 * the two backends that it calls.
 */
export class LegacyPage {
  /** Where the script comes from, and what it is told. */
  script = "";

  private constructor(
    private readonly server: Server,
    readonly legacy: Upstream,
    readonly candidate: Upstream,
  ) {
    server.on("request", (incoming, response) => this.take(incoming, response));
  }

  static async start(legacy: Upstream, candidate: Upstream): Promise<LegacyPage> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new LegacyPage(server, legacy, candidate);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Takes the script from a console; `attributes` tell it more than its rollout and its paths. */
  include(console: string, attributes = ""): void {
    this.script =
      `<script src="${console}/client.js" data-rollout="search" data-legacy="/api/old" ` +
      `data-candidate="/api/new" ${attributes}></script>`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private take(incoming: IncomingMessage, response: ServerResponse): void {
    // A browser asks again by itself on a connection that it has used before; here each is new.
    response.setHeader("connection", "close");
    const path = incoming.url ?? "/";
    if (path.startsWith("/api/old")) return this.pass(this.legacy, incoming, response);
    if (path.startsWith("/api/new")) return this.pass(this.candidate, incoming, response);
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">${this.script}<h1>Shop</h1>`);
  }

  /** As the site's web server passes requests on: a backend that resets resets. */
  private pass(to: Upstream, incoming: IncomingMessage, response: ServerResponse): void {
    const { method, headers, url } = incoming;
    const outgoing = request(to.url + (url ?? ""), { method, headers, agent: false }, (answer) => {
      response.statusCode = answer.statusCode ?? 502;
      response.setHeader("content-type", answer.headers["content-type"] ?? "text/plain");
      answer.pipe(response);
    });
    outgoing.on("error", () => incoming.socket.resetAndDestroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  }
}
