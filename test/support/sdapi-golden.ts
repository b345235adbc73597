/** What a real A1111 answered, and the same request sent to the endpoint, whose answer is told in the same form. */
import { isDeepStrictEqual } from "node:util";
import sharp from "sharp";
import { expect } from "vitest";
import type { RunningEndpoint } from "./endpoint.ts";
import { rampPng } from "./ramp.ts";

export interface Golden {
  method: string;
  path: string;
  body?: unknown;
  /** A body that is sent as it is. */
  raw?: string;
  content_type?: string;
  status: number;
  response?: unknown;
}

export interface Answer {
  status: number;
  response: unknown;
  warnings: string[];
}

/** The models of the recording, and those of the emulator that stand for them. */
const MODELS: Readonly<Record<string, string>> = { "v1-5-pruned-emaonly": "tiny-sd15", refiner: "tiny-sd15-inpaint" };

/** Chooses the model that the recorded A1111 had. */
export const chooseModel = async (endpoint: RunningEndpoint): Promise<void> => {
  await endpoint.post("/sdapi/v1/options", { sd_model_checkpoint: MODELS["v1-5-pruned-emaonly"] });
};

/** What most bodies have. */
const BASE: Readonly<Record<string, unknown>> = { prompt: "x", steps: 1, width: 64, height: 64, seed: 1, subseed: 1 };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a body has besides what most have. */
export function ownFields({ path, body }: Golden): Record<string, unknown> {
  if (!isObject(body)) return {};
  const isOwn = ([name, value]: [string, unknown]) => !/img$/.test(path) || !isDeepStrictEqual(BASE[name], value);
  return Object.fromEntries(Object.entries(body).filter(isOwn));
}

/** Names a case: its route and what is special in its body. */
export function titleOf(golden: Golden): string {
  const { method, path, raw, body } = golden;
  const route = `${method} ${path.replace("/sdapi/v1", "")}`;
  if (raw !== undefined) return `${route} ${raw}${golden.content_type ? ` as ${golden.content_type}` : ""}`;
  if (body === undefined) return route;
  return `${route} ${JSON.stringify(isObject(body) ? ownFields(golden) : body)}`;
}

async function recordedPictures(): Promise<Readonly<Record<string, string>>> {
  const base64 = async (mode?: "RGBA" | "L") => (await rampPng(64, 64, mode)).toString("base64");
  const jpeg = sharp(await rampPng(64, 64)).jpeg();
  const png = await base64();
  return {
    "@png64": png,
    "@rgba64": await base64("RGBA"),
    "@gray64": await base64("L"),
    "@jpg64": (await jpeg.toBuffer()).toString("base64"),
    "@dataurl_png64": `data:image/png;base64,${png}`,
    "@dataurl_nobase64": "data:image/png",
    "@truncated": png.slice(0, 200),
    "@text_base64": Buffer.from("hello").toString("base64"),
  };
}
const PICTURES = await recordedPictures();

/** The body as it is sent: with pictures, and with models that there are. */
function textOf({ raw, body }: Golden): string {
  const written = raw ?? (body === undefined ? "" : JSON.stringify(body));
  return written
    .replace(/@\w+/g, (name) => PICTURES[name] ?? name)
    .replace(/"sd_model_checkpoint":"(refiner)/i, (_, name: string) => {
      const ours = MODELS["refiner"]!;
      return `"sd_model_checkpoint":"${name === "refiner" ? ours : ours.toUpperCase()}`;
    });
}

export async function send(endpoint: RunningEndpoint, golden: Golden): Promise<Answer> {
  const { method, path, content_type = "application/json" } = golden;
  const response = await fetch(endpoint.url + path, {
    method,
    headers: { "content-type": content_type },
    ...(method === "POST" && { body: textOf(golden) }),
  });
  const text = await response.text();
  const body: unknown = text === "" ? "" : JSON.parse(text);
  const { warnings = [] } = isObject(body) ? (body as { warnings?: string[] }) : {};
  return { status: response.status, response: response.ok ? await inRecordedForm(body) : body, warnings };
}

/** Pictures as their sizes, and of `info` what was recorded. */
async function inRecordedForm(body: unknown): Promise<unknown> {
  if (!isObject(body)) return body;
  const { images, image, info } = body as { images?: string[]; image?: string; info?: string; html_info?: string };
  if (image !== undefined) return { ...body, image: (await shapeOf(image)).slice(0, 2) };
  if (images === undefined || "html_info" in body) return body;
  const { infotexts, seed } = JSON.parse(info!) as { infotexts: string[]; seed: number };
  return {
    ok: true,
    images: await Promise.all(images.map(shapeOf)),
    infotext: withoutOwn(infotexts[0]!),
    seed,
  };
}

async function shapeOf(base64: string): Promise<[width: number, height: number, format: string]> {
  const { width, height, format } = await sharp(Buffer.from(base64, "base64")).metadata();
  return [width, height, format.toUpperCase()];
}

/** Without what tells ComfyUI's pictures from A1111's, and hashes, which depend on the file. */
const withoutOwn = (infotext: string) =>
  infotext.replace(/, (Version: .*|RNG: CPU(?=,|$)|SGM noise multiplier: True|Model hash: \w+)/g, "");

/** The recorded answer, as it is here. */
export function wantedOf({ status, response }: Golden): { status: number; response: unknown } {
  return { status, response: isObject(response) ? { ...response, ...wantedInfo(response) } : response };
}

function wantedInfo({ infotext, seed, state }: Record<string, unknown>): object {
  const random = { infotext: expect.any(String), seed: expect.any(Number) };
  if (typeof infotext === "string") {
    const ofOurModel = withoutOwn(infotext).replace(/Model: ([^,]+)/, (_, name: string) => `Model: ${MODELS[name]}`);
    return { infotext: ofOurModel };
  }
  if (isObject(state)) return { state: { ...state, job_timestamp: expect.stringMatching(/^\d+$/) } };
  return seed === "random" ? random : {};
}

/** The fields that an error answer names. */
export function fieldsNamed({ response }: Answer): string[] {
  const { detail, body } = response as { detail: { loc: unknown[] }[] | string; body?: { field?: string } };
  if (Array.isArray(detail)) return detail.map(({ loc }) => String(loc[1]));
  return body?.field === undefined ? [] : [body.field.split(".")[0]!];
}
