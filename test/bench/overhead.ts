/**
 * How soon ComfyUI is started (./start.ts); then what an invocation costs above the engine's own time, beside a bare client on the same
 * engine, run by run in turn.
 *
 * `npm run bench`: on the emulator. `npm run bench -- --engine real`: on ComfyUI 0.3.75, installed when needed. With `COMFYUI_COMMAND`: on that.
 * `--runs N` (default 300). The engine's own time is from its `execution_start` to the arrival of the message that it is done, for all alike.
 */
import { parseArgs } from "node:util";
import { installRealEngine } from "../engine/install.ts";
import { colourGraph } from "../support/payloads.ts";
import { openBareClient } from "./bare-client.ts";
import { startMeasuredEndpoint } from "./endpoint.ts";
import { median } from "./median.ts";
import { reportStart } from "./start.ts";

export interface Sample {
  wallMs: number;
  engineMs: number;
}

const WARM_UP_RUNS = 30;
/** The target for an endpoint with an engine of its own: at most so many times the bare client's overhead. */
const MAX_RATIO = 2;

const { values } = parseArgs({
  options: { engine: { type: "string", default: "emulator" }, runs: { type: "string", default: "300" } },
});

await reportStart();
const supervising = await startMeasuredEndpoint(await engineSettings());
const attached = await startMeasuredEndpoint({ COMFYUI_URL: supervising.engineUrl });
const bare = await openBareClient(supervising.engineUrl);
try {
  const contestants = { bare: bare.run, attached: attached.run, supervising: supervising.run };
  const samples = await measure(contestants, Number(values.runs));
  report(samples);
} finally {
  bare.close();
  await attached.stop();
  await supervising.stop();
}

/** Takes turns, so that whatever else the machine does falls on all. */
async function measure<Name extends string>(
  contestants: Record<Name, (graph: ReturnType<typeof colourGraph>) => Promise<Sample>>,
  runs: number,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(contestants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>;
  let colour = 0;
  for (let run = -WARM_UP_RUNS; run < runs; run++) {
    for (const name of names) {
      // A new colour each time, or ComfyUI's cache would answer.
      const sample = await contestants[name](colourGraph(++colour));
      if (run >= 0) samples[name].push(sample);
    }
  }
  return samples;
}

function report(samples: Record<"bare" | "attached" | "supervising", Sample[]>): void {
  const overhead = (name: keyof typeof samples) =>
    median(samples[name].map(({ wallMs, engineMs }) => wallMs - engineMs));
  const engine = median(Object.values(samples).flatMap((all) => all.map(({ engineMs }) => engineMs)));
  const line = (label: string, ms: number, ratio?: number) =>
    console.log(`${label.padEnd(44)}${ms.toFixed(2).padStart(8)} ms${ratio ? `   x ${ratio.toFixed(2)}` : ""}`);

  console.log(`64x64, no model, ${samples.bare.length} runs each in turn, medians`);
  line("the engine itself", engine);
  line("overhead of a bare client", overhead("bare"));
  for (const [name, label] of [
    ["attached", "overhead of the endpoint, COMFYUI_URL"],
    ["supervising", "overhead of the endpoint, engine supervised"],
  ] as const) {
    const ratio = overhead(name) / overhead("bare");
    line(label, overhead(name), ratio);
    if (name === "supervising" && ratio > MAX_RATIO) process.exitCode = 1;
  }
}

async function engineSettings(): Promise<Record<string, string>> {
  const given = process.env["COMFYUI_COMMAND"];
  if (given) return { COMFYUI_COMMAND: given };
  if (values.engine === "real") return { COMFYUI_COMMAND: JSON.stringify((await installRealEngine()).command) };
  return { ENGINE: "emulator" };
}
