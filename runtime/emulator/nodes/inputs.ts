/** Typed access to the inputs of a node, which arrive checked and converted by the validator. */
import type { ImageBatch, MaskBatch, NodeContext, NodeImplementation, NodeResult } from "./node.ts";

export class Inputs {
  readonly raw: Record<string, unknown>;
  constructor(raw: Record<string, unknown>) {
    this.raw = raw;
  }

  /** Any value, as the kind that its slot promises. */
  value<T>(name: string): T {
    return this.raw[name] as T;
  }
  image(name: string): ImageBatch {
    return this.value(name);
  }
  mask(name: string): MaskBatch {
    return this.value(name);
  }
  number(name: string, fallback = 0): number {
    const value = this.raw[name];
    return value === undefined ? fallback : Number(value);
  }
  text(name: string, fallback = ""): string {
    const value = this.raw[name];
    return value === undefined ? fallback : String(value);
  }
  flag(name: string): boolean {
    return this.raw[name] === true;
  }
  has(name: string): boolean {
    return this.raw[name] !== undefined && this.raw[name] !== null;
  }
}

/** A node without side effects: inputs to one value per output slot. */
export function pure(outputs: (inputs: Inputs) => unknown[]): NodeImplementation {
  return { run: (raw) => ({ outputs: outputs(new Inputs(raw)) }) };
}

/** A node that waits, writes files or reports progress. */
export function effectful(run: (inputs: Inputs, context: NodeContext) => Promise<NodeResult>): NodeImplementation {
  return { run: (raw, context) => run(new Inputs(raw), context) };
}
