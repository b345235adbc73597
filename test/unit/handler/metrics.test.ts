import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { Endpoint } from "../../../handler/endpoint.ts";
import { measure } from "../../../handler/metrics.ts";
import { StateMachine } from "../../../runtime/engine-state.ts";
import { EndpointError } from "../../../runtime/errors.ts";
import { seriesIn } from "../../support/scrape.ts";

type OnEnd = Parameters<Endpoint["onEnd"]>[0];

/** A worker of so many engines, to be told what happens to it. */
function worker(engines = 1) {
  const ends = new EventEmitter<{ end: Parameters<OnEnd> }>();
  const machines = Array.from({ length: engines }, () => new StateMachine());
  const measured = {
    waiting: 0,
    onEnd: (listener: OnEnd) => void ends.on("end", listener),
    engines: { all: machines.map((machine) => ({ supervisor: { machine } })) },
  };
  const metrics = measure(measured);
  const end = (...given: Parameters<OnEnd>) => ends.emit("end", ...given);
  return { measured, machines, metrics, end, series: async () => seriesIn(await metrics.metrics()) };
}

const output = (size: number) => ({
  nodeId: "9",
  name: "a.png",
  type: "image" as const,
  contentType: "image/png",
  bytes: Buffer.alloc(size),
});

test("every metric says in words what it is, and of which type, in the form that Prometheus 0.0.4 reads", async () => {
  const { metrics } = worker();
  expect(metrics.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = (await metrics.metrics()).split("\n");
  expect(lines.filter((line) => line.startsWith("# TYPE")).sort()).toEqual([
    "# TYPE comfy_endpoint_cold_start_seconds gauge",
    "# TYPE comfy_endpoint_invocation_seconds histogram",
    "# TYPE comfy_endpoint_invocations_total counter",
    "# TYPE comfy_endpoint_output_bytes_total counter",
    "# TYPE comfy_endpoint_prompt_queue_depth gauge",
    "# TYPE comfyui_prompts_total counter",
    "# TYPE comfyui_restarts_total counter",
    "# TYPE comfyui_state gauge",
  ]);
  expect(lines.filter((line) => /^# HELP \w+ \w.*\.$/.test(line))).toHaveLength(8);
});

test("invocations are counted by platform and outcome, a failed one by its code", async () => {
  const { end, series } = worker();
  const timings = { preparing: 20, queued: 0, running: 1500, delivering: 30, total: 1550 };
  const location = { bucket: "b", key: "k" };
  end("sqs", { body: {}, links: undefined, timings, outputs: [output(10), { ...output(5), location }] });
  for (const _ of [1, 2]) end("http", new EndpointError("queue_full", "full"));
  expect(await series()).toMatchObject({
    'comfy_endpoint_invocations_total{platform="sqs",outcome="succeeded",code=""}': 1,
    'comfy_endpoint_invocations_total{platform="http",outcome="failed",code="queue_full"}': 2,
    'comfy_endpoint_invocation_seconds_sum{stage="running"}': 1.5,
    'comfy_endpoint_invocation_seconds_bucket{le="1",stage="running"}': 0,
    'comfy_endpoint_invocation_seconds_bucket{le="2.5",stage="running"}': 1,
    'comfy_endpoint_invocation_seconds_count{stage="total"}': 1,
    'comfy_endpoint_output_bytes_total{delivery="inline"}': 10,
    'comfy_endpoint_output_bytes_total{delivery="s3"}': 5,
  });
});

test("the queue's depth is what it is when it is asked for", async () => {
  const { measured, series } = worker();
  for (const waiting of [0, 7, 2]) {
    measured.waiting = waiting;
    expect((await series())["comfy_endpoint_prompt_queue_depth"]).toBe(waiting);
  }
});

test("each engine has its state, prompts and restarts; the end of its allowance is no restart", async () => {
  const { machines, series } = worker(2);
  for (const state of ["warming", "ready", "busy", "restarting", "starting", "warming", "ready"] as const)
    machines[0]!.transition(state, "as told");
  for (const state of ["warming", "ready", "busy", "restarting", "defunct"] as const)
    machines[1]!.transition(state, "as told");
  const found = await series();
  expect(found).toMatchObject({
    'comfyui_restarts_total{engine="0"}': 1,
    'comfyui_restarts_total{engine="1"}': 0,
    'comfyui_prompts_total{engine="0"}': 1,
    'comfyui_prompts_total{engine="1"}': 1,
  });
  const current = Object.keys(found).filter((name) => name.startsWith("comfyui_state{") && found[name] === 1);
  expect(current).toEqual(['comfyui_state{engine="0",state="ready"}', 'comfyui_state{engine="1",state="defunct"}']);
});

test("a cold start is told phase by phase, as soon as the phase is over", async () => {
  const { machines, series } = worker();
  const phases = async () => Object.keys(await series()).filter((name) => name.includes("cold_start"));
  expect(await phases()).toEqual([]);
  machines[0]!.transition("warming", "it answers");
  expect(await phases()).toEqual(['comfy_endpoint_cold_start_seconds{engine="0",phase="starting"}']);
  machines[0]!.transition("ready", "it is warm");
  expect(await phases()).toHaveLength(2);
});
