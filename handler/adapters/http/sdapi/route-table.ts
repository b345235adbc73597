/** The one table of A1111's core routes, and what becomes of a request for none that is served. */
import { fourKeys, frameworkError, type SdapiError } from "./errors.ts";

export const SDAPI_PREFIX = "/sdapi/v1";

/** What a route answers here, for the README; `null` is a route of A1111 that is refused with 501. */
export const SDAPI_ROUTES: Readonly<Record<string, string | null>> = {
  "POST /txt2img": "pictures",
  "POST /img2img":
    "pictures; each as large as `width` x `height`, or, where only the masked part was drawn, as the picture that was sent",
  "POST /extra-single-image": "the picture, larger: by Lanczos, Nearest, or an upscale model; faces are not restored",
  "POST /extra-batch-images": "the same for several pictures",
  "POST /png-info": "the infotext of a PNG, JPEG, WebP or GIF file (base64 or data URI), and its parameters",
  "GET /progress":
    "step, steps, job and time left of the oldest A1111 request; with its preview if one was asked for within the minute before it began",
  "POST /interrogate": null,
  "POST /interrupt": "ends the A1111 request that runs; its caller gets 499 `cancelled`",
  "POST /skip": "nothing: a single picture of a request cannot be skipped",
  "GET /options": "A1111's options with their defaults, and what was set",
  "POST /options":
    "sets any of them for this worker until it stops; requests follow those that `override_settings` may hold, the header `x-options-without-effect` names the others",
  "GET /cmd-flags": "A1111's defaults with `api` and `nowebui`; its folders are null",
  "GET /samplers": "A1111's; without PLMS and Restart, where ComfyUI has not our nodes",
  "GET /schedulers": "A1111's",
  "GET /upscalers": "None, Lanczos, Nearest, and ComfyUI's upscale models, those that A1111 knows under its names",
  "GET /latent-upscale-modes": "A1111's six",
  "GET /sd-models":
    "checkpoints; SHA-256 from `model.sha256` or `model.safetensors.sha256`, else computed in the background when ComfyUI runs here",
  "GET /sd-vae": "VAE files",
  "GET /hypernetworks": "hypernetworks",
  "GET /face-restorers": "empty",
  "GET /realesrgan-models": "the upscale models of that kind",
  "GET /prompt-styles": "the styles of `SDAPI_STYLES_FILE`",
  "GET /embeddings": "those of ComfyUI; shape and vectors from their files where these can be read",
  "POST /refresh-embeddings": "reads the lists again",
  "POST /refresh-checkpoints": "reads the lists again",
  "POST /refresh-vae": "reads the lists again",
  "POST /create/embedding": null,
  "POST /create/hypernetwork": null,
  "POST /train/embedding": null,
  "POST /train/hypernetwork": null,
  "GET /memory": "ComfyUI's; the counters of PyTorch are 0",
  "POST /unload-checkpoint": "frees the GPU's memory",
  "POST /reload-checkpoint": "nothing: ComfyUI loads what a request needs",
  "GET /scripts":
    "`extra options`, `refiner`, `sampler` and `seed`; img2img also `soft inpainting`; ControlNet, where there is a model for it",
  "GET /script-info": "those of A1111 among them, with its arguments",
  "GET /extensions": "empty",
  "GET /loras": "LoRA files; alias and metadata from their headers where these can be read",
  "POST /refresh-loras": "reads the lists again",
};

export const CONTROLNET_PREFIX = "/controlnet";

/** As {@link SDAPI_ROUTES}: those of A1111's ControlNet extension. */
export const CONTROLNET_ROUTES: Readonly<Record<string, string | null>> = {
  "GET /version": "3",
  "GET /model_list": "ControlNet models, with A1111's short hash where the file can be read",
  "GET /module_list": "the preprocessors that are available",
  "GET /control_types": "both, by type",
  "GET /settings": "`control_net_unit_count`",
  "POST /detect": null,
  "POST /render_openpose_json": null,
};

const METHODS = ["GET", "POST"];
const TABLES = { [SDAPI_PREFIX]: SDAPI_ROUTES, [CONTROLNET_PREFIX]: CONTROLNET_ROUTES };

export const isSdapiPath = (path: string) => /^\/(sdapi|controlnet)(\/|$)/.test(path);

/** What A1111's own server would answer, with a 404 in its shape. */
export const isOfA1111 = (path: string) =>
  path === "/" || path.startsWith("/internal/") || isSdapiPath(path.toLowerCase());

export const isSdapiRoute = (method: string, path: string) =>
  Object.entries(TABLES).some(
    ([prefix, table]) => path.startsWith(`${prefix}/`) && `${method} ${path.slice(prefix.length)}` in table,
  );

/** Starlette leads `/samplers/` to `/samplers`; undefined when that is no path of A1111's. */
export function withoutSlash(path: string): string | undefined {
  const bare = path.replace(/\/$/, "");
  return bare !== path && METHODS.some((method) => isSdapiRoute(method, bare)) ? bare : undefined;
}

/** What A1111's own server would say, or that the route is not supported. */
export function noRoute(method: string, path: string): SdapiError {
  if (isSdapiRoute(method, path)) return fourKeys(501, "NotSupported", `${path} is not supported by this endpoint`);
  const isPath = METHODS.some((other) => isSdapiRoute(other, path));
  return isPath ? frameworkError(405, "Method Not Allowed") : frameworkError(404, "Not Found");
}
