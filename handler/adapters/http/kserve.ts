/** KServe's prediction protocols, as far as they fit: v1 with one instance, v2 with one BYTES tensor that holds JSON. */
import { type Context, Hono } from "hono";
import { EndpointError, toEndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";
import { invalidField } from "../../request/field-errors.ts";
import { invocationId } from "../../request/invocation-id.ts";
import { errorHeaders } from "./errors.ts";
import { type HttpFace, invokeFromHttp, respondAccepted, type Unwrapped } from "./invoke.ts";

export function kserveRoutes(face: HttpFace): Hono {
  const infer = async (
    context: Context,
    unwrap: (body: unknown) => Unwrapped,
    encode: (id: string, body: unknown) => object,
  ) => {
    const result = await invokeFromHttp(context, face, { dialect: "auto", unwrap });
    if (result.status === "accepted") return respondAccepted(context, result.id);
    if (result.status === "failed") return respondWithKserveError(context, result.error);
    return context.json(encode(result.id, result.body));
  };
  const routes = new Hono()
    .post("/v1/models/:model{[^/:]+:predict}", (context) =>
      infer(context, readInstances, (_id, body) => ({ predictions: [body] })),
    )
    .post("/v2/models/:model/infer", (context) =>
      infer(context, readTensors, (id, body) => ({
        model_name: context.req.param("model"),
        id,
        outputs: [{ name: "result", shape: [1], datatype: "BYTES", data: [JSON.stringify(body)] }],
      })),
    );
  routes.onError((error, context) => respondWithKserveError(context, error));
  return routes;
}

/** @throws EndpointError `invalid_request`. */
function readInstances(body: unknown): Unwrapped {
  const { instances } = (body ?? {}) as { instances?: unknown };
  if (!Array.isArray(instances) || instances.length !== 1)
    throw invalidField("instances", "must be a list of one payload");
  return { payload: instances[0] };
}

/** @throws EndpointError `invalid_request`, `invalid_json`. */
function readTensors(body: unknown): Unwrapped {
  const { id, inputs } = (body ?? {}) as { id?: unknown; inputs?: unknown };
  const [tensor] = Array.isArray(inputs) && inputs.length === 1 ? inputs : [];
  const { datatype, data } = (tensor ?? {}) as { datatype?: unknown; data?: unknown };
  const [text] = Array.isArray(data) && data.length === 1 ? data : [];
  if (datatype !== "BYTES" || typeof text !== "string")
    throw invalidField("inputs", "must be one tensor of datatype BYTES and shape [1], whose one element is JSON text");
  const parsedId = invocationId.optional().safeParse(id);
  if (!parsedId.success) throw invalidField("id", parsedId.error.issues[0]!.message);
  return { payload: parsePayload(text), ...(parsedId.data !== undefined && { id: parsedId.data }) };
}

function parsePayload(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new EndpointError("invalid_json", `inputs.0.data.0 is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function respondWithKserveError(context: Context, thrown: unknown): Response {
  const error = toEndpointError(thrown);
  const { status, headers } = errorHeaders(error);
  return context.json({ error: `${error.code}: ${error.message}` }, status, headers);
}
