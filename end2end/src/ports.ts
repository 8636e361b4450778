import { createServer } from "node:net";

// Below the range that the kernel takes ports for outgoing connections from: a port that a stopped
// program has left must still be free when it starts again.
const FIRST = 20_000;
const LAST = 30_000;

// Workers start at different places, so that two of them do not try the same port at the same moment.
let next = FIRST + ((process.pid * 131) % (LAST - FIRST));

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < LAST - FIRST; tried++) {
    const port = next;
    next = next + 1 < LAST ? next + 1 : FIRST;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
