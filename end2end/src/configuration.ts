import type { Configuration, Ports } from "./gateway";

interface Sample {
  /** Of the sample traffic. */
  requestsPerSecond?: number;
  /** How long a breaker stays open. */
  openFor?: string;
}

/** The sample upstreams behind a rollout, with a trickle of traffic. */
export function sample({ requestsPerSecond = 20, openFor = "60s" }: Sample = {}): Configuration {
  return ({ legacy, candidate }: Ports) => `
[sample]
legacy = "127.0.0.1:${legacy}"
candidate = "127.0.0.1:${candidate}"
requests_per_second = ${requestsPerSecond}
${upstream("search", `http://127.0.0.1:${legacy}`, openFor)}
${upstream("search-next", `http://127.0.0.1:${candidate}`, openFor)}
${rollout(10)}
[[routes]]
path = "/search"
rollout = "search"
limits = ["100000/minute"]
`;
}

/** A test's own upstreams behind a rollout, and nothing that sends traffic by itself. */
export function twoSides(legacy: string, candidate: string, percent: number): Configuration {
  return `
${upstream("search", legacy)}
${upstream("search-next", candidate)}
${rollout(percent)}
[[routes]]
path = "/search"
rollout = "search"
limits = ["100000/minute"]
key = "client"
[[routes]]
path = "/few"
upstream = "search"
limits = ["10/minute"]
key = "client"
`;
}

/** Names as long as they may be, several rollouts, and one with ten stages. */
export function crowded({ legacy, candidate }: Ports): string {
  const [one, other] = ["legacy-" + "x".repeat(57), "candidate-".repeat(6) + "next"];
  return `
[sample]
legacy = "127.0.0.1:${legacy}"
candidate = "127.0.0.1:${candidate}"
requests_per_second = 20
${upstream(one, `http://127.0.0.1:${legacy}`)}
${upstream(other, `http://127.0.0.1:${candidate}`)}
[rollouts.${"n".repeat(64)}]
legacy = "${one}"
candidate = "${other}"
percent = 10
stages = [0.25, 1, 2.5, 5, 10, 25, 33.33, 50, 75, 100]
[rollouts.mail]
legacy = "${one}"
candidate = "${other}"
percent = 50
stages = [50, 100]
[[routes]]
path = "/search/${"p".repeat(60)}"
rollout = "${"n".repeat(64)}"
limits = ["200/minute", "1000/hour"]
`;
}

function upstream(name: string, target: string, openFor = "60s"): string {
  return `
[upstreams.${name}]
targets = ["${target}"]
timeout = "5s"
breaker = { consecutive_failures = 5, open_for = "${openFor}", successes_to_close = 2, half_open_for = "30s" }
`;
}

function rollout(percent: number): string {
  return `
[rollouts.search]
legacy = "search"
candidate = "search-next"
percent = ${percent}
stages = [10, 25, 50, 100]
target_success = 0.995
`;
}
