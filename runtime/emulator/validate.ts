/** ComfyUI 0.33.0's validation of a prompt: which outputs may run, and the errors of the rest in ComfyUI's own shapes. */
import type { Catalogue, InputSpec } from "./catalogue.ts";
import { convertAndCheck, failure, type InputError, inputConfig, typesMatch } from "./check-input.ts";
import { resolveInputs } from "./inputs.ts";
import { log } from "./log.ts";
import type { NodeContext, NodeImplementation } from "./nodes/node.ts";
import { PythonError, plain, repr, str, truthy, typeName } from "./python.ts";

export interface PromptNode {
  class_type: string;
  /** Absent where the client left it out: ComfyUI accepts that of unconnected nodes, and dies of it. */
  inputs?: Record<string, unknown>;
  _meta?: { title?: unknown };
  is_changed?: unknown;
}

export type Prompt = Record<string, PromptNode>;

export interface NodeErrors {
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

export interface Installation {
  catalogue: Catalogue;
  nodes: Record<string, NodeImplementation>;
  folders: NodeContext["folders"];
}

/** The inputs that a class's own VALIDATE_INPUTS takes: these alone skip the range and list checks. */
const SELF_VALIDATED: Record<string, readonly string[]> = {
  LoadImage: ["image"],
  LoadLatent: ["latent"],
  LoadAudio: ["audio"],
  LoadVideo: ["file"],
};

interface NodeVerdict {
  valid: boolean;
  errors: InputError[];
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

class Validator {
  readonly verdicts = new Map<string, NodeVerdict>();
  readonly #prompt: Prompt;
  readonly #installation: Installation;
  readonly #visiting: string[] = [];

  constructor(prompt: Prompt, installation: Installation) {
    this.#prompt = prompt;
    this.#installation = installation;
  }

  validateOutput(id: string): NodeVerdict {
    try {
      return this.#validateNode(id);
    } catch (error) {
      if (!(error instanceof PythonError)) throw error;
      const extra = { exception_type: error.type, traceback: traceback("validate_prompt") };
      const verdict = {
        valid: false,
        errors: [failure("exception_during_validation", "Exception when validating node", error.message, extra)],
      };
      this.verdicts.set(id, verdict);
      return verdict;
    }
  }

