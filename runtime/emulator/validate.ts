/** ComfyUI 0.33.0's validation of a prompt: which outputs may run, and the errors of the rest in ComfyUI's own shapes. */
import { failure, type InputError } from "./check-input.ts";
import { log } from "./log.ts";
import type { Installation, Prompt, PromptNode } from "./prompt.ts";
import { PythonError, str, truthy, typeName } from "./python.ts";
import { Validator } from "./validate-node.ts";

interface NodeErrors {
  errors: InputError[];
  dependent_outputs: string[];
  class_type: string;
}

export interface Validation {
  /** Set when nothing can run. */
  error?: InputError;
  /** Ids of the output nodes that will run. */
  outputs: string[];
  nodeErrors: Record<string, NodeErrors>;
}

/**
 * Validates a prompt as `POST /prompt` does; values are converted in place (`"20"` to 20), as ComfyUI does.
 * @param targets `partial_execution_targets`
 * @throws PythonError where ComfyUI answers 500 (a node that is not an object, `inputs` that is not one ...)
 */
export function validatePrompt(prompt: unknown, targets: unknown, installation: Installation): Validation {
  checkShapes(prompt);
  const outputs: string[] = [];
  for (const [id, node] of Object.entries(prompt)) {
    const nodeClass = installation.catalogue.get(node.class_type);
    if (nodeClass === undefined) return { error: missingNodeType(id, node), outputs: [], nodeErrors: {} };
    if (nodeClass.output_node && isTarget(targets, id)) outputs.push(id);
  }
  if (outputs.length === 0)
    return { error: failure("prompt_no_outputs", "Prompt has no outputs", ""), outputs: [], nodeErrors: {} };

  const validator = new Validator(prompt, installation);
  const nodeErrors: Record<string, NodeErrors> = {};
  const good: string[] = [];
  const summary: string[] = [];
  for (const output of outputs) {
    const verdict = validator.validateOutput(output);
    if (verdict.valid) {
      good.push(output);
      continue;
    }
    log.error(`Failed to validate prompt for output ${output}:`);
    for (const { message, details } of verdict.errors) log.error(`  - ${message}: ${details}`);
    log.error("Output will be ignored");
    summary.push(...verdict.errors.map(({ message, details }) => `${message}: ${details}`));
    for (const [id, { valid, errors }] of validator.verdicts) {
      // A node below a bad one is invalid without errors of its own and is not reported.
      if (valid || errors.length === 0) continue;
      nodeErrors[id] ??= { errors, dependent_outputs: [], class_type: (prompt[id] as PromptNode).class_type };
      nodeErrors[id].dependent_outputs.push(output);
    }
  }
  // ComfyUI keeps outputs in a Python set; of its arbitrary orders, this is the recorded one.
  if (good.length > 0) return { outputs: good.reverse(), nodeErrors };
  const error = failure("prompt_outputs_failed_validation", "Prompt outputs failed validation", summary.join("\n"));
  return { error, outputs: [], nodeErrors };
}

/** What makes ComfyUI's node replacement step raise, before any validation. */
function checkShapes(prompt: unknown): asserts prompt is Prompt {
  if (typeName(prompt) !== "dict")
    throw new PythonError("AttributeError", `'${typeName(prompt)}' object has no attribute 'items'`);
  for (const node of Object.values(prompt as Record<string, unknown>)) {
    if (typeName(node) !== "dict")
      throw new PythonError("AttributeError", `'${typeName(node)}' object has no attribute 'get'`);
    const { class_type: classType, inputs } = node as Record<string, unknown>;
    if (typeof classType === "object" && classType !== null)
      throw new PythonError("TypeError", `unhashable type: '${typeName(classType)}'`);
    if (classType !== undefined && inputs !== undefined && typeName(inputs) !== "dict")
      throw new PythonError("AttributeError", `'${typeName(inputs)}' object has no attribute 'items'`);
  }
}

function isTarget(targets: unknown, id: string): boolean {
  if (targets === null || targets === undefined) return true;
  if (typeof targets === "string" || Array.isArray(targets)) return targets.includes(id);
  if (typeName(targets) === "dict") return Object.hasOwn(targets as object, id);
  throw new PythonError("TypeError", `argument of type '${typeName(targets)}' is not iterable`);
}

function missingNodeType(id: string, node: PromptNode): InputError {
  const hasClass = Object.hasOwn(node, "class_type");
  const title = node._meta?.title ?? (hasClass ? node.class_type : null);
  const message = hasClass
    ? `Node '${str(title)}' not found. The custom node may not be installed.`
    : `Node '${truthy(title) ? str(title) : `ID #${id}`}' has no class_type. The workflow may be corrupted or a custom node is missing.`;
  return failure("missing_node_type", message, `Node ID '#${id}'`, {
    node_id: id,
    class_type: hasClass ? node.class_type : null,
    node_title: title,
  });
}
