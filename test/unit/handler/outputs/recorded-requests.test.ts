/** Every request whose infotext was recorded from A1111 v1.10.1, sent here: the same `info`, word for word. */
import { describe, expect, test } from "vitest";
import { parseRequest } from "../../../../handler/request/envelope.ts";
import { NO_SETTINGS, type SdapiSettings } from "../../../../handler/request/sdapi/settings.ts";
import { Styles } from "../../../../handler/styles/styles.ts";
import recorded from "../../../fixtures/sdapi/infotext.json" with { type: "json" };
import { loadCatalogue } from "../../../support/catalogue.ts";
import { completed, output } from "../../../support/completed.ts";
import { modelFolder } from "../../../support/model-folder.ts";
import { HEADERS } from "../../../support/model-headers.ts";
import { safetensorsFile } from "../../../support/safetensors.ts";
import { standInPicture } from "../../../support/stand-in-pictures.ts";
import { rejectionOf } from "../../../support/thrown.ts";

interface Recorded {
  name: string;
  route: "txt2img" | "img2img";
  status: number;
  request: Record<string, unknown>;
  info?: Info;
  infotexts?: string[];
  extra_generation_params?: object;
  info_rest?: object;
}

interface Info extends Record<string, unknown> {
  infotexts: string[];
  extra_generation_params: object;
}

const CASES = recorded.create as unknown as Recorded[];
const ANSWERED = CASES.filter(({ status }) => status === 200);

/** Refused by name, where A1111 draws without; lenient mode does as A1111 does. */
const LENIENT = ["Euler + scheduler nonsense", "unknown sampler", "lora missing", "checkpoint unknown"];

/** Answered otherwise, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "euler lower case": "the sampler that is meant is taken, where A1111 takes DPM++ 2M",
  "alias k_euler_a": "the sampler that is meant is taken, where A1111 takes DPM++ 2M",
  tiling: "refused by name",
  s_min_uncond: "refused by name",
  "skip early cond": "refused by name",
  "inpaint return mask": "refused by name",
  "save init hash": "the hash names a file that A1111 saves; none is saved here",
};

test("the tables name recorded requests, each once, and few", () => {
  const listed = [...LENIENT, ...Object.keys(OTHERWISE)];
  const known = ANSWERED.map(({ name }) => name);
  expect(listed.filter((name, index) => !known.includes(name) || listed.indexOf(name) !== index)).toEqual([]);
  expect(Object.keys(OTHERWISE).length).toBeLessThanOrEqual(0.05 * CASES.length);
});

/** With the hashes that the recorder's stand-ins have. */
const sidecar = (hash: string) => hash.padEnd(64, "0");
const lora = (hash: string, notes: object = {}) => safetensorsFile(HEADERS.lora, { sshs_model_hash: hash, ...notes });
const MODELS = {
  "checkpoints/v1-5-pruned-emaonly.safetensors": safetensorsFile(HEADERS.sd1),
  "checkpoints/v1-5-pruned-emaonly.sha256": sidecar("f52a73fc78"),
  "checkpoints/sdxl_base, 1.0.safetensors": safetensorsFile(HEADERS.sdxl),
  "checkpoints/sdxl_base, 1.0.sha256": sidecar("87970dcaf9"),
  "checkpoints/sub/other model.ckpt": "",
  "checkpoints/sub/other model.sha256": sidecar("04efaf080f"),
  "checkpoints/refiner.safetensors": safetensorsFile(HEADERS.sd1),
  "checkpoints/refiner.sha256": sidecar("ccefd292db"),
  "loras/add_detail.safetensors": lora("8959f8e61a8b"),
  "loras/style.safetensors": lora("edf8b8b2236d", { ss_output_name: "style_alias" }),
  "loras/has, comma.safetensors": lora("74a8ead9c41c"),
};
/** As ComfyUI lists them. */
const namesIn = (folder: string) =>
  Object.keys(MODELS)
    .filter((path) => path.startsWith(`${folder}/`) && !path.endsWith(".sha256"))
    .map((path) => path.slice(folder.length + 1));
const catalogue = await loadCatalogue(namesIn("checkpoints"), { LoraLoader: { lora_name: namesIn("loras") } }, "own");

