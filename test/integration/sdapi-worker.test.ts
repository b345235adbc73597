import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type RunningEndpoint, runCommand, startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img } from "../support/payloads.ts";

const PREFIX = "/sdapi/v1";
const HEADER = "name,prompt,negative_prompt\n";

let endpoint: RunningEndpoint;
let settings: Record<string, string>;
const styleFile = (text: string) => writeFileSync(join(folder, "styles.csv"), HEADER + text);
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sdapi-worker-"));
  styleFile("photo,photo of {prompt},blurry\n");
  settings = {
    SDAPI_LENIENT: "true",
    SDAPI_STYLES_FILE: JSON.stringify([join(folder, "*.csv"), join(folder, "none.csv")]),
  };
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint(settings, (stop) => stops.push(stop));
  await endpoint.ready();
  return async () => {
    for (const stop of stops) await stop();
    rmSync(folder, { recursive: true });
  };
});

interface Answer {
  images: string[];
  info: string;
  warnings?: string[];
}

const get = async (path: string) => (await fetch(endpoint.url + PREFIX + path)).json();
const draw = async (body: object) => {
  const response = await endpoint.post(`${PREFIX}/txt2img`, quickTxt2Img({ prompt: "a cat", ...body }));
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
};

describe("styles", () => {
  test("are listed, used, and found again in a picture", async () => {
    const style = { name: "photo", prompt: "photo of {prompt}", negative_prompt: "blurry" };
    expect(await get("/prompt-styles")).toEqual([style]);
    await endpoint.logged(({ message }) => message.includes("none.csv cannot be read"));
    const { images, info } = await draw({ styles: ["photo"] });
    expect(JSON.parse(info)).toMatchObject({ prompt: "photo of a cat", styles: ["photo"] });
    const read = await endpoint.post(`${PREFIX}/png-info`, { image: images[0] });
    const { parameters } = (await read.json()) as { parameters: object };
    expect(parameters).toMatchObject({ Prompt: "a cat", "Negative prompt": "", "Styles array": ["photo"] });
  });

  test("are read again when a client refreshes", async () => {
    styleFile("photo,photo of {prompt},blurry\ncinema,cinematic,\n");
    const names = async () => ((await get("/prompt-styles")) as { name: string }[]).map(({ name }) => name);
    expect(await names()).toEqual(["photo"]);
    await endpoint.post(`${PREFIX}/refresh-checkpoints`, "");
    expect(await names()).toEqual(["photo", "cinema"]);
  });
});

test("a lenient worker draws with what it has, and says what it left aside", async () => {
  const { warnings, info } = await draw({
    sampler_name: "Foo",
    tiling: true,
    override_settings: { sd_model_checkpoint: "no such model" },
  });
  expect(warnings).toEqual([
    expect.stringMatching(/^tiling: /),
    expect.stringMatching(/^model 'no such model' not found.* is used$/),
    expect.stringContaining("DPM++ 2M is used"),
  ]);
  expect(JSON.parse(info)).toMatchObject({ sampler_name: "DPM++ 2M", warnings });
  const wrong = await endpoint.post(`${PREFIX}/txt2img`, { steps: "many" });
  expect(wrong.status).toBe(422);
});

test("a request that comes another way gets the same", async () => {
  const body = JSON.stringify(quickTxt2Img({ prompt: "a cat", styles: ["photo"], tiling: true, steps: 2 }));
  const { code, stdout } = await runCommand(["invoke", "-"], settings, body);
  expect(code).toBe(0);
  const { warnings, info } = JSON.parse(stdout) as Answer;
  expect(warnings).toEqual([expect.stringMatching(/^tiling: /)]);
  expect(JSON.parse(info)).toMatchObject({ prompt: "photo of a cat" });
});
