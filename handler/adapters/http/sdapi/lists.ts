/** A1111's lists: what this worker's ComfyUI has, in A1111's shapes; what cannot be known without opening a model is null. */
import { basename } from "node:path";
import { type Context, Hono } from "hono";
import type { Catalogue } from "../../../../runtime/comfyui/catalogue.ts";
import type { SystemStats } from "../../../../runtime/comfyui/client.ts";
import type { Engine } from "../../../../runtime/engine.ts";
import { EndpointError } from "../../../../runtime/errors.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../../../workflows/sampler-names.ts";
import { SCRIPTS, scriptInfo } from "./scripts.ts";
import { LATENT_UPSCALE_MODES, SAMPLER_OPTIONS, SCHEDULER_DEFAULTS } from "./tables.ts";

/** A client that lists while ComfyUI starts waits for so long. */
const START_WAIT_MS = 60_000;

type Answer = (engine: Engine, catalogue: Catalogue) => unknown;

const FIXED: Readonly<Record<string, unknown>> = {
  "/samplers": SDAPI_SAMPLERS.filter(({ comfyui }) => comfyui).map(({ name, aliases, automatic }) => ({
    name,
    aliases,
    options: { ...(automatic && { scheduler: automatic }), ...SAMPLER_OPTIONS[name] },
  })),
  "/schedulers": SDAPI_SCHEDULERS.filter(({ comfyui }) => comfyui).map(({ name, label, aliases }) => ({
    name,
    label,
    aliases: aliases.length > 0 ? aliases : null,
    default_rho: -1,
    need_inner_model: false,
    ...SCHEDULER_DEFAULTS[name],
  })),
  "/latent-upscale-modes": LATENT_UPSCALE_MODES.map((name) => ({ name })),
  "/face-restorers": [],
  "/scripts": SCRIPTS,
  "/extensions": [],
  "/cmd-flags": { api: true, nowebui: true },
};

const LISTED: Readonly<Record<string, Answer>> = {
  "/sd-models": (engine, { checkpoints }) => checkpoints.map((file) => describeCheckpoint(engine, file)),
  "/sd-vae": (engine, { vaes }) =>
    vaes.map((file) => ({ model_name: basename(file), filename: pathOf(engine, "vae", file) })),
  "/loras": (engine, catalogue) =>
    catalogue.choices("LoraLoader", "lora_name").map((file) => {
      const name = stem(basename(file));
      return { name, alias: name, path: pathOf(engine, "loras", file), metadata: {} };
    }),
  "/script-info": (engine, { checkpoints }) =>
    scriptInfo(checkpoints.map((file) => describeCheckpoint(engine, file).title)),
  "/hypernetworks": (engine, catalogue) =>
    catalogue
      .choices("HypernetworkLoader", "hypernetwork_name")
      .map((file) => ({ name: stem(basename(file)), path: pathOf(engine, "hypernetworks", file) })),
  "/upscalers": (engine, catalogue) => [
    ...["None", "Lanczos", "Nearest"].map((name) => ({
      name,
      model_name: null,
      model_path: null,
      model_url: null,
      scale: 4,
    })),
    ...upscaleModels(engine, catalogue).map(({ name, path, scale }) => ({
      name,
      model_name: name,
      model_path: path,
      model_url: null,
      scale,
    })),
  ],
  "/realesrgan-models": (engine, catalogue) =>
    upscaleModels(engine, catalogue).filter(({ name }) => /real-?esrgan/i.test(name)),
  "/embeddings": async (engine) => {
    const names = (await engine.supervisor.current?.link.client.embeddings()) ?? [];
    const unknown = { step: null, sd_checkpoint: null, sd_checkpoint_name: null, shape: null, vectors: null };
    return { loaded: Object.fromEntries(names.map((name) => [name, unknown])), skipped: {} };
  },
  "/memory": async (engine) => memoryOf(await engine.supervisor.current?.link.client.systemStats()),
};

export function sdapiLists(engine: Engine): Hono {
  const routes = new Hono();
  for (const [path, body] of Object.entries(FIXED)) routes.get(path, (context) => context.json(body as object));
  for (const [path, answer] of Object.entries(LISTED))
    routes.get(path, async (context) =>
      context.json((await answer(engine, await servingCatalogue(context, engine))) as object),
    );
  return routes;
}

/** @throws EndpointError `not_ready` when ComfyUI takes too long to start, or what ended it. */
export async function servingCatalogue(context: Context, engine: Engine): Promise<Catalogue> {
  const patience = new AbortController();
  const stop = (code: "not_ready" | "cancelled", message: string) => () =>
    patience.abort(new EndpointError(code, message));
  const clock = setTimeout(stop("not_ready", "ComfyUI is still starting"), START_WAIT_MS);
  context.req.raw.signal.addEventListener("abort", stop("cancelled", "the caller went away"), { once: true });
  try {
    const catalogue = await engine.catalogue(patience.signal);
    await engine.findModels(patience.signal);
    return catalogue;
  } finally {
    clearTimeout(clock);
  }
}

/** An item of `/sd-models`; the title has no hash until it is known. */
export function describeCheckpoint(engine: Engine, file: string) {
  const sha256 = engine.models.sha256("checkpoints", file) ?? null;
  const hash = sha256?.slice(0, 10) ?? null;
  return {
    title: hash === null ? file : `${file} [${hash}]`,
    model_name: stem(file).replaceAll("/", "_"),
    hash,
    sha256,
    filename: pathOf(engine, "checkpoints", file),
    config: null,
  };
}

function upscaleModels(engine: Engine, catalogue: Catalogue) {
  return catalogue.choices("UpscaleModelLoader", "model_name").map((file) => {
    const name = stem(basename(file));
    const [, before, after] = name.match(/(?<![a-z0-9])(\d)x|x(\d)(?![a-z0-9])/i) ?? [];
    return { name, path: pathOf(engine, "upscale_models", file), scale: Number(before ?? after ?? 4) };
  });
}

/** Absolute where that is known, else as ComfyUI's list has it. */
const pathOf = (engine: Engine, folder: string, file: string) => engine.models.path(folder, file) ?? file;

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
