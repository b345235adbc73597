/** Lists along links: a node runs once per element, and what its runs give is put together again. */
import type { NodeRun } from "./cache.ts";
import type { NodeClass } from "./catalogue.ts";
import type { NodeResult } from "./nodes/node.ts";

/** Calls a node over its lists of inputs, or once with the whole lists when the class wants them so. */
export async function callOverLists(
  nodeClass: NodeClass,
  values: Record<string, unknown[]>,
  call: (inputs: Record<string, unknown>) => Promise<NodeResult>,
): Promise<NodeRun> {
  const calls = nodeClass.is_input_list ? [values] : slices(values);
  const outputs: unknown[][] = nodeClass.output.map(() => []);
  const uis: Record<string, unknown[]>[] = [];
  for (const inputs of calls) {
    const result = await call(inputs);
    for (const [slot, value] of result.outputs.entries()) {
      if (nodeClass.output_is_list[slot] && Array.isArray(value)) outputs[slot]?.push(...value);
      else outputs[slot]?.push(value);
    }
    if (result.ui !== undefined) uis.push(result.ui);
  }
  const keys = Object.keys(uis[0] ?? {});
  const ui =
    keys.length === 0
      ? undefined
      : Object.fromEntries(keys.map((key) => [key, uis.flatMap((part) => part[key] ?? [])]));
  return { outputs, ui };
}

/** One call per element of the longest list; shorter lists repeat their last item. */
function slices(values: Record<string, unknown[]>): Record<string, unknown>[] {
  const count = Math.max(1, ...Object.values(values).map((list) => list.length));
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list[Math.min(i, list.length - 1)]])),
  );
}
