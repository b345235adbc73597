import { change, empty, type Graph, img2img, node, txt2img } from "./graphs.ts";
import type { Recording } from "./recording.ts";

/** Replays one recorded scenario. Named after its transcript. */
export type Scenario = (recording: Recording) => Promise<void>;
export type Scenarios = Readonly<Record<string, Scenario>>;

const uuid = () => crypto.randomUUID();
const emptyInto = (classType: string, graph: Graph = empty()): Graph => ({
  ...graph,
  2: node(classType, { images: ["1", 0] }),
});

/** Plain runs: event order, caching, progress, errors. */
export const RUNS: Scenarios = {
  "success-model-free": async (r) => void (await r.simple(empty())),

  "success-cached": async (r) => {
    const clientId = uuid();
    const socket = await r.client(clientId);
    const run = async (graph: Graph, history: boolean) => {
      const promptId = uuid();
      await r.prompt(graph, { client_id: clientId, prompt_id: promptId });
      await r.untilDone(socket, promptId);
      if (history) await r.get(`/history/${promptId}`);
    };
    const graph = empty({ prefix: "cached" });
    await run(graph, true);
    await run(graph, true);
    const withoutClient = uuid();
    await r.prompt(graph, { prompt_id: withoutClient });
    await r.untilInHistory(withoutClient);
    await r.get(`/history/${withoutClient}`);
    await run(empty({ prefix: "cached2" }), false);
    await run(empty({ color: 1, prefix: "other" }), false);
    await run(graph, false);
  },

  "preview-image": async (r) => void (await r.simple(emptyInto("PreviewImage", empty({ color: 5 })))),

  "two-outputs": async (r) => {
    const inverted = {
      3: node("ImageInvert", { image: ["1", 0] }),
      4: node("SaveImage", { images: ["3", 0], filename_prefix: "sub/inv" }),
    };
    await r.simple({ ...empty({ color: 6 }), ...inverted });
  },

  "async-order-many-nodes": async (r) => {
    const chain = Object.fromEntries(
      [2, 3, 4, 5].map((id) => [id, node("ImageInvert", { image: [String(id - 1), 0] })]),
    );
    await r.simple({
      ...{ 1: empty()["1"]!, ...chain },
      9: node("SaveImage", { images: ["5", 0], filename_prefix: "chain" }),
      10: node("PreviewImage", { images: ["3", 0] }),
    });
  },

  "save-image-websocket": async (r) => {
    const graph = emptyInto("SaveImageWebsocket", empty({ batch: 3, color: 7 }));
    await r.simple(graph);
    await r.simple(graph, { flags: { supports_preview_metadata: true } });
  },

  "no-client-id": async (r) => {
    const promptId = uuid();
    await r.client(uuid());
    await r.prompt(txt2img({ seed: 77 }), { prompt_id: promptId });
    await r.untilInHistory(promptId);
    await r.get(`/history/${promptId}`);
  },

  "txt2img-no-previews": async (r) => void (await r.simple(txt2img({ seed: 10 }))),
  "img2img-photo": async (r) => void (await r.simple(img2img(11))),
  "batch-of-3": async (r) => void (await r.simple(txt2img({ seed: 12, batch: 3 }))),

  "rejected-prompts": async (r) => {
    const clientId = uuid();
    const socket = await r.client(clientId);
    const { 2: save, ...withoutOutput } = empty({ size: 64 });
    const rejected: Graph[] = [
      {},
      withoutOutput,
      { ...empty(), 1: { ...empty()["1"]!, class_type: "NoSuchNode" } },
      change(empty(), "1", { width: undefined }),
      change(txt2img(), "4", { ckpt_name: "nope.safetensors" }),
      change(txt2img(), "3", { sampler_name: "nope" }),
      change(empty(), "1", { width: 0 }),
      change(empty(), "1", { width: "abc" }),
      change(empty(), "2", { images: ["99", 0] }),
      change(empty(), "2", { images: ["1", 5] }),
      { 1: node("ImageInvert", { image: ["3", 0] }), 3: node("ImageInvert", { image: ["1", 0] }), 2: save! },
    ];
    await r.http("POST", "/prompt", { raw: "{not json", headers: { "content-type": "application/json" } });
    for (const graph of rejected) await r.prompt(graph, { client_id: clientId });
    await r.prompt(empty({ color: 8 }), { client_id: clientId });
    await r.until(socket, ({ type, data }) => type === "executing" && data["node"] === null);
  },

  "partially-valid": async (r) => {
    const bad = {
      3: node("EmptyImage", { width: 0, height: 8, batch_size: 1, color: 0 }),
      4: node("SaveImage", { images: ["3", 0], filename_prefix: "bad" }),
    };
    await r.simple({ ...empty({ color: 9 }), ...bad });
  },

  "runtime-error": async (r) => {
    const unreadable = {
      3: node("LoadImage", { image: "notimage.png" }),
      4: node("SaveImage", { images: ["3", 0], filename_prefix: "bad" }),
    };
    await r.simple({ ...empty({ color: 10 }), ...unreadable });
    await r.simple({
      1: node("LoadImage", { image: "photo.png" }),
      2: node("EmptyImage", { width: 32, height: 32, batch_size: 1, color: 0 }),
      3: node("ImageCompositeMasked", { destination: ["1", 0], source: "oops", x: 0, y: 0, resize_source: false }),
      4: node("SaveImage", { images: ["3", 0], filename_prefix: "x" }),
    });
    await r.simple(empty({ color: 11 }));
  },

  "out-of-memory-cpu": async (r) => {
    await r.simple(empty({ size: 16384, batch: 4096 }));
    await r.simple(empty({ color: 12 }));
  },

  "nan-in-history": async (r) => {
    await r.simple(change(txt2img({ seed: 13, steps: 1 }), "3", { cfg: "<NaN>" }));
    await r.simple(empty({ color: 13 }), { fields: { extra_data: { mine: "<NaN>" } } });
  },
};
