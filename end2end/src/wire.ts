import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

import { freePort } from "./ports";

/**
 * The wire between browser and console, as a TCP proxy that can be cut while the program runs on.
 */
export class Wire {
  private readonly connections = new Set<Socket>();
  private readonly live = new Set<Socket>();
  private all = true;
  private liveAllowed = true;
  /** Live connections that were asked for, whether they came about or not. */
  attempts = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly target: number,
  ) {
    server.on("connection", (browser) => this.join(browser));
  }

  static async to(target: number): Promise<Wire> {
    const port = await freePort();
    const server = createServer();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new Wire(server, port, target);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Nothing gets through any more. */
  cut(): void {
    this.all = false;
    this.connections.forEach((socket) => socket.destroy());
  }

  /** Pages and the API get through, the live connection does not. */
  cutLive(): void {
    this.liveAllowed = false;
    this.live.forEach((socket) => socket.destroy());
  }

  /** Everything gets through again. */
  restore(): void {
    this.all = true;
    this.liveAllowed = true;
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }

  private join(browser: Socket): void {
    browser.on("error", () => browser.destroy());
    if (!this.all) {
      browser.destroy();
      return;
    }
    this.connections.add(browser);
    browser.once("close", () => this.connections.delete(browser));
    // Whether this is the live connection stands in its first line.
    browser.once("data", (start: Buffer) => {
      if (start.subarray(0, 8).toString("latin1").startsWith("GET /ws")) {
        this.attempts += 1;
        if (!this.liveAllowed) {
          browser.destroy();
          return;
        }
        this.live.add(browser);
        browser.once("close", () => this.live.delete(browser));
      }
      const console = connect(this.target, "127.0.0.1");
      console.on("error", () => browser.destroy());
      console.on("close", () => browser.destroy());
      browser.on("close", () => console.destroy());
      console.write(start);
      browser.pipe(console).pipe(browser);
    });
  }
}
