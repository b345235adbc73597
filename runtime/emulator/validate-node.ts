/** Validates the nodes of a prompt from an output upwards, as ComfyUI's `validate_inputs` does, with the exceptions that it raises. */
import type { InputSpec } from "./catalogue.ts";
import { convertAndCheck, failure, type InputError, inputConfig, typesMatch } from "./check-input.ts";
import { resolveInputs } from "./inputs.ts";
import type { Installation, Prompt, PromptNode } from "./prompt.ts";
import { PythonError, plain, repr, str, typeName } from "./python.ts";

/** The inputs that a class's own VALIDATE_INPUTS takes: these alone skip the range and list checks. */
const SELF_VALIDATED: Record<string, readonly string[]> = {
  LoadImage: ["image"],
  LoadImageMask: ["image"],
  LoadLatent: ["latent"],
  LoadAudio: ["audio"],
  LoadVideo: ["file"],
};

interface NodeVerdict {
  valid: boolean;
  errors: InputError[];
}

/** One validation of one prompt. */
export class Validator {
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
