import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { freePort } from "./ports";

const BINARY = resolve(
  import.meta.dirname,
  "..",
  process.env.RAD_MONITOR ?? "../target/release/rad-monitor",
);
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 30_000;
const KEPT_LOG_LINES = 2_000;

export interface Ports {
  console: number;
  gateway: number;
  prometheus: number;
  legacy: number;
  candidate: number;
}

/** What a test configures beyond addresses and storage, as TOML; `ports` name the sample upstreams. */
export type Configuration = string | ((ports: Ports) => string);

const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/**
 * The real program with a configuration and a storage folder of its own, on free ports.
 *
 * It can be stopped, killed and started again: ports, configuration and storage stay.
 */
export class Gateway {
  private child: ChildProcess | undefined;
  private readonly log: string[] = [];

  private constructor(
    private readonly folder: string,
    readonly ports: Ports,
    private readonly profile: Record<string, string>,
  ) {}

  /** With further keys of the table `[console]`, which the configuration cannot open once more; for a profile. */
  static async start(configuration: Configuration, consoleKeys = "", profile?: string): Promise<Gateway> {
    if (!existsSync(BINARY)) {
      throw new Error(`${BINARY} does not exist: make build makes it, RAD_MONITOR names another`);
    }
    const ports: Ports = {
      console: await freePort(),
      gateway: await freePort(),
      prometheus: await freePort(),
      legacy: await freePort(),
      candidate: await freePort(),
    };
    const folder = await mkdtemp(join(tmpdir(), "rad-monitor-"));
    const gateway = new Gateway(folder, ports, profile ? { RAD_PROFILE: profile } : {});
    await writeFile(gateway.configurationFile, header(folder, ports, consoleKeys) + written(configuration, ports));
    await gateway.start();
    return gateway;
  }

  /** Where the dashboard and its API are. */
  get console(): string {
    return `http://127.0.0.1:${this.ports.console}`;
  }

  /** Where traffic goes. */
  get traffic(): string {
    return `http://127.0.0.1:${this.ports.gateway}`;
  }

  /** A file in its folder. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** What it has written to its standard output and error. */
  get output(): string {
    return this.log.join("\n");
  }

  /** Starts it, and waits until it takes traffic. */
  async start(): Promise<void> {
    const child = spawn(BINARY, ["--config", this.configurationFile], {
      cwd: this.folder,
      env: { PATH: process.env.PATH, HOME: this.folder, RUST_BACKTRACE: "1", ...this.profile },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.keep(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.keep(text));

    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.isHealthy())) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`${BINARY} does not become healthy; it said:\n${this.output}`);
      }
      await pause(20);
    }
  }

  /** Asks it to leave, and waits until it has left. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
  }

  /** Takes it away as a power cut would. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Keeps its connections open and says nothing more, until it is thawed. */
  freeze(): void {
    this.child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.child?.kill("SIGCONT");
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Calls the console's API with JSON; fails unless it succeeds. */
  async api<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.console + path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as Answer;
  }

  private get configurationFile(): string {
    return join(this.folder, "rad-monitor.toml");
  }

  private keep(text: string): void {
    this.log.push(...text.split("\n").filter((line) => line !== ""));
    this.log.splice(0, Math.max(0, this.log.length - KEPT_LOG_LINES));
  }

  private async isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`${this.console}/health`, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const left = once(child, "exit", { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
    child.kill(signal);
    try {
      await left;
    } catch {
      child.kill("SIGKILL");
      throw new Error(`it did not leave within ${STOP_TIMEOUT_MS} ms of ${signal}:\n${this.output}`);
    }
  }
}

function header(folder: string, ports: Ports, consoleKeys: string): string {
  return `
[console]
listen = "127.0.0.1:${ports.console}"
${consoleKeys}
[gateway]
listen = "127.0.0.1:${ports.gateway}"
workers = 2
trusted_proxies = ["127.0.0.0/8"]
[telemetry]
prometheus = "127.0.0.1:${ports.prometheus}"
log = "json"
[storage]
path = "${join(folder, "rad-monitor.db")}"
`;
}

function written(configuration: Configuration, ports: Ports): string {
  return typeof configuration === "string" ? configuration : configuration(ports);
}
