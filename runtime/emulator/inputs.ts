/** Which inputs a node has, once its dynamic ones (`COMFY_DYNAMICCOMBO_V3`, `COMFY_AUTOGROW_V3`) are resolved by the values given. */
import { isLink } from "../comfyui/graph.ts";
import type { InputGroups, InputSpec, NodeClass } from "./catalogue.ts";
import { PythonError, typeName } from "./python.ts";

interface ResolvedInput {
  spec: InputSpec;
  required: boolean;
}

export interface ResolvedInputs {
  inputs: Map<string, ResolvedInput>;
  /** Whether a dynamic input added any: ComfyUI then names only the last part of a missing input's path. */
  isDynamic: boolean;
  /** Dynamic combos that are absent or have an unknown value: ComfyUI notices them only when the node runs. */
  unresolved: string[];
}

/** Types that only a link can bring. */
const SOCKET_TYPES = new Set(
  "IMAGE MASK LATENT CONDITIONING MODEL CLIP VAE CONTROL_NET CLIP_VISION CLIP_VISION_OUTPUT UPSCALE_MODEL NOISE SAMPLER SIGMAS GUIDER".split(
    " ",
  ),
);

/**
 * Fails as ComfyUI's nodes do on a literal where a link belongs, which validation lets pass.
 * @throws PythonError
 */
export function rejectSocketLiterals({ inputs }: ResolvedInputs, values: Record<string, unknown>): void {
  for (const [name, { spec, required }] of inputs) {
    const value = values[name];
    if (
      !SOCKET_TYPES.has(String(spec[0])) ||
      !Object.hasOwn(values, name) ||
      isLink(value) ||
      (value === null && !required)
    )
      continue;
    const type = typeName(Array.isArray(value) ? value[0] : value);
    if (typeof value === "string" || Array.isArray(value))
      throw new PythonError("AttributeError", `'${type}' object has no attribute 'shape'`);
    if (type === "dict") throw new PythonError("KeyError", "0");
    throw new PythonError("TypeError", `'${type}' object is not subscriptable`);
  }
}

/** Resolves the inputs of a class for the values that a node of the prompt has. */
export function resolveInputs(nodeClass: NodeClass, values: Record<string, unknown>): ResolvedInputs {
  const resolved: ResolvedInputs = { inputs: new Map(), isDynamic: false, unresolved: [] };
  addGroups(resolved, nodeClass.input, values, "");
  return resolved;
}

function addGroups(
  resolved: ResolvedInputs,
  groups: InputGroups,
  values: Record<string, unknown>,
  prefix: string,
): void {
  for (const group of ["required", "optional"] as const) {
    for (const [name, spec] of Object.entries(groups[group] ?? {})) {
      const path = prefix + name;
      const required = group === "required";
      if (prefix !== "") resolved.isDynamic = true;
      if (spec[0] === "COMFY_DYNAMICCOMBO_V3") addDynamicCombo(resolved, path, { spec, required }, values);
      else if (spec[0] === "COMFY_AUTOGROW_V3") addAutogrow(resolved, path, spec, values);
      else resolved.inputs.set(path, { spec, required });
    }
  }
}

function addDynamicCombo(
  resolved: ResolvedInputs,
  path: string,
  input: ResolvedInput,
  values: Record<string, unknown>,
): void {
  const options = input.spec[1]?.["options"] as { key: string; inputs: InputGroups }[];
  const selected = options.find(({ key }) => key === values[path]);
  if (selected === undefined) {
    if (input.required) resolved.unresolved.push(path);
    return;
  }
  addGroups(resolved, selected.inputs, values, `${path}.`);
  resolved.inputs.set(path, input);
  resolved.isDynamic = true;
}

interface AutogrowTemplate {
  input: InputGroups;
  min: number;
  names?: string[];
  prefix?: string;
  max?: number;
}

function addAutogrow(resolved: ResolvedInputs, path: string, spec: InputSpec, values: Record<string, unknown>): void {
  const template = spec[1]?.["template"] as AutogrowTemplate;
  const names = template.names ?? Array.from({ length: template.max ?? 0 }, (_, i) => `${template.prefix}${i}`);
  const [group, item] = (["required", "optional"] as const)
    .map((name) => [name, Object.values(template.input[name] ?? {})[0]] as const)
    .find(([, first]) => first !== undefined) ?? ["optional", undefined];
  if (item === undefined) return;
  resolved.isDynamic = true;
  for (const [i, name] of names.entries()) {
    const required = group === "required" && i < template.min;
    if (required || Object.hasOwn(values, `${path}.${name}`))
      resolved.inputs.set(`${path}.${name}`, { spec: item, required });
  }
}