const STYLES = new Styles(
  (recorded.styles as [string, string, string][]).map(([name, prompt, negativePrompt]) => ({
    name,
    prompt,
    negativePrompt,
  })),
);

type Sent = Pick<Recorded, "name" | "route" | "request">;

interface Answer {
  parameters: Record<string, unknown>;
  info: string;
}

async function send({ route, request }: Sent, pictures: number, worker: Partial<SdapiSettings> = {}) {
  const initImages = request["init_images"] as string[] | undefined;
  const body = {
    ...request,
    ...(initImages && { init_images: await Promise.all(initImages.map(standInPicture)) }),
    ...("mask" in request && { mask: await standInPicture(request["mask"]) }),
  };
  const { models } = modelFolder(MODELS);
  const parsed = parseRequest(body, `sdapi/${route}`, { ...NO_SETTINGS, styles: STYLES, ...worker });
  const built = await parsed.build({ catalogue, models, isFresh: true });
  return built.encode(completed(Array.from({ length: pictures }, () => output()))) as Answer;
}

async function answerTo(...given: Parameters<typeof send>) {
  const { info } = await send(...given);
  const { warnings, ...rest } = JSON.parse(info) as Info & { warnings?: string[] };
  return rest;
}

const withoutRelease = (infotext: string) => infotext.replace(/, Version: [^,]+/, ", Version: any");

/** A1111 writes it where it reads a prompt, for which the recorder had a stand-in that reads none. */
const UNRECORDED = "Emphasis";

const EMPTY: Info = { infotexts: [], extra_generation_params: {} };

async function expectSame(it: Recorded, worker?: Partial<SdapiSettings>) {
  const expected = it.infotexts ?? it.info!.infotexts;
  const { infotexts, extra_generation_params, ...info } = await answerTo(it, expected.length, worker);
  const { [UNRECORDED]: emphasis, ...extra } = extra_generation_params as Record<string, unknown>;
  const recordable = (text: string) => withoutRelease(text).replace(`, ${UNRECORDED}: ${emphasis}`, "");
  expect(infotexts.map(recordable)).toEqual(expected.map(withoutRelease));
  expect(extra).toEqual(it.extra_generation_params ?? it.info!.extra_generation_params);
  const { infotexts: _, extra_generation_params: __, version, ...whole } = it.info ?? EMPTY;
  expect(info).toMatchObject({ ...whole, ...it.info_rest });
}

const NOT_THE_SAME = Object.keys(OTHERWISE);
const GRID = "batch 2 with grid";
const isPlain = ({ name }: Recorded) => ![...NOT_THE_SAME, ...LENIENT, GRID].includes(name);

describe("the same info", () => {
  test.each(ANSWERED.filter(isPlain))("$route: $name", async (it) => {
    await expectSame(it);
  });

  test.each(ANSWERED.filter(({ name }) => LENIENT.includes(name)))("in lenient mode: $name", async (it) => {
    expect((await rejectionOf(answerTo(it, 1))).code).toMatch(/^unknown_/);
    await expectSame(it, { isLenient: true });
  });

  test("a grid, for who asks for one", async () => {
    const it = ANSWERED.find(({ name }) => name === GRID)!;
    await expectSame({ ...it, request: { ...it.request, override_settings: { return_grid: true } } });
  });
});

const ECHOES = recorded.parameters_echo as (Sent & { parameters: object })[];

test.each(ECHOES)("the same parameters come back: $route: $name", async (it) => {
  const { parameters } = await send(it, 1);
  expect(JSON.parse(JSON.stringify(parameters))).toEqual(it.parameters);
});

/** A list that has outlived its reason fails here. */
test.each(ANSWERED.filter(({ name }) => NOT_THE_SAME.includes(name)))("not the same: $route: $name", async (it) => {
  await expect(expectSame(it)).rejects.toThrow();
});

describe("what crashed there is answered or refused", () => {
  test.each(CASES.filter(({ status }) => status >= 500))("$route: $name", async (it) => {
    const outcome = await answerTo(it, 1).catch((error: { httpStatus: number }) => error.httpStatus);
    expect(outcome).toSatisfy((status) => typeof status === "object" || (status >= 400 && status < 500));
  });
});
