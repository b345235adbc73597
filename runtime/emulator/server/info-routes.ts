/** What the server is and has: `/system_stats`, `/features`, `/object_info`, `/models`, `/embeddings`. */
import os from "node:os";
import type { Hono } from "hono";
import { type Catalogue, EMBEDDINGS, MODEL_FOLDER_NAMES } from "../catalogue.ts";
import { empty, json, jsonText } from "./http.ts";

export const COMFYUI_VERSION = "0.33.0";

/** @param maxUploadBytes a raw number when the flag was given: ComfyUI then reports a float */
export function serverFeatures(maxUploadBytes: number | object) {
  return {
    supports_preview_metadata: true,
    supports_model_type_tags: true,
    max_upload_size: maxUploadBytes,
    extension: { manager: { supports_v4: true } },
    node_replacements: true,
    assets: false,
  };
}

export function addInfoRoutes(app: Hono, catalogue: Catalogue, features: unknown, argv: readonly string[]): void {
  app.get("/system_stats", () => json(systemStats(argv)));
  app.get("/features", () => json(features));
  app.get("/object_info", () => jsonText(catalogue.describe()));
  app.get("/object_info/:class", (c) => jsonText(catalogue.describe(c.req.param("class"))));
  app.get("/models", () => json(MODEL_FOLDER_NAMES));
  app.get("/models/:folder", (c) => {
    const names = catalogue.models(c.req.param("folder"));
    return names === undefined ? empty(404) : json(names);
  });
  app.get("/embeddings", () => json(EMBEDDINGS));
}

function systemStats(argv: readonly string[]) {
  const [total, free] = [os.totalmem(), os.freemem()];
  return {
    system: {
      os: process.platform,
      ram_total: total,
      ram_free: free,
      comfyui_version: COMFYUI_VERSION,
      emulator: true,
      required_frontend_version: null,
      installed_templates_version: null,
      required_templates_version: null,
      comfy_package_versions: [],
      python_version: `none (Node ${process.version})`,
      pytorch_version: "none",
      embedded_python: false,
      deploy_environment: "emulator",
      argv: ["main.py", ...argv],
    },
    devices: [
      {
        name: "cpu",
        type: "cpu",
        index: null,
        vram_total: total,
        vram_free: free,
        torch_vram_total: total,
        torch_vram_free: free,
      },
    ],
  };
}
