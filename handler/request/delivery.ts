/** What the caller asked for: in which format the pictures come, and where they go. */
import * as z from "zod";
import { fieldErrors } from "./field-errors.ts";

const quality = z.number().int().min(1).max(100);

/** sharp's options by the names that comfyui-api documents; an unknown one is refused. */
const jpegOptions = z.strictObject({
  quality: quality.optional(),
  progressive: z.boolean().optional(),
  chromaSubsampling: z.enum(["4:2:0", "4:4:4"]).optional(),
  optimizeCoding: z.boolean().optional(),
  optimiseCoding: z.boolean().optional(),
  mozjpeg: z.boolean().optional(),
  trellisQuantisation: z.boolean().optional(),
  overshootDeringing: z.boolean().optional(),
  optimizeScans: z.boolean().optional(),
  optimiseScans: z.boolean().optional(),
  quantisationTable: z.number().int().min(0).max(8).optional(),
  quantizationTable: z.number().int().min(0).max(8).optional(),
});

const webpOptions = z.strictObject({
  quality: quality.optional(),
  alphaQuality: z.number().int().min(0).max(100).optional(),
  lossless: z.boolean().optional(),
  nearLossless: z.boolean().optional(),
  smartSubsample: z.boolean().optional(),
  preset: z.enum(["default", "photo", "picture", "drawing", "icon", "text"]).optional(),
  effort: z.number().int().min(0).max(6).optional(),
});

const convertOutput = z.discriminatedUnion("format", [
  z.strictObject({ format: z.enum(["jpeg", "jpg"]), options: jpegOptions.default({}) }),
  z.strictObject({ format: z.literal("webp"), options: webpOptions.default({}) }),
]);

export type Conversion = z.output<typeof convertOutput>;

const s3Target = z.strictObject({
  bucket: z.string().min(1),
  prefix: z.string(),
  async: z.literal(false, "uploads after the answer are not available; leave it out or send false").default(false),
});

const deliverySchema = z.object({ convert_output: convertOutput.optional(), s3: s3Target.optional() });

export interface Delivery {
  /** Still pictures are converted; everything else passes as it is. */
  convert?: Conversion;
  /** comfyui-api's target: the key is prefix + file name, nothing between. */
  s3?: { bucket: string; prefix: string };
  /** Whether the answer carries the bytes even when a bucket holds them too: so it is where an imitated API has no other place for them. */
  isInline: boolean;
}

/** @throws EndpointError `invalid_request` that names the option at fault. */
export function parseDelivery(payload: unknown, isInline: boolean): Delivery {
  const parsed = deliverySchema.safeParse(payload);
  if (!parsed.success) throw fieldErrors(parsed.error);
  const { convert_output, s3 } = parsed.data;
  return {
    ...(convert_output && { convert: convert_output }),
    ...(s3 && { s3: { bucket: s3.bucket, prefix: s3.prefix } }),
    isInline: isInline && s3 === undefined,
  };
}
