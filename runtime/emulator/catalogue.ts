/** The node catalogue captured from ComfyUI 0.33.0 (`object_info.json`): what exists, and what each class takes and gives. */
import { readdirSync, readFileSync } from "node:fs";
import { OWN_CLASSES } from "./own-classes.ts";
import { dumps, loads } from "./python.ts";

/** `[TYPE, options?]`; an old-style combo has its list of values where the type stands. */
export type InputSpec = readonly [type: string | unknown[], options?: Record<string, unknown>];

export type InputGroups = Partial<Record<"required" | "optional", Record<string, InputSpec>>>;

export interface NodeClass {
  input: InputGroups & { hidden?: Record<string, string | string[]> };
  output: (string | unknown[])[];
  output_is_list: boolean[];
  output_node: boolean;
  is_input_list?: boolean;
  has_intermediate_output?: boolean;
}

/** Where `GET /models/{folder}` finds its names in the catalogue; folders of ComfyUI that no loader lists are empty. */
const MODEL_FOLDERS: Record<string, readonly [classType: string, input: string] | undefined> = {
  checkpoints: ["CheckpointLoaderSimple", "ckpt_name"],
  configs: ["CheckpointLoader", "config_name"],
  loras: ["LoraLoader", "lora_name"],
  vae: ["VAELoader", "vae_name"],
  text_encoders: ["CLIPLoader", "clip_name"],
  diffusion_models: ["UNETLoader", "unet_name"],
  clip_vision: ["CLIPVisionLoader", "clip_name"],
  style_models: ["StyleModelLoader", "style_model_name"],
  embeddings: undefined,
  diffusers: undefined,
  vae_approx: undefined,
  controlnet: ["ControlNetLoader", "control_net_name"],
  gligen: ["GLIGENLoader", "gligen_name"],
  upscale_models: ["UpscaleModelLoader", "model_name"],
  latent_upscale_models: ["LatentUpscaleModelLoader", "model_name"],
  custom_nodes: undefined,
  datasets: undefined,
  hypernetworks: ["HypernetworkLoader", "hypernetwork_name"],
  photomaker: ["PhotoMakerLoader", "photomaker_model_name"],
  classifiers: undefined,
  model_patches: ["ModelPatchLoader", "name"],
  audio_encoders: ["AudioEncoderLoader", "audio_encoder_name"],
  background_removal: ["LoadBackgroundRemovalModel", "bg_removal_name"],
  frame_interpolation: ["FrameInterpolationModelLoader", "model_name"],
  geometry_estimation: undefined,
  optical_flow: ["OpticalFlowLoader", "model_name"],
  detection: undefined,
};

/** Names that the VAE loader offers without a file of that name. */
const BUILT_IN_MODELS = new Set(["pixel_space", "taesd"]);

/** Textual inversions that the recorded server had. */
export const EMBEDDINGS = ["tiny-embedding"];

export const MODEL_FOLDER_NAMES = Object.keys(MODEL_FOLDERS);

/** The values of a combo in either of its shapes; undefined when the input is not a combo. */
export function comboOptions([type, options]: InputSpec): unknown[] | undefined {
  if (Array.isArray(type)) return type;
  return type === "COMBO" ? ((options?.["options"] as unknown[] | undefined) ?? []) : undefined;
}

export class Catalogue {
  readonly #classes: Record<string, NodeClass>;
  readonly #inputFolder: string;

  /**
   * @param inputFolder where the choices of LoadImage and its kin live; read anew at each look
   * @param hasOwnClasses whether our own nodes were loaded beside ComfyUI's
   */
  constructor(inputFolder: string, hasOwnClasses: boolean) {
    const captured = loads(readFileSync(new URL("object_info.json", import.meta.url), "utf8"));
    this.#classes = { ...(captured as Record<string, NodeClass>), ...(hasOwnClasses && OWN_CLASSES) };
    this.#inputFolder = inputFolder;
  }

  /** The class as `/object_info` shows it now; undefined when it is not installed. */
  get(classType: unknown): NodeClass | undefined {
    if (typeof classType !== "string" || !Object.hasOwn(this.#classes, classType)) return undefined;
    const nodeClass = this.#classes[classType] as NodeClass;
    const { required } = nodeClass.input;
    const listing = Object.entries(required ?? {}).find(
      ([, [type, options]]) => Array.isArray(type) && options?.["image_upload"] === true,
    );
    if (listing === undefined) return nodeClass;
    const [name, [, options = {}]] = listing;
    return { ...nodeClass, input: { ...nodeClass.input, required: { ...required, [name]: [this.#files(), options] } } };
  }

  /** `GET /object_info[/{class}]` as JSON text; an unknown class gives an empty object. */
  describe(classType?: string): string {
    const names = classType === undefined ? Object.keys(this.#classes) : [classType];
    const known = names
      .map((name) => [name, this.get(name)] as const)
      .filter(([, nodeClass]) => nodeClass !== undefined);
    return dumps(Object.fromEntries(known));
  }

  /** File names of one model folder; undefined when ComfyUI has no such folder. */
  models(folder: string): string[] | undefined {
    if (!Object.hasOwn(MODEL_FOLDERS, folder)) return undefined;
    const source = MODEL_FOLDERS[folder];
    if (source === undefined) return [];
    const spec = this.get(source[0])?.input.required?.[source[1]];
    return ((spec && comboOptions(spec)) ?? []).filter(
      (name): name is string => typeof name === "string" && !BUILT_IN_MODELS.has(name),
    );
  }

  #files(): string[] {
    return readdirSync(this.#inputFolder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  }
}
