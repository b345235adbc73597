/** `POST /prompt` as SaladTechnologies/comfyui-api answers it without a webhook: waits, and returns the outputs. */
import { Hono } from "hono";
import type { Endpoint } from "../../endpoint.ts";
import type { BodyReader } from "./body.ts";
import { respondWithError } from "./errors.ts";
import { invokeFromHttp } from "./invoke.ts";

export function comfyuiApiRoutes(endpoint: Endpoint, bodies: BodyReader): Hono {
  return new Hono().post("/prompt", async (context) => {
    const result = await invokeFromHttp(context, endpoint, bodies, "comfyui-api");
    if (result.status === "failed") return respondWithError(context, result.error, result.id);
    return context.json(result.body as object);
  });
}
