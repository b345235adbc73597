/** A1111's routes about pictures that are there already. */
import { type Context, Hono } from "hono";
import { EndpointError } from "../../../../runtime/errors.ts";
import { parseInfotext } from "../../../infotext/parse.ts";
import { readInfotext } from "../../../outputs/read-infotext.ts";
import type { SdapiWorker } from "../../../sdapi-worker.ts";
import type { BodyReader } from "../body.ts";
import { sdapiBody } from "./body.ts";

export function sdapiImages(worker: Pick<SdapiWorker, "styles">, bodies: BodyReader): Hono {
  const respond = async (context: Context, payload: unknown) => {
    const image = imageField(payload as Record<string, unknown>);
    if (typeof image !== "string") return context.json({ detail: [image] }, 422);
    const info = readInfotext(decodeImage(image.trim()));
    if (info === undefined) return invalidImage(context);
    return context.json({
      info: info.infotext,
      items: info.items,
      parameters: parseInfotext(info.infotext, worker.styles),
    });
  };
  return new Hono().post("/png-info", (context) =>
    bodies.read(context, (payload) => respond(context, payload), sdapiBody(context)),
  );
}

interface Complaint {
  loc: string[];
  msg: string;
  type: string;
}

/** The field as text, by pydantic's rules, or what pydantic says of it. */
function imageField({ image }: Record<string, unknown>): string | Complaint {
  const complain = (msg: string, type: string) => ({ loc: ["body", "image"], msg, type });
  if (image === undefined) return complain("field required", "value_error.missing");
  if (image === null) return complain("none is not an allowed value", "type_error.none.not_allowed");
  return typeof image === "object" ? complain("str type expected", "type_error.str") : String(image);
}

/** Base64, bare or in a data URI. @throws EndpointError `unsupported_feature` for an address. */
function decodeImage(image: string): Buffer {
  if (/^https?:\/\//i.test(image))
    throw new EndpointError(
      "unsupported_feature",
      "image: pictures are not fetched from addresses; send the file as base64",
      { details: { field: "image" } },
    );
  return Buffer.from(image.startsWith("data:image/") ? image.slice(image.indexOf(",") + 1) : image, "base64");
}

/** A1111's words; its status is 500, as if the fault were the server's. */
const invalidImage = (context: Context) =>
  context.json({ error: "HTTPException", detail: "Invalid encoded image", body: "", errors: "" }, 400);
