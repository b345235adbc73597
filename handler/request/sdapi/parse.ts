/** What A1111's txt2img and img2img have in common as requests: their fields, read and checked. */
import type * as z from "zod";
import { EndpointError } from "../../../runtime/errors.ts";
import { applyInfotext } from "../../infotext/apply.ts";
import type { Styles } from "../../styles/styles.ts";
import { fieldErrors, invalidField, notAvailable } from "../field-errors.ts";
import type { Inventory, Request } from "../request.ts";
import { type ControlUnit, parseControlUnits } from "./controlnet/units.ts";
import { type ExtensionFields, extensionSchema } from "./extensions.ts";
import {
  type CommonFields,
  type Field,
  IMG2IMG_FIELDS,
  type Img2ImgFields,
  img2imgSchema,
  TXT2IMG_FIELDS,
  type Txt2ImgFields,
  txt2imgSchema,
  unsupportedFields,
} from "./fields.ts";
import { Notes } from "./notes.ts";
import { type Options, parseOptions } from "./options.ts";
import { type PictureOptions, parsePictureOptions } from "./picture-options.ts";
import { withoutPlaceholders } from "./placeholders.ts";
import { refuseScripts } from "./scripts.ts";
import { NO_SETTINGS, type SdapiSettings } from "./settings.ts";
import { checkTypes } from "./types.ts";
import { text } from "./values.ts";

const MAX_PICTURES = 100;

export interface SdapiRequest<F extends CommonFields = CommonFields> {
  fields: F;
  extensions: ExtensionFields;
  options: Options;
  pictureOptions: PictureOptions;
  worker: SdapiSettings;
  /** What the caller is told beside the pictures. */
  notes: Notes;
  /** Those that are on. */
  controlUnits: readonly ControlUnit[];
}

interface Tab<F> {
  name: "txt2img" | "img2img";
  table: Readonly<Record<string, Field>>;
  schema: z.ZodType<F>;
}

export const TXT2IMG: Tab<Txt2ImgFields> = { name: "txt2img", table: TXT2IMG_FIELDS, schema: txt2imgSchema };
export const IMG2IMG: Tab<Img2ImgFields> = { name: "img2img", table: IMG2IMG_FIELDS, schema: img2imgSchema };

/**
 * @param worker what holds where the request says nothing.
 * @throws EndpointError `invalid_request`, `unsupported_feature`.
 */
export function parseSdapi<F extends CommonFields>(
  { name, table, schema }: Tab<F>,
  given: unknown,
  worker: Partial<SdapiSettings>,
): SdapiRequest<F> {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new EndpointError("invalid_request", "value is not a valid dict");
  checkTypes(table, given);
  const settings = { ...NO_SETTINGS, ...worker };
  const { options, idleOptions, styles, isLenient } = settings;
  const notes = new Notes({ isLenient, isFresh: false });
  const payload = applyInfotext(withoutPlaceholders(withTextInfotext(given), notes), name, styles);
  const parsed = schema.safeParse(payload);
  if (!parsed.success) throw fieldErrors(parsed.error);
  const extensions = extensionSchema.safeParse(payload);
  if (!extensions.success) throw fieldErrors(extensions.error);
  const fields = parsed.data;
  for (const { name: field, why } of unsupportedFields(table, payload))
    if (!isIdle(field, fields)) notes.refuse(notAvailable(field, why));
  refuseScripts(name, fields, notes);
  noteUnknownStyles(fields.styles ?? [], styles, notes);
  if (idleOptions.length > 0)
    notes.add(`options that were set on this worker have no effect: ${idleOptions.join(", ")}`);
  const allOptions = { ...options, ...fields.override_settings };
  return {
    fields,
    extensions: extensions.data,
    options: parseOptions(allOptions, notes),
    pictureOptions: parsePictureOptions(allOptions),
    controlUnits: parseControlUnits(fields.alwayson_scripts, notes),
    worker: settings,
    notes,
  };
}

/** A1111 looks at them only together with another. */
const COUNTS_ONLY_WITH: Readonly<Record<string, string>> = { firstpass_image: "enable_hr", latent_mask: "mask" };

function isIdle(field: string, fields: object): boolean {
  const other = COUNTS_ONLY_WITH[field];
  return other !== undefined && !(fields as Record<string, unknown>)[other];
}

/** Clients may send it as a number. */
function withTextInfotext(given: object): Record<string, unknown> {
  const { infotext } = given as Record<string, unknown>;
  return { ...given, ...(infotext !== undefined && infotext !== null && { infotext: text.parse(infotext) }) };
}

/** A1111 says nothing of them. */
function noteUnknownStyles(names: readonly string[], styles: Styles, notes: Notes): void {
  const unknown = names.filter((name) => name !== "" && name !== "None" && !styles.has(name));
  if (unknown.length > 0) notes.add(`styles: there is no style called ${unknown.join(", ")}`);
}

/** The request with notes of its own for one attempt to build its graph. */
export const duringBuild = <F extends CommonFields>(
  request: SdapiRequest<F>,
  { isFresh }: Inventory,
): SdapiRequest<F> => ({ ...request, notes: request.notes.with({ isFresh }) });

/** How many pictures a request asks for. @throws EndpointError `invalid_request` when they are too many. */
export function countPictures(batchSize: number, iterations: number): number {
  const pictures = batchSize * iterations;
  if (pictures <= MAX_PICTURES) return pictures;
  throw new EndpointError(
    "invalid_request",
    `batch_size * n_iter: ${pictures} pictures are more than the ${MAX_PICTURES} of one request`,
  );
}

/** Where the pictures go, and in which format. */
export function deliveryOf({ fields, pictureOptions }: SdapiRequest): Request["delivery"] {
  return { isInline: fields.send_images, ...(pictureOptions.convert && { convert: pictureOptions.convert }) };
}

/** Of a schedule whose end alone is run; the engine holds it in memory. */
const MAX_SCHEDULE = 1_000_000;

/**
 * A pass of `steps` steps that starts from a picture is the end of a schedule of `steps / strength`.
 * @throws EndpointError `invalid_request` when that is too long.
 */
export function checkScheduleLength(steps: number, strength: number): void {
  if (strength > 0 && steps / strength > MAX_SCHEDULE)
    throw invalidField("denoising_strength", `is too small for ${steps} steps`);
}
