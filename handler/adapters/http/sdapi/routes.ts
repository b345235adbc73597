/** A1111's routes: generation and what steers it here, lists and options in files of their own. */
import { type Context, Hono } from "hono";
import type { Endpoint } from "../../../endpoint.ts";
import type { Style } from "../../../styles/styles.ts";
import { type HttpFace, invokeFromHttp, respondAccepted } from "../invoke.ts";
import { sdapiBody } from "./body.ts";
import { respondWithSdapiError } from "./errors.ts";
import { sdapiImages } from "./images.ts";
import { sdapiLists, servingCatalogue } from "./lists.ts";
import { sdapiOptions } from "./options.ts";
import { respondWithProgress, SDAPI_KIND } from "./progress.ts";

/** Every one is an invocation. */
const WORK = ["txt2img", "img2img", "extra-single-image", "extra-batch-images"] as const;
/** They take any body, or none, and do not look at it. */
const REFRESHES = ["/refresh-checkpoints", "/refresh-vae", "/refresh-loras", "/refresh-embeddings"];

export function sdapiRoutes(face: HttpFace): Hono {
  const { endpoint, bodies, log } = face;
  const { engines, sdapi } = endpoint;
  const routes = new Hono();

  for (const route of WORK) {
    routes.post(`/${route}`, async (context) => {
      const result = await invokeFromHttp(context, face, { dialect: `sdapi/${route}`, parse: sdapiBody(context) });
      if (result.status === "accepted") return respondAccepted(context, result.id);
      return result.status === "failed"
        ? respondWithSdapiError(context, result.error)
        : context.json(result.body as object);
    });
  }
  routes.get("/progress", (context) => respondWithProgress(context, endpoint));
  routes.post("/interrupt", (context) => {
    endpoint.interrupt(SDAPI_KIND);
    return context.json({});
  });
  routes.post("/skip", (context) => context.json(null));
  routes.post("/unload-checkpoint", async (context) => {
    await engines.forgetResults();
    return context.json({});
  });
  routes.post("/reload-checkpoint", (context) => context.json({}));
  for (const path of REFRESHES) routes.post(path, (context) => refresh(context, endpoint));

  routes.route("/", sdapiOptions(sdapi.options, engines, bodies, log));
  routes.route("/", sdapiLists(engines));
  routes.route("/", sdapiImages(sdapi, bodies));
  routes.get("/prompt-styles", (context) => context.json(sdapi.styles.all.map(describeStyle)));
  return routes;
}

const describeStyle = ({ name, prompt, negativePrompt }: Style) => ({ name, prompt, negative_prompt: negativePrompt });

async function refresh(context: Context, { engines, sdapi }: Endpoint): Promise<Response> {
  sdapi.forgetStyles();
  await (await servingCatalogue(context, engines)).reload();
  return context.json(null);
}
