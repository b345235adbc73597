/** The routes of A1111's ControlNet extension that list what units may name: sd-webui-controlnet, scripts/api.py. */
import { type Context, Hono } from "hono";
import type { Engines } from "../../../../runtime/engines.ts";
import { shortHash } from "../../../../runtime/short-hash.ts";
import { controlNetFiles, controlNetName } from "../../../request/sdapi/controlnet/models.ts";
import { PREPROCESSORS, type Preprocessor, type Slider } from "../../../request/sdapi/controlnet/preprocessors.ts";
import { servingCatalogue } from "./lists.ts";

/** Of the extension's API; clients ask for it to see whether the extension is there. */
const VERSION = 3;
/** The extension's default number of units that its web page shows. */
const UNITS = 3;
const NO_MODEL = "None";

/** Control types whose maps can be made before they are sent, with what else their models' names may hold. */
const CONTROL_TYPES: Readonly<Record<string, readonly string[]>> = {
  Canny: ["union"],
  Depth: ["union"],
  InstructP2P: ["ip2p"],
  Lineart: ["union"],
  MLSD: ["union"],
  NormalMap: ["normal", "union"],
  OpenPose: ["densepose", "union"],
  Recolor: [],
  Scribble: ["sketch", "union"],
  Segmentation: ["seg", "union"],
  Shuffle: [],
  SoftEdge: ["union"],
  "T2I-Adapter": ["t2i_adapter", "t2iadapter", "t2ia"],
  Tile: ["blur", "union"],
};

/** Below {@link CONTROLNET_PREFIX}. */
export function controlnetRoutes(engines: Engines): Hono {
  const routes = new Hono();
  routes.get("/version", (context) => context.json({ version: VERSION }));
  routes.get("/settings", (context) => context.json({ control_net_unit_count: UNITS }));
  routes.get("/model_list", async (context) => {
    if (context.req.query("update") !== "false") await (await servingCatalogue(context, engines)).reload();
    return context.json({ model_list: [NO_MODEL, ...(await modelNames(context, engines))] });
  });
  routes.get("/module_list", (context) => {
    const isAlias = /^(true|1|on|yes)$/i.test(context.req.query("alias_names") ?? "");
    const named = PREPROCESSORS.map((preprocessor) => [nameOf(preprocessor, isAlias), preprocessor] as const);
    return context.json({
      module_list: named.map(([name]) => name),
      module_detail: Object.fromEntries(named.map(([name, preprocessor]) => [name, detailOf(preprocessor)])),
    });
  });
  routes.get("/control_types", async (context) => {
    const models = [NO_MODEL, ...(await modelNames(context, engines))];
    const types = Object.entries(CONTROL_TYPES).map(([type, parts]) => [type, controlType(type, parts, models)]);
    return context.json({ control_types: { All: everything(models), ...Object.fromEntries(types) } });
  });
  return routes;
}

/** As the extension titles them: with A1111's old short hash, where the file can be read. */
async function modelNames(context: Context, engines: Engines): Promise<string[]> {
  const files = controlNetFiles(await servingCatalogue(context, engines));
  const titled = files.map(async (file) => {
    const path = engines.models.path("controlnet", file);
    const hash = path === undefined ? undefined : await shortHash(path);
    return hash === undefined ? controlNetName(file) : `${controlNetName(file)} [${hash}]`;
  });
  return (await Promise.all(titled)).sort();
}

const nameOf = ({ name, label }: Preprocessor, isAlias: boolean) => (isAlias ? label : name);

const detailOf = ({ resolution, thresholdA, thresholdB }: Preprocessor) => ({
  model_free: false,
  sliders: [resolution, thresholdA, thresholdB].flatMap(describeSlider),
});

const describeSlider = ({ label, value, min, max, step }: Slider) =>
  label === null ? [] : [{ name: label, value, min, max, step }];

const everything = (models: readonly string[]) => ({
  module_list: PREPROCESSORS.map(({ label }) => label),
  model_list: models,
  default_option: "none",
  default_model: NO_MODEL,
});

function controlType(type: string, parts: readonly string[], models: readonly string[]) {
  const preprocessors = PREPROCESSORS.filter(({ name, types }) => name === "none" || isOneOf(types, type));
  const wanted = [type.toLowerCase(), ...parts];
  const fitting = models.filter(
    (model) => model === NO_MODEL || wanted.some((part) => model.toLowerCase().includes(part)),
  );
  // Those of ControlNet 1.1 first.
  const usual = fitting.slice(1).find((model) => model.split("[")[0]!.includes("11"));
  return {
    module_list: preprocessors.map(({ label }) => label),
    model_list: fitting,
    default_option: (preprocessors[1] ?? preprocessors[0]!).label,
    default_model: usual ?? fitting[1] ?? NO_MODEL,
  };
}

const isOneOf = (types: readonly string[], type: string) => types.includes(type);
