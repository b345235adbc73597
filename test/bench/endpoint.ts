/** The product as a process, for measurements outside of vitest. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Graph } from "../../runtime/comfyui/graph.ts";
import type { Sample } from "./overhead.ts";

const MAIN = fileURLToPath(new URL("../../handler/main.ts", import.meta.url));

/** Starts `serve` on a free port; resolves when it is ready. */
export async function startMeasuredEndpoint(settings: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, "serve"], {
    env: { PATH: process.env["PATH"], PORT: "0", ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "close");
  const found: { url?: string; engineUrl?: string } = {};
  const isReady = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const { url, engineUrl, to } = JSON.parse(line) as { url?: string; engineUrl?: string; to?: string };
      Object.assign(found, url && { url }, engineUrl && { engineUrl });
      if (to === "ready") resolve();
    });
    void exited.then(([code]) => reject(new Error(`the endpoint ended with ${code}`)));
  });
  await isReady;

  return {
    engineUrl: found.engineUrl!,
    /** One graph through `POST /prompt`, until the last byte of the answer. */
    async run(graph: Graph): Promise<Sample> {
      const startedAt = performance.now();
      const response = await fetch(`${found.url}/prompt`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: graph }),
      });
      const body = await response.text();
      const wallMs = performance.now() - startedAt;
      if (!response.ok) throw new Error(body);
      return { wallMs, engineMs: JSON.parse(body).stats.comfy_execution.duration };
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
