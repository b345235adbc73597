/** `POST /prompt` as SaladTechnologies/comfyui-api answers it without a webhook: waits, and returns the outputs. */
import { Hono } from "hono";
import { respondWithError } from "./errors.ts";
import { type HttpFace, invokeFromHttp, respondAccepted } from "./invoke.ts";

export function comfyuiApiRoutes(face: HttpFace): Hono {
  return new Hono().post("/prompt", async (context) => {
    const result = await invokeFromHttp(context, face, { dialect: "comfyui-api" });
    if (result.status === "accepted") return respondAccepted(context, result.id);
    if (result.status === "failed") return respondWithError(context, result.error, result.id);
    return context.json(result.body as object);
  });
}
