/** A1111's `/options`. */
import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import type { Engines } from "../../../../runtime/engines.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import type { SdapiOptions } from "../../../sdapi-options.ts";
import type { BodyReader } from "../body.ts";
import { sdapiBody } from "./body.ts";
import { checkpointOf, describeCheckpoint, servingCatalogue } from "./lists.ts";

export function sdapiOptions(options: SdapiOptions, engines: Engines, bodies: BodyReader, log: Logger): Hono {
  const set = async (context: Context, values: Record<string, unknown>) => {
    const catalogue = await servingCatalogue(context, engines);
    const idle = await withFreshLists(catalogue, () =>
      options.set(values, { catalogue, models: engines.models, isFresh: true }),
    ).catch(nameOption);
    log.info({ options: Object.keys(values) }, "A1111 options set; they hold for this worker until it stops");
    if (idle.length > 0) {
      log.warn({ options: idle }, `options without effect here: ${idle.join(", ")}`);
      context.header("x-options-without-effect", idle.join(", "));
    }
    return context.json(null);
  };
  return new Hono()
    .get("/options", async (context) => {
      const catalogue = await servingCatalogue(context, engines);
      return context.json(options.all(catalogue, (file) => describeCheckpoint(engines, checkpointOf(file, catalogue))));
    })
    .post("/options", (context) =>
      bodies.read(context, (values) => set(context, values as Record<string, unknown>), sdapiBody(context)),
    );
}

/** In a request, the same option is one of the `override_settings`. */
function nameOption(error: unknown): never {
  if (!(error instanceof EndpointError) || typeof error.details?.["field"] !== "string") throw error;
  const field = error.details["field"].replace(/^override_settings\./, "");
  throw new EndpointError(error.code, error.message, { details: { ...error.details, field } });
}

/** Model files come and go: a name is looked up in fresh lists before it is refused. */
async function withFreshLists<T>(catalogue: Catalogue, work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EndpointError && error.code === "unknown_model")) throw error;
    await catalogue.reload();
    return work();
  }
}
