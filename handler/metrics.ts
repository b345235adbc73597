/** Numbers of this worker and of each of its engines, for Prometheus; loaded where METRICS asks for them. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { ENGINE_STATES, type StateMachine } from "../runtime/engine-state.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { Endpoint } from "./endpoint.ts";

/** Their text, and what kind of text it is. */
export type Metrics = Pick<Registry, "contentType" | "metrics">;

/** What is measured. */
export interface Measured extends Pick<Endpoint, "waiting" | "onEnd"> {
  engines: { all: readonly { supervisor: { machine: StateMachine } }[] };
}

/** From a picture that is cached to a video. */
const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

/** Before an engine serves, it passes these. */
const COLD_PHASES = ["starting", "warming"] as const;

/** Begins to count. Labels have few values: states, stages, error codes, and engines by their place in `/health`'s list. */
export function measure(endpoint: Measured): Metrics {
  const registry = new Registry();
  measureWork(endpoint, [registry]);
  measureEngines(
    endpoint.engines.all.map(({ supervisor: { machine } }, index) => ({ engine: String(index), machine })),
    [registry],
  );
  return registry;
}

function measureWork(endpoint: Measured, registers: Registry[]): void {
  const invocations = new Counter({
    name: "comfy_endpoint_invocations_total",
    help: "Invocations that ended, refused ones included; code is the error's, and empty for success.",
    labelNames: ["platform", "outcome", "code"],
    registers,
  });
  const seconds = new Histogram({
    name: "comfy_endpoint_invocation_seconds",
    help: "Time in each stage of the invocations that succeeded; stage total is all of them together.",
    labelNames: ["stage"],
    buckets: SECONDS,
    registers,
  });
  const outputBytes = new Counter({
    name: "comfy_endpoint_output_bytes_total",
    help: "Bytes of outputs that were delivered: in the answer (inline) or to a bucket (s3).",
    labelNames: ["delivery"],
    registers,
  });
  new Gauge({
    name: "comfy_endpoint_prompt_queue_depth",
    help: "Invocations that were taken and that no engine has begun with.",
    registers,
    collect() {
      this.set(endpoint.waiting);
    },
  });
  endpoint.onEnd((platform, outcome) => {
    if (outcome instanceof EndpointError) return invocations.inc({ platform, outcome: "failed", code: outcome.code });
    invocations.inc({ platform, outcome: "succeeded", code: "" });
    for (const [stage, ms] of Object.entries(outcome.timings)) seconds.observe({ stage }, ms / 1000);
    for (const { location, bytes } of outcome.outputs)
      outputBytes.inc({ delivery: location ? "s3" : "inline" }, bytes.length);
  });
}

function measureEngines(engines: readonly { engine: string; machine: StateMachine }[], registers: Registry[]): void {
  new Gauge({
    name: "comfyui_state",
    help: "1 for the state that the engine is in, 0 for the others; it serves when it is ready or busy.",
    labelNames: ["engine", "state"],
    registers,
    collect() {
      for (const { engine, machine } of engines)
        for (const state of ENGINE_STATES) this.set({ engine, state }, machine.state === state ? 1 : 0);
    },
  });
  new Gauge({
    name: "comfy_endpoint_cold_start_seconds",
    help: "How long the engine's last start took: until it answered (starting), and until it was warm (warming).",
    labelNames: ["engine", "phase"],
    registers,
    collect() {
      for (const { engine, machine } of engines)
        for (const phase of COLD_PHASES) {
          const ms = machine.lastStayMs(phase);
          if (ms !== undefined) this.set({ engine, phase }, ms / 1000);
        }
    },
  });
  const prompts = new Counter({
    name: "comfyui_prompts_total",
    help: "Prompts that were handed to the engine.",
    labelNames: ["engine"],
    registers,
  });
  const restarts = new Counter({
    name: "comfyui_restarts_total",
    help: "Times that the engine was started again after it had died.",
    labelNames: ["engine"],
    registers,
  });
  for (const { engine, machine } of engines) {
    prompts.inc({ engine }, 0);
    restarts.inc({ engine }, 0);
    machine.onTransition(({ from, to }) => {
      if (to === "busy") prompts.inc({ engine });
      if (from === "restarting" && to === "starting") restarts.inc({ engine });
    });
  }
}
