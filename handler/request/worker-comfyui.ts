/** A job's input as worker-comfyui 5 takes it: a graph, pictures for it, and nothing that is checked beyond that. */
import { createHash } from "node:crypto";
import { EndpointError } from "../../runtime/errors.ts";
import type { InputFile } from "../../runtime/input-files.ts";
import { parseJson } from "../../runtime/json.ts";
import { encodeWorkerComfyui } from "../outputs/worker-comfyui-response.ts";
import { hasKnownForm } from "./envelope-forms.ts";
import { parseGraphRequest } from "./raw-graph.ts";
import type { GraphRequest } from "./request.ts";

type Fields = Record<string, unknown>;

/** What its refusals say, word for word. */
const NO_INPUT = "Please provide input";
const NO_JSON = "Invalid JSON format in input";
const NO_WORKFLOW = "Missing 'workflow' parameter";
const BAD_IMAGES = "'images' must be a list of objects with 'name' and 'image' keys";
const NOT_UPLOADED = "Failed to upload one or more input images";

/** Where the pictures lie: apart from what the operator keeps in ComfyUI's input folder. */
const FOLDER = "comfy-endpoint";

/** Whether an input is meant for worker-comfyui: it has a workflow, or no form that any other API knows. */
export function isWorkerComfyui(input: unknown): boolean {
  const fields = typeof input === "string" ? parsed(input) : input;
  if (!isObject(fields)) return true;
  return (fields["workflow"] !== undefined && fields["workflow"] !== null) || !hasKnownForm(fields);
}

/** @throws EndpointError `invalid_request` in worker-comfyui's words, `unsupported_feature`. */
export function parseWorkerComfyui(input: unknown): GraphRequest {
  if (input === null || input === undefined) throw refuse(NO_INPUT);
  const fields = typeof input === "string" ? parsed(input) : input;
  if (fields === undefined) throw refuse(NO_JSON);
  if (!isObject(fields) || fields["workflow"] === undefined || fields["workflow"] === null) throw refuse(NO_WORKFLOW);
  const { workflow, images, ...options } = fields;
  const files = readImages(images);
  const request = parseGraphRequest({ graph: withFileNames(workflow, files), options });
  return {
    ...request,
    build: async (inventory) => {
      const { graph } = await request.build(inventory);
      return { graph, inputs: [...files.values()], encode: encodeWorkerComfyui };
    },
  };
}

/** By the name that the caller gave. */
function readImages(images: unknown): Map<string, InputFile> {
  if (images === undefined || images === null) return new Map();
  const isList =
    Array.isArray(images) && images.every((image) => isObject(image) && "name" in image && "image" in image);
  if (!isList) throw refuse(BAD_IMAGES);
  const problems: string[] = [];
  const files = new Map<string, InputFile>();
  for (const { name, image } of images as { name: unknown; image: unknown }[]) {
    try {
      files.set(String(name), fileOf(name, image));
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  if (problems.length > 0) throw refuse(NOT_UPLOADED, problems);
  return files;
}

/** Named by its content, so that pictures of different jobs under one name keep apart. @throws Error. */
function fileOf(name: unknown, image: unknown): InputFile {
  if (typeof name !== "string" || name === "")
    throw new Error(`Unexpected error uploading ${name}: the name must be a text`);
  if (typeof image !== "string") throw new Error(`Unexpected error uploading ${name}: the image must be base64`);
  const bytes = decodeBase64(name, image.slice(image.indexOf(",") + 1));
  const hash = createHash("sha256").update(bytes).digest("hex");
  const plainName = name.replaceAll(/[/\\\p{Cc}]/gu, "_").slice(-100);
  return { name: `${FOLDER}/${hash.slice(0, 32)}-${plainName}`, bytes };
}

/** As Python's `base64.b64decode`: foreign characters are skipped, padding must be there. */
function decodeBase64(name: string, text: string): Buffer {
  const [digits = "", padding = ""] = text
    .replaceAll(/[^A-Za-z0-9+/=]/g, "")
    .match(/^([^=]*)(=*)/)!
    .slice(1);
  const rest = digits.length % 4;
  const refused = (why: string) => new Error(`Error decoding base64 for ${name}: ${why}`);
  if (rest === 1)
    throw refused(
      `Invalid base64-encoded string: number of data characters (${digits.length}) cannot be 1 more than a multiple of 4`,
    );
  if (rest > 0 && padding.length < 4 - rest) throw refused("Incorrect padding");
  return Buffer.from(digits, "base64");
}

/** The graph with the files' own names wherever an input has the name that the caller gave. */
function withFileNames(graph: unknown, files: ReadonlyMap<string, InputFile>): unknown {
  if (files.size === 0 || !isObject(graph)) return graph;
  const renamed = (value: unknown) => {
    if (typeof value !== "string") return value;
    return files.get(value.replace(/ \[input\]$/, ""))?.name ?? value;
  };
  const nodes = Object.entries(graph).map(([id, node]) => {
    if (!isObject(node) || !isObject(node["inputs"])) return [id, node];
    const inputs = Object.entries(node["inputs"]).map(([name, value]) => [name, renamed(value)]);
    return [id, { ...node, inputs: Object.fromEntries(inputs) }];
  });
  return Object.fromEntries(nodes);
}

const refuse = (message: string, problems?: string[]) =>
  new EndpointError("invalid_request", message, problems && { details: { problems } });

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
