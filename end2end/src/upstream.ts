import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How an upstream treats a request. */
export type Manner = "answer" | "fail" | "stall" | "reset";

/** What it was asked. */
export interface Asked {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  /** Once it has all come. */
  body: string;
}

/** A real HTTP server behind the gateway, which counts what reaches it. */
export class Upstream {
  /** Requests that have reached it. */
  received = 0;
  manner: Manner = "answer";
  last: Asked | undefined;
  private readonly stalled: ServerResponse[] = [];

  private constructor(
    readonly name: string,
    private readonly server: Server,
  ) {
    server.on("request", (request, response) => this.take(request, response));
  }

  static async start(name: string): Promise<Upstream> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Upstream(name, server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  /** Answers what has been stalled so far. */
  release(): void {
    for (const response of this.stalled.splice(0)) response.end();
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    this.received += 1;
    const { method = "", url = "", headers } = request;
    const asked: Asked = { method, url, headers, body: "" };
    this.last = asked;
    request.setEncoding("utf8").on("data", (text: string) => (asked.body += text));
    switch (this.manner) {
      case "answer":
        request.resume();
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ from: this.name }));
        return;
      case "fail":
        request.resume();
        response.statusCode = 500;
        response.end();
        return;
      case "stall":
        request.resume();
        this.stalled.push(response);
        return;
      case "reset":
        request.socket.resetAndDestroy();
    }
  }
}
