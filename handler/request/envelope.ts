/** Finds out which of the known request forms a payload has. */
import { EndpointError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import type { Dialect } from "../invocation.ts";
import { isBareGraph } from "./envelope-forms.ts";
import { invalidField } from "./field-errors.ts";
import { parseGraphRequest } from "./raw-graph.ts";
import type { Request } from "./request.ts";
import { parseExtras } from "./sdapi/extras.ts";
import { parseImg2Img } from "./sdapi/img2img.ts";
import type { SdapiSettings } from "./sdapi/settings.ts";
import { parseTxt2Img } from "./sdapi/txt2img.ts";
import { parseWorkerComfyui } from "./worker-comfyui.ts";

type Fields = Record<string, unknown>;

const ACCEPTED_FORMS =
  'accepted are {"prompt": GRAPH}, {"workflow": GRAPH}, {"input": {"workflow": GRAPH}}, {"input": {"workflow_json": GRAPH}}, a bare GRAPH (API format), and an A1111 txt2img or img2img body ({"prompt": "text", ...}, {"init_images": [...], ...}), also as {"input": ...}';

/**
 * @param sdapi what this worker brings to A1111's requests.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseRequest(payload: unknown, dialect: Dialect, sdapi?: SdapiSettings): Request {
  if (dialect === "sdapi/txt2img") return parseTxt2Img(payload, sdapi);
  if (dialect === "sdapi/img2img") return parseImg2Img(payload, sdapi);
  if (dialect === "sdapi/extra-single-image") return parseExtras("extra-single-image", payload);
  if (dialect === "sdapi/extra-batch-images") return parseExtras("extra-batch-images", payload);
  if (!isObject(payload))
    throw new EndpointError("invalid_request", `the payload must be a JSON object; ${ACCEPTED_FORMS}`);
  if (dialect === "comfyui-api") {
    if (!isObject(payload["prompt"])) throw invalidField("prompt", "must be a graph in ComfyUI's API format");
    return parseGraphRequest({ graph: payload["prompt"], options: payload, isComfyuiApi: true });
  }
  if (dialect === "worker-comfyui") return parseWorkerComfyui(payload["input"]);
  if ("input" in payload) return parseInput(payload["input"], sdapi);
  return parseFields(payload, sdapi);
}

/** `input` as an object, or as a JSON string of one. */
function parseInput(input: unknown, sdapi?: SdapiSettings): Request {
  const fields = typeof input === "string" ? parseText(input) : input;
  if (!isObject(fields)) throw invalidField("input", `must be an object; ${ACCEPTED_FORMS}`);
  for (const key of ["modifier", "modifications"]) {
    if (key in fields) throw new EndpointError("unsupported_feature", `input.${key}: modifiers are not available`);
  }
  const called = calledRoute(fields);
  if (called) return parseRequest(called.body, called.dialect, sdapi);
  if ("workflow_json" in fields) return parseGraphRequest({ graph: fields["workflow_json"], options: fields });
  return parseFields(fields, sdapi);
}

function parseFields(fields: Fields, sdapi?: SdapiSettings): Request {
  const { prompt, workflow } = fields;
  if (typeof workflow === "object" && workflow !== null) return parseGraphRequest({ graph: workflow, options: fields });
  if ("init_images" in fields) return parseImg2Img(fields, sdapi);
  if (typeof prompt === "string") return parseTxt2Img(fields, sdapi);
  if (typeof prompt === "object" && prompt !== null) return parseGraphRequest({ graph: prompt, options: fields });
  if (isBareGraph(fields)) return parseGraphRequest({ graph: fields, options: {} });
  throw new EndpointError(
    "invalid_request",
    `the payload holds neither a graph nor an A1111 request; ${ACCEPTED_FORMS}`,
  );
}

/** A1111's routes that make pictures, by what their names are in a job. */
const ROUTES: ReadonlyMap<string, Dialect> = new Map([
  ["txt2img", "sdapi/txt2img"],
  ["img2img", "sdapi/img2img"],
  ["extra-single-image", "sdapi/extra-single-image"],
  ["extra-batch-images", "sdapi/extra-batch-images"],
]);

/**
 * A call of A1111's API within a job: `{api: {method, endpoint}, payload}` or `{sdapi: {path, method, body}}`.
 * @throws EndpointError `unsupported_feature` that names a route that makes no pictures.
 */
function calledRoute(fields: Fields): { dialect: Dialect; body: unknown } | undefined {
  const { api, sdapi: call } = fields;
  const {
    path,
    method = "POST",
    body,
  } = isObject(call)
    ? call
    : isObject(api)
      ? { path: api["endpoint"], method: api["method"], body: fields["payload"] }
      : {};
  if (path === undefined) return undefined;
  const route = String(path)
    .replace(/^\/?(sdapi\/v1\/)?/, "")
    .replace(/\/$/, "");
  const dialect = ROUTES.get(route);
  if (dialect !== undefined && String(method).toUpperCase() === "POST") return { dialect, body: body ?? {} };
  throw new EndpointError(
    "unsupported_feature",
    `${method} ${path}: a job can call POST /sdapi/v1/ with ${[...ROUTES.keys()].join(", ")}`,
  );
}

function parseText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw invalidField("input", "is a string, but not JSON");
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
