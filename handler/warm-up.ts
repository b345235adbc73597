/** The warm-up of this worker: which graph, and what its failure means. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Catalogue } from "../runtime/comfyui/catalogue.ts";
import type { EngineLink } from "../runtime/comfyui/engine-link.ts";
import type { Graph } from "../runtime/comfyui/graph.ts";
import { EndpointError } from "../runtime/errors.ts";
import { parseJson } from "../runtime/json.ts";
import type { EnginePlan } from "../runtime/launch.ts";
import { runWarmUp } from "../runtime/warm-up.ts";
import { checkGraph } from "../workflows/check-graph.ts";
import { withOutputFolder } from "../workflows/output-prefix.ts";
import { defaultWarmUpGraph } from "../workflows/warm-up.ts";
import type { Config } from "./config.ts";

const FETCH_TIMEOUT_MS = 60_000;

type Settings = Pick<Config, "WARMUP_PROMPT_FILE" | "WARMUP_PROMPT_URL" | "WARMUP_FAILURE">;

/** @throws EndpointError `warm_up_failed`, unless the operator wants to serve all the same. */
export async function warmUp(
  settings: Settings,
  plan: EnginePlan,
  log: Logger,
  link: EngineLink,
  catalogue: Catalogue,
): Promise<void> {
  const startedAt = performance.now();
  // Engines on several GPUs may share an output folder, and warm up at the same time.
  const folder = `warm-up-${randomUUID()}`;
  try {
    const graph = (await configuredGraph(settings, catalogue)) ?? defaultWarmUpGraph(catalogue);
    if (graph === undefined) return log.warn("no checkpoint is installed: nothing to warm up");
    await runWarmUp(link, withOutputFolder(graph, folder));
    log.info({ elapsedMs: Math.round(performance.now() - startedAt) }, "warm-up finished");
  } catch (error) {
    if (link.gone.aborted || settings.WARMUP_FAILURE === "stop") throw error;
    log.warn({ err: error }, "the warm-up failed; serving all the same");
  } finally {
    if (plan.folders) await rm(join(plan.folders.output, folder), { recursive: true, force: true });
  }
}

async function configuredGraph(
  { WARMUP_PROMPT_FILE: file, WARMUP_PROMPT_URL: url }: Settings,
  catalogue: Catalogue,
): Promise<Graph | undefined> {
  if (file === undefined && url === undefined) return undefined;
  try {
    const text = file === undefined ? await download(url!) : await readFile(file, "utf8");
    const parsed = parseJson(text) as { prompt?: unknown };
    return checkGraph(parsed.prompt ?? parsed, catalogue);
  } catch (cause) {
    throw new EndpointError(
      "warm_up_failed",
      `the warm-up graph of ${file ?? url} cannot be used: ${(cause as Error).message}`,
      { cause },
    );
  }
}

async function download(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.text();
}
