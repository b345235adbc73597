/** A1111's options about the picture file, as `override_settings` may hold them; unlike A1111, they count for the answer's pictures. */
import * as z from "zod";
import type { Conversion } from "../delivery.ts";
import { fieldErrors } from "../field-errors.ts";

const numeric = (value: unknown) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value);

const lowerCase = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : value);

const pictureOptions = z.object({
  samples_format: z.preprocess(
    lowerCase,
    z.enum(["png", "jpg", "jpeg", "webp"], "Invalid image format").default("png"),
  ),
  /** Of WebP too. */
  jpeg_quality: z.preprocess(numeric, z.number().int().min(1).max(100).default(80)),
  webp_lossless: z.boolean().default(false),
  enable_pnginfo: z.boolean().default(true),
});

/** What every picture here is made with: asking for it changes nothing. */
const ALREADY_SO: Record<string, unknown> = { randn_source: "CPU", sgm_noise_multiplier: true };

/** Whether an option is honoured here, whatever else the request asks for. */
export function isPictureOption(option: string, value: unknown): boolean {
  return (
    Object.hasOwn(pictureOptions.shape, option) || (Object.hasOwn(ALREADY_SO, option) && ALREADY_SO[option] === value)
  );
}

export interface PictureOptions {
  /** Undefined: PNG, as ComfyUI writes it. */
  convert: Conversion | undefined;
  hasInfotext: boolean;
}

/** @throws EndpointError `invalid_request` that names the option. */
export function parsePictureOptions(settings: Record<string, unknown> | null): PictureOptions {
  const parsed = pictureOptions.safeParse(settings ?? {});
  if (!parsed.success) throw fieldErrors(parsed.error, ["override_settings"]);
  const { samples_format: format, jpeg_quality: quality, webp_lossless: lossless, enable_pnginfo } = parsed.data;
  return { convert: conversion(format, quality, lossless), hasInfotext: enable_pnginfo };
}

function conversion(format: "png" | "jpg" | "jpeg" | "webp", quality: number, lossless: boolean) {
  if (format === "png") return undefined;
  return format === "webp" ? { format, options: { quality, lossless } } : { format, options: { quality } };
}
