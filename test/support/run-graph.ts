/** Runs a graph straight on the emulator's nodes: no server, no validation, no cache. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Graph, isLink } from "../../runtime/comfyui/graph.ts";
import { NODES } from "../../runtime/emulator/nodes/index.ts";
import type { NodeContext, NodeResult } from "../../runtime/emulator/nodes/node.ts";

export interface GraphRun {
  results: Map<string, NodeResult>;
  folders: NodeContext["folders"];
  /** What the nodes reported through `progress`, in order. */
  steps: { nodeId: string; value: number; max: number; preview?: (() => Promise<Buffer>) | undefined }[];
  sent: Buffer[];
}

/** Executes every node once, inputs first. Missing folders are made in the system's temporary folder. */
export async function runGraph(
  graph: Graph,
  options: { input?: string; extraPnginfo?: Record<string, unknown> } = {},
): Promise<GraphRun> {
  const root = mkdtempSync(join(tmpdir(), "emulator-nodes-"));
  const folders = { input: options.input ?? root, output: join(root, "output"), temp: join(root, "temp") };
  const run: GraphRun = { results: new Map(), folders, steps: [], sent: [] };
  for (const id of Object.keys(graph)) await execute(id);
  return run;

  async function execute(nodeId: string): Promise<NodeResult> {
    const known = run.results.get(nodeId);
    if (known) return known;
    const { class_type, inputs } = graph[nodeId]!;
    const values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(inputs)) {
      values[name] = isLink(value) ? (await execute(value[0])).outputs[value[1]] : value;
    }
    const result = await NODES[class_type]!.run(values, {
      nodeId,
      promptId: "test",
      prompt: { ...graph },
      extraPnginfo: options.extraPnginfo,
      folders,
      stepDelayMs: 0,
      progress: async (value, max, preview) => void run.steps.push({ nodeId, value, max, preview }),
      sendImage: (bytes) => void run.sent.push(bytes),
    });
    run.results.set(nodeId, result);
    return result;
  }
}
