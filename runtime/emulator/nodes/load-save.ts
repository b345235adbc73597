/** Nodes that read and write picture files. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decode,
  ENGINE_NOTE,
  encodeAnimatedPng,
  encodePng,
  encodeWebp,
  maskAsImage,
  metadataTexts,
  type PngText,
} from "./codec.ts";
import { annotatedPath, checkAnnotatedPath, saveTarget } from "./files.ts";
import { effectful, Inputs, pure } from "./inputs.ts";
import { type ImageBatch, type NodeContext, NodeError, type NodeImplementation } from "./node.ts";
import { channelOf } from "./raster.ts";

const PREVIEW_SUFFIX = `_temp_${Array.from({ length: 5 }, () => "abcdefghijklmnopqrstupvxyz"[Math.floor(Math.random() * 26)]).join("")}`;

function inputPath(name: string, folders: NodeContext["folders"]): string {
  const path = annotatedPath(name, folders);
  if (path === undefined) throw new NodeError("ValueError", `Invalid file path: '${name}'`);
  return path;
}

/** A loader: validated by its file name, cached by its file's content. */
function loader(run: (inputs: Inputs, loaded: Awaited<ReturnType<typeof decode>>) => unknown[]): NodeImplementation {
  return {
    async run(raw, { folders }) {
      const inputs = new Inputs(raw);
      return { outputs: run(inputs, await decode(inputPath(inputs.text("image"), folders))) };
    },
    isChanged: (raw, { folders }) =>
      createHash("sha256")
        .update(readFileSync(inputPath(String(raw["image"]), folders)))
        .digest("hex"),
    validate: (raw, { folders }) => checkAnnotatedPath(String(raw["image"]), folders),
  };
}

const loadImage = loader((_, { image, mask }) => [image, mask]);

const loadImageMask = loader((inputs, { image, mask }) => {
  const channel = inputs.text("channel");
  return [channel === "alpha" ? mask : channelOf(image, ["red", "green", "blue"].indexOf(channel))];
});

type FileType = "output" | "temp";

/** Writes every picture of the batch as PNG with ComfyUI's names, counters and metadata. */
async function savePictures(
  images: ImageBatch,
  prefix: string,
  type: FileType,
  context: NodeContext,
): Promise<unknown[]> {
  const { folder, subfolder, name, counter } = await saveTarget(
    prefix,
    context.folders[type],
    images.width,
    images.height,
  );
  const texts = metadataTexts(context);
  const results = [];
  for (let item = 0; item < images.batch; item++) {
    const filename = `${name.replaceAll("%batch_num%", String(item))}_${String(counter + item).padStart(5, "0")}_.png`;
    await writeFile(join(folder, filename), await encodePng(images, item, texts, type === "temp" ? 1 : 4));
    results.push({ filename, subfolder, type });
  }
  return results;
}

/** A node that writes a batch and hands its first input on. */
function saver(
  input: string,
  type: FileType,
  prefix: (inputs: Inputs) => string,
  pictures = (inputs: Inputs) => inputs.image(input),
): NodeImplementation {
  return effectful(async (inputs, context) => ({
    outputs: [inputs.value(input)],
    ui: { images: await savePictures(pictures(inputs), prefix(inputs), type, context) },
  }));
}

/** The animated writers put the whole batch into one file. */
function animationSaver(
  extension: string,
  encode: (images: ImageBatch, inputs: Inputs, context: NodeContext) => Promise<Buffer>,
): NodeImplementation {
  return effectful(async (inputs, context) => {
    const images = inputs.image("images");
    const prefix = inputs.text("filename_prefix", "ComfyUI");
    const { folder, subfolder, name, counter } = await saveTarget(
      prefix,
      context.folders.output,
      images.width,
      images.height,
    );
    const filename = `${name}_${String(counter).padStart(5, "0")}_.${extension}`;
    await writeFile(join(folder, filename), await encode(images, inputs, context));
    return {
      outputs: [images],
      ui: { images: [{ filename, subfolder, type: "output" }], animated: [images.batch > 1] },
    };
  });
}

/** ComfyUI's EXIF form: `prompt:JSON` under Model, the next key under Make, and so on downwards; more than those two are rare. */
function exifOf(texts: PngText[]): Record<string, string> {
  const entries = texts.slice(0, -1).slice(0, 2);
  const tags = ["Model", "Make"];
  return Object.fromEntries([
    ...entries.map(([key, text], index) => [tags[index], `${key}:${text}`]),
    ["ImageDescription", ENGINE_NOTE],
  ]);
}

const WEBP_EFFORT: Record<string, number> = { default: 4, fastest: 0, slowest: 6 };

const saveImageWebsocket = effectful(async (inputs, context) => {
  const images = inputs.image("images");
  for (let item = 0; item < images.batch; item++) {
    await context.progress(item, images.batch);
    context.sendImage(await encodePng(images, item, [["engine", ENGINE_NOTE]], 1), "png");
  }
  return { outputs: [] };
});

export const LOAD_AND_SAVE: Record<string, NodeImplementation> = {
  LoadImage: loadImage,
  LoadImageMask: loadImageMask,
  LoadImageOutput: loadImage,
  SaveImage: saver("images", "output", (inputs) => inputs.text("filename_prefix", "ComfyUI")),
  PreviewImage: saver("images", "temp", () => `ComfyUI${PREVIEW_SUFFIX}`),
  MaskPreview: saver(
    "mask",
    "temp",
    () => `ComfyUI${PREVIEW_SUFFIX}`,
    (inputs) => maskAsImage(inputs.mask("mask")),
  ),
  SaveImageWebsocket: { ...saveImageWebsocket, isChanged: () => Number.NaN },
  SaveAnimatedWEBP: animationSaver("webp", (images, inputs, context) =>
    encodeWebp(images, {
      fps: inputs.number("fps", 6),
      lossless: inputs.flag("lossless"),
      quality: inputs.number("quality", 80),
      effort: WEBP_EFFORT[inputs.text("method")] ?? 4,
      exif: exifOf(metadataTexts(context)),
    }),
  ),
  SaveAnimatedPNG: animationSaver("png", (images, inputs, context) =>
    encodeAnimatedPng(images, inputs.number("fps", 6), metadataTexts(context), inputs.number("compress_level", 4)),
  ),
  MaskToImage: pure((inputs) => [maskAsImage(inputs.mask("mask"))]),
};
