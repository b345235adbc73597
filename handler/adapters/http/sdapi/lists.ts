/** A1111's lists: what this worker's ComfyUI has, in A1111's shapes; what cannot be known without opening a model is null. */
import { basename } from "node:path";
import { type Context, Hono } from "hono";
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import type { SystemStats } from "../../../../runtime/comfyui/client.ts";
import type { Engines } from "../../../../runtime/engines.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import { readSafetensorsHeader } from "../../../../runtime/safetensors.ts";
import { hasSamplingNodes } from "../../../../workflows/own-nodes.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../../../workflows/sdapi-samplers.ts";
import { SOFT_INPAINT_NODES } from "../../../../workflows/soft-inpainting.ts";
import { nameUpscaleModels, PLAIN_UPSCALERS, USUAL_SCALE } from "../../../../workflows/upscalers.ts";
import { listCheckpoints, type ModelFile, SHORT_HASH, titleOf } from "../../../request/sdapi/checkpoints.ts";
import { controlNetFiles } from "../../../request/sdapi/controlnet/models.ts";
import { describeEmbedding } from "../../../request/sdapi/embeddings.ts";
import { describeLora } from "../../../request/sdapi/loras.ts";
import FLAGS from "../../../sdapi-flags.json" with { type: "json" };
import { scriptInfo, scriptNames } from "./scripts.ts";
import { LATENT_UPSCALE_MODES, SAMPLER_OPTIONS, SCHEDULER_DEFAULTS } from "./tables.ts";

/** A client that lists while ComfyUI starts waits for so long. */
const START_WAIT_MS = 60_000;

type Answer = (engines: Engines, catalogue: Catalogue) => unknown;

/** Those that this engine runs. */
const samplersOf = (catalogue: Catalogue) =>
  SDAPI_SAMPLERS.filter(({ comfyui }) => comfyui !== undefined || hasSamplingNodes(catalogue));

const FIXED: Readonly<Record<string, unknown>> = {
  "/schedulers": SDAPI_SCHEDULERS.map(({ name, label, aliases }) => ({
    name,
    label,
    aliases: aliases.length > 0 ? aliases : null,
    default_rho: -1,
    need_inner_model: false,
    ...SCHEDULER_DEFAULTS[name],
  })),
  "/latent-upscale-modes": LATENT_UPSCALE_MODES.map((name) => ({ name })),
  "/face-restorers": [],
  "/extensions": [],
  // As A1111 has them when it is started with nothing but the API. Its folders are not here, and passwords are not told.
  "/cmd-flags": FLAGS,
};

const LISTED: Readonly<Record<string, Answer>> = {
  "/samplers": (_, catalogue) =>
    samplersOf(catalogue).map(({ name, aliases, automatic }) => ({
      name,
      aliases,
      options: { ...(automatic && { scheduler: automatic }), ...SAMPLER_OPTIONS[name] },
    })),
  "/sd-models": (engines, catalogue) => listCheckpoints(catalogue).map((model) => describeCheckpoint(engines, model)),
  "/sd-vae": (engines, { vaes }) =>
    vaes.map((file) => ({ model_name: basename(file), filename: pathOf(engines, "vae", file) })),
  "/loras": async (engines, catalogue) => await eachLora(engines, catalogue),
  "/script-info": (engines, catalogue) =>
    scriptInfo({
      checkpoints: listCheckpoints(catalogue).map((model) => describeCheckpoint(engines, model).title),
      samplers: samplersOf(catalogue).map(({ name }) => name),
      hasSoftInpainting: hasSoftInpainting(catalogue),
    }),
  "/hypernetworks": (engines, catalogue) =>
    catalogue
      .choices("HypernetworkLoader", "hypernetwork_name")
      .map((file) => ({ name: stem(basename(file)), path: pathOf(engines, "hypernetworks", file) })),
  "/upscalers": (engines, catalogue) => [
    ...PLAIN_UPSCALERS.map((name) => ({
      name,
      model_name: null,
      model_path: null,
      model_url: null,
      scale: USUAL_SCALE,
    })),
    ...upscaleModels(catalogue).map(({ name, file, scale }) => ({
      name,
      model_name: name,
      model_path: pathOf(engines, "upscale_models", file),
      model_url: null,
      scale,
    })),
  ],
  "/realesrgan-models": (engines, catalogue) =>
    upscaleModels(catalogue)
      .filter(({ isRealEsrgan }) => isRealEsrgan)
      .map(({ name, file, scale }) => ({ name, path: pathOf(engines, "upscale_models", file), scale })),
  "/embeddings": async (engines) => ({ loaded: await loadedEmbeddings(engines), skipped: {} }),
  "/scripts": (_, catalogue) => {
    // Clients take the first name, of a script that is not available itself, for the sign that units are.
    const controlnet = controlNetFiles(catalogue).length > 0 ? ["controlnet m2m", "controlnet"] : [];
    const { txt2img, img2img } = scriptNames(hasSoftInpainting(catalogue));
    return { txt2img: [...txt2img, ...controlnet], img2img: [...img2img, ...controlnet] };
  },
  "/memory": async (engines) => memoryOf(await engines.current?.supervisor.current?.link.client.systemStats()),
};

