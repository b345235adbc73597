import { expect, test } from "vitest";
import {
  detectModel,
  familyOf,
  isInpaintingModel,
  isScaledLinear,
  type ModelKind,
  needsPicture,
} from "../../../workflows/model-family.ts";
import { HEADERS } from "../../support/model-headers.ts";

const detect = (shapes: Readonly<Record<string, readonly number[]>>) =>
  detectModel({ shapes: new Map(Object.entries(shapes)), metadata: {} });

test.each<[name: keyof typeof HEADERS, kind: ModelKind]>([
  ["sd1", { family: "sd1", inputChannels: 4, hasTextEncoders: true, hasVae: true }],
  ["sd1Inpainting", { family: "sd1", inputChannels: 9, hasTextEncoders: true, hasVae: true }],
  ["instructPix2Pix", { family: "sd1", inputChannels: 8, hasTextEncoders: true, hasVae: true }],
  ["sd2", { family: "sd2", inputChannels: 4, hasTextEncoders: true, hasVae: true }],
  ["sdxl", { family: "sdxl", inputChannels: 4, hasTextEncoders: true, hasVae: true }],
  ["sdxlBare", { family: "sdxl", inputChannels: 4, hasTextEncoders: false, hasVae: false }],
  ["sdxlDiffusers", { family: "sdxl", inputChannels: 4, hasTextEncoders: false, hasVae: false }],
  ["sdxlRefiner", { family: "sdxlRefiner", inputChannels: 4, hasTextEncoders: true, hasVae: true }],
  ["sd3", { family: "sd3", inputChannels: 16, hasTextEncoders: true, hasVae: true }],
  ["sd3Bare", { family: "sd3", inputChannels: 16, hasTextEncoders: false, hasVae: false }],
  ["flux", { family: "flux", inputChannels: 16, hasTextEncoders: false, hasVae: false }],
  ["fluxWhole", { family: "flux", inputChannels: 16, hasTextEncoders: true, hasVae: true }],
  ["fluxFill", { family: "flux", inputChannels: 96, hasTextEncoders: false, hasVae: false }],
  ["fluxSchnell", { family: "fluxSchnell", inputChannels: 16, hasTextEncoders: false, hasVae: false }],
  ["chroma", { family: "chroma", inputChannels: 16, hasTextEncoders: false, hasVae: false }],
  ["qwenImage", { family: "qwenImage", inputChannels: 16, hasTextEncoders: false, hasVae: false }],
  ["playground", { family: "sdxl", inputChannels: 4, hasTextEncoders: true, hasVae: true, hasOwnSchedule: true }],
])("%s is known by its tensors", (name, kind) => {
  expect(detect(HEADERS[name])).toEqual(kind);
});

test.each(["flux2", "chromaRadiance", "wan", "video", "vae", "lora", "textEncoder"] as const)(
  "%s is none of them",
  (name) => {
    expect(detect(HEADERS[name])).toBeNull();
  },
);

test("only models of Stable Diffusion's own noise have A1111's sigmas", () => {
  const scaled = Object.entries(HEADERS).filter(([, shapes]) => {
    const kind = detect(shapes);
    return kind !== null && isScaledLinear(kind);
  });
  expect(scaled.map(([name]) => name)).toEqual(
    "sd1 sd1Inpainting instructPix2Pix sd2 sdxl sdxlBare sdxlDiffusers sdxlRefiner".split(" "),
  );
});

test("extra channels are a mask, or a picture to start from", () => {
  const kinds = (["sd1", "sd1Inpainting", "instructPix2Pix", "flux", "fluxFill"] as const).map(
    (name) => detect(HEADERS[name])!,
  );
  expect(kinds.map(isInpaintingModel)).toEqual([false, true, false, false, false]);
  expect(kinds.map(needsPicture)).toEqual([false, false, true, false, true]);
  expect(kinds.map((kind) => familyOf(kind).sizeMultiple)).toEqual([8, 8, 8, 16, 16]);
});
