/** What may be asked for, in which form, and what is refused before an engine sees it. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";
import { type Block, firstPixel } from "../block.ts";

const GRAPH = colourGraph(0x112233);
/** Beside `{"prompt": GRAPH}`, which most other tests send. */
const FORMS: readonly (readonly [name: string, payload: object])[] = [
  ["a bare graph", GRAPH],
  ["a graph as `workflow`", { workflow: GRAPH }],
  ["worker-comfyui's input", { input: { workflow: GRAPH } }],
  ["a graph as `workflow_json` of an input", { input: { workflow_json: GRAPH } }],
  ["an input that is JSON in a text", { input: JSON.stringify({ prompt: GRAPH }) }],
];

/** A1111's, of 64 pixels. */
const A1111_FORMS: readonly (readonly [name: string, payload: object])[] = [
  ["A1111's request", quickTxt2Img()],
  [
    "a call of A1111's route as an input",
    { input: { api: { method: "POST", endpoint: "/sdapi/v1/txt2img" }, payload: quickTxt2Img() } },
  ],
];

const POISON: readonly (readonly [code: string, payload: object, name: string])[] = [
  ["invalid_request", quickTxt2Img({ steps: "many" }), "steps"],
  ["invalid_workflow", { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } }, "NoSuchNode"],
  ["workflow_format_ui", { prompt: { nodes: [], links: [] } }, "API"],
  ["unknown_sampler", quickTxt2Img({ sampler_name: "nope" }), "nope"],
  ["unknown_model", quickTxt2Img({ override_settings: { sd_model_checkpoint: "nope" } }), "nope"],
];

/** JSON, and no request at all. */
const NOTHING: readonly (readonly [json: string, payload: unknown])[] = [
  ["null", null],
  ["{}", {}],
  ["[]", []],
  ["7", 7],
];

export function payloadForms({ outputsOf }: Block): void {
  test.each(FORMS)("may be %s", async (name, payload) => {
    const outputs = await outputsOf(name.replaceAll(/\W/g, "-"), payload);
    expect(await Promise.all(outputs.map(firstPixel))).toEqual([[0x11, 0x22, 0x33]]);
  });

  test.each(A1111_FORMS)("may be %s", async (name, payload) => {
    const outputs = await outputsOf(name.replaceAll(/\W/g, "-"), payload);
    expect(await Promise.all(outputs.map(decode))).toMatchObject([{ width: 64, height: 64 }]);
  });
}

export function refusals({ driver, runsOf, colourOf }: Block): void {
  test.each(POISON)("F3: that can never succeed fails by %s, and the engine serves on", async (code, payload, name) => {
    const { invoke, worker } = driver();
    const engine = worker.enginePid();
    const outcome = await invoke(payload, { id: code });
    expect(outcome).toMatchObject({
      status: "failed",
      code,
      retryable: false,
      message: expect.stringContaining(name),
    });
    expect(runsOf(code)).toBe(0);
    expect(await colourOf(`after-${code}`, 1)).toEqual([0, 0, 1]);
    expect(worker.enginePid()).toBe(engine);
  });

  test("F3: that asks for a model that is not there is told which ones are", async () => {
    const payload = quickTxt2Img({ override_settings: { sd_model_checkpoint: "nope" } });
    const outcome = await driver().invoke(payload, { id: "which-models" });
    expect(outcome).toMatchObject({ message: expect.stringMatching(/\w+\.(safetensors|ckpt)/) });
  });

  test.each(NOTHING)("F3: that is %s is refused, and the next one is served", async (json, payload) => {
    const refused = () => driver().worker.log.filter(({ code }) => code === "invalid_request").length;
    const before = refused();
    const id = `nothing-${NOTHING.findIndex(([other]) => other === json)}`;
    expect(await driver().invoke(payload, { id })).toMatchObject({
      status: "failed",
      message: expect.stringMatching(/./),
    });
    expect(refused()).toBe(before + 1);
    expect(await colourOf(`after-${id}`, 1)).toEqual([0, 0, 1]);
  });

  test("F3: whose own id would lead to another folder is refused", async () => {
    const outcome = await driver().invoke({ id: "../../up", prompt: colourGraph(1) }, { id: "climbing" });
    expect(outcome).toMatchObject({
      status: "failed",
      code: "invalid_request",
      retryable: false,
      message: expect.stringMatching(/\bid\b/),
    });
  });

  test.each(["webhook", "init_images"])(
    "F24: that names an address as its %s is refused, and nobody asks there",
    async (field) => {
      const asked = await startListening();
      const payload =
        field === "webhook"
          ? { prompt: colourGraph(1), webhook: asked.url }
          : quickTxt2Img({ init_images: [`${asked.url}/picture.png`] });
      const outcome = await driver().invoke(payload, { id: `address-${field}` });
      expect(outcome).toMatchObject({ status: "failed", retryable: false, message: expect.stringContaining(field) });
      expect(asked.connections()).toBe(0);
    },
  );
}

/** An address of this machine's, as of a service that is not for everybody. */
async function startListening() {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}