export function sdapiLists(engines: Engines): Hono {
  const routes = new Hono();
  for (const [path, body] of Object.entries(FIXED)) routes.get(path, (context) => context.json(body as object));
  for (const [path, answer] of Object.entries(LISTED))
    routes.get(path, async (context) =>
      context.json((await answer(engines, await servingCatalogue(context, engines))) as object),
    );
  return routes;
}

/** @throws EndpointError `not_ready` when ComfyUI takes too long to start, or what ended it. */
export async function servingCatalogue(context: Context, engines: Engines): Promise<Catalogue> {
  const patience = new AbortController();
  const stop = (code: "not_ready" | "cancelled", message: string) => () =>
    patience.abort(new EndpointError(code, message));
  const clock = setTimeout(stop("not_ready", "ComfyUI is still starting"), START_WAIT_MS);
  context.req.raw.signal.addEventListener("abort", stop("cancelled", "the caller went away"), { once: true });
  try {
    return await engines.catalogue(patience.signal);
  } finally {
    clearTimeout(clock);
  }
}

const hasSoftInpainting = (catalogue: Catalogue) => SOFT_INPAINT_NODES.every((node) => catalogue.has(node));

/** The model that an option names. */
export const checkpointOf = (file: string, catalogue: Catalogue): ModelFile =>
  listCheckpoints(catalogue).find((model) => model.file === file) ?? { folder: "checkpoints", file };

/** An item of `/sd-models`; the title has no hash until it is known. */
export function describeCheckpoint(engines: Engines, model: ModelFile) {
  const { folder, file } = model;
  const sha256 = engines.models.sha256(folder, file) ?? null;
  return {
    title: titleOf(model, engines.models),
    model_name: stem(file).replaceAll("/", "_"),
    hash: sha256?.slice(0, SHORT_HASH) ?? null,
    sha256,
    filename: pathOf(engines, folder, file),
    config: null,
  };
}

/** One after the other: there may be thousands, on a disk that is far away. */
async function eachLora(engines: Engines, catalogue: Catalogue) {
  const loras = [];
  for (const file of catalogue.choices("LoraLoader", "lora_name")) {
    const path = engines.models.path("loras", file);
    loras.push(describeLora(file, path ?? file, path === undefined ? undefined : await readSafetensorsHeader(path)));
  }
  return loras;
}

/** By name. What cannot be known without opening a pickle is null. */
async function loadedEmbeddings(engines: Engines) {
  const names = (await engines.current?.supervisor.current?.link.client.embeddings()) ?? [];
  const loaded: [string, object][] = [];
  for (const name of names) loaded.push([name, await describeEmbedding(name, engines.models)]);
  return Object.fromEntries(loaded);
}

const upscaleModels = (catalogue: Catalogue) =>
  nameUpscaleModels(catalogue.choices("UpscaleModelLoader", "model_name"));

/** Absolute where that is known, else as ComfyUI's list has it. */
const pathOf = (engines: Engines, folder: string, file: string) => engines.models.path(folder, file) ?? file;

const stem = (file: string) => file.replace(/\.[^./]+$/, "");

function memoryOf(stats: SystemStats | undefined) {
  const amount = (free = 0, total = 0) => ({ free, used: total - free, total });
  const device = stats?.devices.find(({ type }) => type === "cuda");
  const uncounted = { current: 0, peak: 0 };
  return {
    ram: amount(stats?.system.ram_free, stats?.system.ram_total),
    cuda: device
      ? {
          system: amount(device.vram_free, device.vram_total),
          active: uncounted,
          allocated: uncounted,
          reserved: uncounted,
          inactive: uncounted,
          events: { retries: 0, oom: 0 },
        }
      : { error: "unavailable" },
  };
}