  #validateNode(id: string): NodeVerdict {
    const known = this.verdicts.get(id);
    if (known !== undefined) return known;
    if (this.#visiting.includes(id)) return this.#reportCycle(id);

    const node = this.#prompt[id] as PromptNode;
    const { inputs } = node;
    if (inputs === undefined) throw new PythonError("KeyError", "'inputs'");
    const nodeClass = this.#installation.catalogue.get(node.class_type)!;
    const resolved = resolveInputs(nodeClass, inputs);
    const errors: InputError[] = [];
    let valid = true;
    for (const [name, { spec, required }] of resolved.inputs) {
      if (!Object.hasOwn(inputs, name)) {
        if (required) {
          const details = resolved.isDynamic ? name.slice(name.lastIndexOf(".") + 1) : name;
          errors.push(failure("required_input_missing", "Required input is missing", details, { input_name: name }));
        }
        continue;
      }
      if (Array.isArray(inputs[name])) {
        const outcome = this.#validateLink(id, name, spec, inputs[name]);
        if (outcome === false) valid = false;
        else if (outcome !== true) errors.push(outcome);
        continue;
      }
      const error = convertAndCheck(inputs, name, spec, SELF_VALIDATED[node.class_type]?.includes(name) ?? false);
      if (error !== undefined) errors.push(error);
    }
    errors.push(...this.#customErrors(node.class_type, inputs));

    // A cycle found further up may have filed an error on this node already.
    const earlier = this.verdicts.get(id) ?? { valid: true, errors: [] };
    const verdict = { valid: earlier.valid && valid && errors.length === 0, errors: [...earlier.errors, ...errors] };
    this.verdicts.set(id, verdict);
    return verdict;
  }

  #reportCycle(id: string): NodeVerdict {
    const path = [...this.#visiting.slice(this.#visiting.indexOf(id)), id];
    const cycle_nodes = [...new Set(path)];
    const details = path.map((nodeId) => `${nodeId} (${this.#prompt[nodeId]?.class_type})`).join(" -> ");
    for (const node_id of cycle_nodes)
      this.verdicts.set(node_id, {
        valid: false,
        errors: [failure("dependency_cycle", "Dependency cycle detected", details, { node_id, cycle_nodes })],
      });
    return this.verdicts.get(id)!;
  }

  /** True: fine. False: the node at the other end is invalid. Else the error to file here. */
  #validateLink(id: string, name: string, spec: InputSpec, link: unknown[]): boolean | InputError {
    const config = { input_name: name, input_config: inputConfig(spec) };
    if (link.length !== 2) {
      const message = "Bad linked input, must be a length-2 list of [node_id, slot_index]";
      return failure("bad_linked_input", message, name, { ...config, received_value: link });
    }
    const received = this.#linkedType(link);
    if (!typesMatch(received, spec[0])) {
      const details = `${name}, received_type(${str(received)}) mismatch input_type(${str(spec[0])})`;
      return failure("return_type_mismatch", "Return type mismatch between linked nodes", details, {
        ...config,
        received_type: received,
        linked_node: link,
      });
    }
    const source = link[0] as string;
    this.#visiting.push(id);
    try {
      return this.#validateNode(source).valid;
    } catch (error) {
      if (!(error instanceof PythonError)) throw error;
      const { message: exception_message, type: exception_type } = error;
      const extra = {
        ...config,
        exception_message,
        exception_type,
        traceback: traceback("validate_inputs"),
        linked_node: link,
      };
      const reason = failure(
        "exception_during_inner_validation",
        "Exception when validating inner node",
        exception_message,
        extra,
      );
      this.verdicts.set(source, { valid: false, errors: [reason] });
      return false;
    } finally {
      this.#visiting.pop();
    }
  }

  /** Python's `prompt[link[0]]` and `RETURN_TYPES[link[1]]`, with the exceptions that they raise. */
  #linkedType([source, slot]: unknown[]): unknown {
    if (typeof source === "object" && source !== null)
      throw new PythonError("TypeError", `unhashable type: '${typeName(source)}'`);
    if (typeof source !== "string" || !Object.hasOwn(this.#prompt, source))
      throw new PythonError("KeyError", repr(source));
    const { output } = this.#installation.catalogue.get(this.#prompt[source]?.class_type)!;
    const index = typeof slot === "boolean" ? Number(slot) : slot;
    if (typeof index !== "number" || !Number.isInteger(index))
      throw new PythonError("TypeError", `tuple indices must be integers or slices, not ${typeName(slot)}`);
    if (index >= output.length || index < -output.length)
      throw new PythonError("IndexError", "tuple index out of range");
    return output.at(index);
  }

  #customErrors(classType: string, inputs: Record<string, unknown>): InputError[] {
    const validate = this.#installation.nodes[classType]?.validate;
    const names = SELF_VALIDATED[classType];
    if (validate === undefined || names === undefined) return [];
    for (const name of names) {
      if (!Object.hasOwn(inputs, name))
        throw new PythonError(
          "TypeError",
          `${classType}.VALIDATE_INPUTS() missing 1 required positional argument: '${name}'`,
        );
      const value = Array.isArray(inputs[name]) ? null : inputs[name];
      // These inputs are all file names, and that is how the file helpers fail on anything else.
      if (typeof value !== "string")
        throw new PythonError("AttributeError", `'${typeName(value)}' object has no attribute 'endswith'`);
    }
    const answer = validate(
      Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, plain(value)])),
      this.#installation,
    );
    if (answer === true) return [];
    return names.map((name) =>
      failure("custom_validation_failed", "Custom validation failed for node", `${name} - ${answer}`, {
        input_name: name,
      }),
    );
  }
}

function traceback(place: string): string[] {
  return [`  File "emulator", in ${place}\n`];
}
