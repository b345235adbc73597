/** ComfyUI's one `prompt_worker` thread: takes prompts one by one, and is gone for good after an exception outside a node. */
import type { Executor } from "./executor.ts";
import type { Faults } from "./faults/index.ts";
import { log } from "./log.ts";
import { PythonError } from "./python.ts";
import type { PromptQueue } from "./queue.ts";
import type { Sockets } from "./sockets.ts";

interface Collaborators {
  queue: PromptQueue;
  executor: Executor;
  sockets: Sockets;
  faults: Faults;
}

/** Never returns, except when the thread that it stands for dies; HTTP goes on answering then. */
export async function work({ queue, executor, sockets, faults }: Collaborators): Promise<void> {
  try {
    for (;;) {
      const item = await queue.take();
      if (item !== undefined) {
        const startedMs = performance.now();
        const death = faults.workerDeath();
        if (death === "silent") return;
        if (death === "loud") throw new PythonError("RuntimeError", "cannot schedule new futures after shutdown");
        const result = await executor.execute(item);
        queue.finish(item, result, faults.historyDelayMs);
        if (faults.sendsEnd() && executor.clientId !== null)
          sockets.send("executing", { node: null, prompt_id: item.promptId }, executor.clientId);
        log.info(`\x1b[32mPrompt executed in ${((performance.now() - startedMs) / 1000).toFixed(2)} seconds\x1b[0m`);
      }
      if (queue.shouldFreeMemory) {
        queue.shouldFreeMemory = false;
        executor.forgetResults();
        log.info("Using RAM pressure cache.");
      }
    }
  } catch (error) {
    const [type, message] =
      error instanceof PythonError ? [error.type, error.message] : ["RuntimeError", String(error)];
    log.raw("Exception in thread Thread-1 (prompt_worker):");
    log.raw("Traceback (most recent call last):");
    log.raw('  File "emulator", in prompt_worker');
    log.raw(`${type}: ${message}`);
  } finally {
    queue.hasWorker = false;
  }
}
