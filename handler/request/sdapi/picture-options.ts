/** A1111's options about the picture file, as `override_settings` may hold them; unlike A1111, they count for the answer's pictures. */
import * as z from "zod";
import type { Conversion } from "../delivery.ts";
import { fieldErrors } from "../field-errors.ts";
import { boolean, integer } from "./values.ts";

const lowerCase = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : value);
const orDefault = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? undefined, schema);

const pictureOptions = z.object({
  samples_format: orDefault(
    z.preprocess(lowerCase, z.enum(["png", "jpg", "jpeg", "webp"], "Invalid image format").default("png")),
  ),
  /** Of WebP too. */
  jpeg_quality: orDefault(integer(1, 100).default(80)),
  webp_lossless: orDefault(boolean.default(false)),
  enable_pnginfo: orDefault(boolean.default(true)),
});

export const PICTURE_OPTIONS = pictureOptions.shape;

export const isPictureOption = (option: string): boolean => Object.hasOwn(PICTURE_OPTIONS, option);

export interface PictureOptions {
  /** Undefined: PNG, as ComfyUI writes it. */
  convert: Conversion | undefined;
  hasInfotext: boolean;
}

/**
 * @param path what stands before an option's name in an error.
 * @throws EndpointError `invalid_request` that names the option.
 */
export function parsePictureOptions(
  settings: Readonly<Record<string, unknown>>,
  path: readonly string[] = ["override_settings"],
): PictureOptions {
  const parsed = pictureOptions.safeParse(settings);
  if (!parsed.success) throw fieldErrors(parsed.error, path);
  const { samples_format: format, jpeg_quality: quality, webp_lossless: lossless, enable_pnginfo } = parsed.data;
  return { convert: conversion(format, quality, lossless), hasInfotext: enable_pnginfo };
}

function conversion(format: "png" | "jpg" | "jpeg" | "webp", quality: number, lossless: boolean) {
  if (format === "png") return undefined;
  return format === "webp" ? { format, options: { quality, lossless } } : { format, options: { quality } };
}
