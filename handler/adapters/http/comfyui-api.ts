/** `POST /prompt` as SaladTechnologies/comfyui-api answers it without a webhook: waits, and returns the outputs. */
import { Hono } from "hono";
import type { Config } from "../../config.ts";
import type { Endpoint } from "../../endpoint.ts";
import { BodyReader } from "./body.ts";
import { respondWithError } from "./errors.ts";
import { invokeFromHttp } from "./invoke.ts";

export function comfyuiApiRoutes(endpoint: Endpoint, { MAX_BODY_SIZE_MB }: Config): Hono {
  const bodies = new BodyReader(MAX_BODY_SIZE_MB);
  return new Hono().post("/prompt", async (context) => {
    const result = await invokeFromHttp(context, endpoint, bodies, "comfyui-api");
    if (result.status === "failed") return respondWithError(context, result.error, result.id);
    return context.json(result.body as object);
  });
}
