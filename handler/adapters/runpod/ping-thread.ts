/** The thread that pings; it is a file of its own because a thread starts from one. */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

/** Everything that the next pings need. */
export interface PingOrders {
  address: string;
  apiKey: string;
  intervalMs: number;
}

/** Milliseconds before each of the further tries of one ping. */
const RETRY_DELAYS_MS = [0, 2_000, 4_000];

let orders = workerData as PingOrders;
parentPort!.on("message", (next: PingOrders) => {
  orders = next;
});

for (;;) {
  const startedAt = performance.now();
  await ping();
  await sleep(Math.max(0, orders.intervalMs - (performance.now() - startedAt)));
}

async function ping(): Promise<void> {
  if (await isHeard()) return;
  for (const delayMs of RETRY_DELAYS_MS) {
    await sleep(delayMs);
    if (await isHeard()) return;
  }
}

/** Whether another try is of no use: only an overloaded or broken server, or a broken way to it, is asked again. */
async function isHeard(): Promise<boolean> {
  const { address, apiKey, intervalMs } = orders;
  try {
    const signal = AbortSignal.timeout(2 * intervalMs);
    const response = await fetch(address, { headers: { authorization: apiKey }, signal });
    await response.arrayBuffer();
    return response.status !== 429 && response.status < 500;
  } catch {
    return false;
  }
}
