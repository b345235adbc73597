/** A1111's routes about pictures that are there already. */
import { type Context, Hono } from "hono";
import { EndpointError } from "../../../../runtime/errors.ts";
import { parseInfotext } from "../../../infotext/parse.ts";
import { readInfotext } from "../../../outputs/read-infotext.ts";
import { decodeRequestImage, readRequestImage } from "../../../pictures/request-image.ts";
import { type FieldIssue, issuesError } from "../../../request/field-errors.ts";
import { typeIssues } from "../../../request/sdapi/types.ts";
import { text } from "../../../request/sdapi/values.ts";
import type { SdapiWorker } from "../../../sdapi-worker.ts";
import type { BodyReader } from "../body.ts";
import { sdapiBody } from "./body.ts";
import { fourKeys } from "./errors.ts";
import { noRoute } from "./route-table.ts";

type Payload = Record<string, unknown>;

export function sdapiImages(worker: Pick<SdapiWorker, "styles">, bodies: BodyReader): Hono {
  const routes = new Hono();
  const answers: Record<string, (context: Context, payload: Payload) => Promise<Response>> = {
    "/png-info": (context, payload) => respondWithInfo(context, payload, worker),
    "/interrogate": refuseToInterrogate,
  };
  for (const [path, answer] of Object.entries(answers))
    routes.post(path, (context) =>
      bodies.read(context, (payload) => answer(context, payload as Payload), sdapiBody(context)),
    );
  return routes;
}

async function respondWithInfo(
  context: Context,
  payload: Payload,
  { styles }: Pick<SdapiWorker, "styles">,
): Promise<Response> {
  const { image } = readTexts(payload, { image: undefined });
  const info = readInfotext(decodeRequestImage({ field: "image", text: image }));
  if (info === undefined) throw invalidImage();
  return context.json({ info: info.infotext, items: info.items, parameters: parseInfotext(info.infotext, styles) });
}

/** A1111's two models of the kind, neither of which is here. */
const CAPTION_MODELS = ["clip", "deepdanbooru"];

/** A1111 looks for mistakes in this order. */
async function refuseToInterrogate(context: Context, payload: Payload): Promise<never> {
  const { image, model } = readTexts(payload, { image: "", model: "clip" });
  await readRequestImage({ field: "image", text: image });
  if (!CAPTION_MODELS.includes(model)) throw fourKeys(404, "HTTPException", "Model not found");
  throw noRoute(context.req.method, context.req.path);
}

/**
 * Fields as text, by pydantic's rules.
 * @param fallbacks by name; undefined for a field that must be there.
 * @throws EndpointError `invalid_request` with what pydantic says of them.
 */
function readTexts<N extends string>(payload: Payload, fallbacks: Record<N, string | undefined>): Record<N, string> {
  const given = Object.entries<string | undefined>(fallbacks).map(
    ([name, fallback]) => [name, payload[name] === undefined ? fallback : payload[name]] as const,
  );
  const issues = given.flatMap(([name, value]): FieldIssue[] =>
    value === undefined ? [{ field: name, message: "field required" }] : typeIssues(name, "text!", value),
  );
  if (issues.length > 0) throw issuesError(issues);
  return Object.fromEntries(given.map(([name, value]) => [name, text.parse(value)])) as Record<N, string>;
}

/** In A1111's words; its status is 500, as if the fault were the server's. */
const invalidImage = () =>
  new EndpointError(
    "invalid_request",
    "Invalid encoded image: image: it is none of PNG, JPEG, WebP, GIF, BMP and TIFF",
    {
      details: { field: "image" },
    },
  );
