import { Agent, request } from "node:http";

export interface Answer {
  status: number;
  body: string;
}

export interface Load {
  count: number;
  /** Requests under way at the same time. */
  together?: number;
  /** The client that each request comes from, as the trusted proxy in front would say; else this machine. */
  client?: (index: number) => string;
  /** Further headers of each request. */
  headers?: Record<string, string>;
}

/** Sends `count` requests and waits for every answer. */
export async function send(url: string, { count, together = 10, client, headers }: Load): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: together });
  const answers: Answer[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) {
      const from: Record<string, string> = client ? { "x-forwarded-for": client(index) } : {};
      answers[index] = await get(url, agent, { ...from, ...headers });
    }
  };
  try {
    await Promise.all(Array.from({ length: together }, worker));
  } finally {
    agent.destroy();
  }
  return answers;
}

/** The address of the `index`th of many clients. */
export function address(index: number): string {
  return `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
}

/** How many answers have each status. */
export function statuses(answers: Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function get(url: string, agent: Agent, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, headers, timeout: 10_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${url}: no answer within 10 s`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
