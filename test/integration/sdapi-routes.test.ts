import { isDeepStrictEqual } from "node:util";
import sharp from "sharp";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { SDAPI_ROUTES } from "../../handler/adapters/http/sdapi/route-table.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../workflows/sampler-names.ts";
import recordedErrors from "../fixtures/sdapi/errors.json" with { type: "json" };
import recorded from "../fixtures/sdapi/get-routes.json" with { type: "json" };
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { rampPng } from "../support/ramp.ts";

const PATIENCE = { timeout: 10_000 };
const PREFIX = "/sdapi/v1";
const ALL_ROUTES = Object.entries(SDAPI_ROUTES).map(([route, answer]) => {
  const [method = "", path = ""] = route.split(" ");
  return { method, path, isServed: answer !== null };
});

interface Item {
  name: string;
  scale: number;
}

interface Model {
  title: string;
}

interface Options {
  sd_model_checkpoint: string;
}

interface Progress {
  progress: number;
  eta_relative: number;
  current_image: string | null;
  state: { job_no: number; sampling_step: number };
}

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint({}, (stop) => stops.push(stop));
  await endpoint.ready();
  return async () => {
    for (const stop of stops) await stop();
  };
});

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(`${endpoint.url}${PREFIX}${path}`)).json()) as T;
}
const post = (path: string, body: unknown) => endpoint.post(PREFIX + path, body);
const namesOf = (items: { name: string }[]) => items.map(({ name }) => name);

test("every route of the table is there, or says that it is not supported", async () => {
  for (const { method, path, isServed } of ALL_ROUTES) {
    const response = await fetch(endpoint.url + PREFIX + path, { method });
    if (isServed) expect([200, 422], `${method} ${path}`).toContain(response.status);
    else {
      expect(response.status, `${method} ${path}`).toBe(501);
      const detail = `${PREFIX}${path} is not supported by this endpoint`;
      expect(await response.json()).toEqual({ error: "NotSupported", detail, body: "", errors: "" });
    }
  }
});

describe("lists", () => {
  test("samplers, schedulers and latent upscalers are A1111's, those apart that ComfyUI's core lacks", async () => {
    const runs = (items: readonly { name: string; comfyui?: unknown }[]) =>
      items.filter(({ comfyui }) => comfyui !== undefined).map(({ name }) => name);
    const among = <T extends { name: string }>(items: T[], names: string[]) =>
      items.filter(({ name }) => names.includes(name));
    const { routes } = recorded;
    expect(await get("/samplers")).toEqual(among(routes.samplers, runs(SDAPI_SAMPLERS)));
    expect(await get("/schedulers")).toEqual(among(routes.schedulers, runs(SDAPI_SCHEDULERS)));
    expect(await get("/latent-upscale-modes")).toEqual(routes["latent-upscale-modes"]);
  });

  test("models: names of this engine, in A1111's shapes", async () => {
    const { routes } = recorded;
    const models = await get<Model[]>("/sd-models");
    expect(models).toContainEqual({
      title: "tiny-sd15.safetensors",
      model_name: "tiny-sd15",
      hash: null,
      sha256: null,
      filename: "tiny-sd15.safetensors",
      config: null,
    });
    expect(Object.keys(models[0]!)).toEqual(Object.keys(routes["sd-models"][0]!));
    expect(await get("/sd-vae")).toEqual([{ model_name: "tiny-vae.safetensors", filename: "tiny-vae.safetensors" }]);
    const loras = await get("/loras");
    expect(loras).toEqual([{ name: "tiny-lora", alias: "tiny-lora", path: "tiny-lora.safetensors", metadata: {} }]);
    expect(Object.keys((await get<{ loaded: object }>("/embeddings")).loaded)).toEqual(["tiny-embedding"]);
    const upscalers = await get<Item[]>("/upscalers");
    expect(upscalers.slice(0, 3)).toEqual(routes.upscalers.slice(0, 3));
    expect(namesOf(upscalers)).toContain("tiny-2x");
    expect(upscalers.find(({ name }) => name === "tiny-2x")).toMatchObject({ scale: 2 });
  });

  test("what ComfyUI knows nothing of is empty, as on a bare installation", async () => {
    for (const path of ["hypernetworks", "face-restorers", "extensions"] as const)
      expect(await get(`/${path}`), path).toEqual(recorded.routes[path]);
    expect(await get("/cmd-flags")).toEqual({ api: true, nowebui: true });
  });

  test("scripts are those of A1111 whose work is done here, with what there is to choose from", async () => {
    const scripts = ["refiner", "sampler", "seed", "controlnet m2m", "controlnet"];
    expect(await get("/scripts")).toEqual({ txt2img: scripts, img2img: ["soft inpainting", ...scripts] });
    const choices: Record<string, string[]> = {
      Checkpoint: (await get<Model[]>("/sd-models")).map(({ title }) => title),
      "Sampling method": namesOf(await get<Item[]>("/samplers")),
      "Schedule type": (await get<{ label: string }[]>("/schedulers")).map(({ label }) => label),
    };
    const expected = recorded.script_info.map((script) => ({
      ...script,
      args: script.args.map((it) => (it.choices ? { ...it, choices: choices[it.label] } : it)),
    }));
    expect(await get("/script-info")).toEqual(expected);
  });

  test("memory is the engine's", async () => {
    const { ram, cuda } = await get<{ ram: Record<"free" | "used" | "total", number>; cuda: object }>("/memory");
    expect(ram.used + ram.free).toBe(ram.total);
    expect(ram.total).toBeGreaterThan(1e9);
    expect(cuda).toEqual(recorded.routes.memory.cuda);
  });
});

describe("options", () => {
  const madeWith = async (body: Record<string, unknown>) => {
    const response = await post("/txt2img", quickTxt2Img(body));
    const { info } = (await response.json()) as { info: string };
    return JSON.parse(info).sd_model_name as string;
  };

  test("a client reads all, sends all back, and chooses a model, which requests then use", async () => {
    const options = await get<Options>("/options");
    const models = await get<Model[]>("/sd-models");
    expect(options.sd_model_checkpoint).toBe(models[0]!.title);
    const set = await post("/options", { ...options, sd_model_checkpoint: "tiny-sdxl.safetensors" });
    expect({ status: set.status, body: await set.json() }).toEqual({ status: 200, body: null });
    expect(set.headers.get("x-options-without-effect")).toBeNull();
    expect((await get<Options>("/options")).sd_model_checkpoint).toBe("tiny-sdxl.safetensors");
    expect(await madeWith({})).toBe("tiny-sdxl");
    expect(await madeWith({ override_settings: { sd_model_checkpoint: "tiny-sd15" } })).toBe("tiny-sd15");
    await endpoint.logged(({ message }) => message.includes("they hold for this worker until it stops"));
    await post("/options", { sd_model_checkpoint: null });
    expect((await get<Options>("/options")).sd_model_checkpoint).toBe(models[0]!.title);
  });

  test("an unknown model is refused with those that there are; an option without effect is named", async () => {
    const refused = await post("/options", { sd_model_checkpoint: "nope" });
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({ detail: expect.stringMatching(/^model 'nope' not found.*tiny-sd15/) });
    const set = await post("/options", { CLIP_stop_at_last_layers: 2, tiling: true, font: "x" });
    expect(set.headers.get("x-options-without-effect")).toBe("tiling, font");
    const { info, warnings } = (await (await post("/txt2img", quickTxt2Img({ prompt: "a fox" }))).json()) as {
      info: string;
      warnings: string[];
    };
    expect(JSON.parse(info)).toMatchObject({ clip_skip: 2 });
    expect(warnings).toEqual(["options that were set on this worker have no effect: tiling"]);
    await post("/options", { CLIP_stop_at_last_layers: 1, tiling: false, font: "" });
  });
});

describe("while it runs", () => {
  test("progress counts steps and pictures; who looks at it gets previews of what begins next", async () => {
    await get("/progress");
    const running = post("/txt2img", slowTxt2Img({ steps: 60, batch_size: 2, seed: 77 }));
    await endpoint.sampling();
    const first = await vi.waitFor(async () => {
      const progress = await get<Progress>("/progress");
      expect(progress.current_image).not.toBeNull();
      return progress;
    }, PATIENCE);
    expect(first).toMatchObject({
      state: { job: "Batch 1 out of 2", job_count: 2, job_no: 0, sampling_steps: 60 },
      textinfo: null,
    });
    expect(first.progress).toBeCloseTo(0.01 + first.state.sampling_step / 60 / 2);
    expect(first.eta_relative).toBeGreaterThan(0);
    expect([...Buffer.from(first.current_image ?? "", "base64").subarray(0, 2)]).toEqual([0xff, 0xd8]);
    expect(await get("/progress?skip_current_image=true")).toMatchObject({ current_image: null });
    const second = await vi.waitFor(async () => {
      const progress = await get<Progress>("/progress");
      expect(progress.state.job_no).toBe(1);
      return progress;
    }, PATIENCE);
    expect(second.progress).toBeGreaterThanOrEqual(0.51);
    expect((await running).status).toBe(200);
    expect(await get("/progress")).toEqual(idle);
  });

  test("interrupt ends the request that runs, and the next one runs", async () => {
    const running = post("/txt2img", slowTxt2Img({ seed: 78 }));
    await endpoint.sampling();
    const waiting = post("/txt2img", quickTxt2Img({ seed: 79 }));
    const interrupted = await post("/interrupt", '""');
    expect({ status: interrupted.status, body: await interrupted.json() }).toEqual({ status: 200, body: {} });
    const answer = await running;
    expect(answer.status).toBe(499);
    expect(await answer.json()).toEqual({
      error: "cancelled",
      detail: "the generation was interrupted",
      body: "",
      errors: "",
    });
    expect((await waiting).status).toBe(200);
  });

  const idle = { ...recorded.routes.progress, state: { ...recorded.routes.progress.state, job_timestamp: "0" } };
});

/** Where we differ on purpose, in the order of trial. */
const DIFFERENCES: Record<string, (difference: Difference) => boolean> = {
  "A1111 crashes; we take the default or refuse": ({ wanted, status, body }) =>
    wanted.status === 500 && (status === 200 || (status < 500 && ("detail" in body || "error" in body))),
  "not available, and refused by name": ({ status, body, request }) =>
    status === 422 && body["error"] === "unsupported_feature" && request.includes(String(fieldOf(body))),
  "A1111 silently takes another sampler, scheduler or model": ({ wanted, status, body }) =>
    wanted.status === 200 && status === 404 && /^unknown_(sampler|model)$/.test(String(body["error"])),
  "the document is not sent back": ({ wanted, status, body }) =>
    status === wanted.status && isDeepStrictEqual(body, withoutDocument(wanted.response)),
  "a path outside /sdapi has errors of our own": ({ status, path }) => status === 404 && !path.startsWith("/sdapi"),
  "ComfyUI takes no negative scale": ({ request, status }) => status === 422 && request.includes('"cfg_scale":-1'),
  "a script that is switched off, or has nothing to do, does no harm": ({ wanted, request, status }) =>
    wanted.status === 422 && status === 200 && /"(script_name|alwayson_scripts)":/.test(request),
  "A1111's words, with the name of the error that is ours": ({ wanted, status, body }) =>
    status === wanted.status && body["detail"] === (wanted.response as { detail?: unknown } | undefined)?.detail,
  "an option's value that would fail every later request": ({ path, status, body }) =>
    path === "/sdapi/v1/options" && status === 422 && "detail" in body,
  "no such picture format, which A1111's API does not look at": ({ request, status }) =>
    status === 422 && request.includes('"samples_format":"gif"'),
  "a second pass has a strength of at most 1": ({ request, status }) =>
    status === 422 && request.includes('"denoising_strength":2'),
  "a number that means nothing is refused, where A1111 takes the next best": ({ path, request, status }) =>
    status === 422 &&
    path.endsWith("/img2img") &&
    /"(resize_mode":(4|-1)|denoising_strength":-|inpainting_fill":9|inpaint_full_res_padding":-)/.test(request),
  "a list of pairs is no object": ({ request, status }) => status === 422 && request.includes('"override_settings":[]'),
};

interface Recorded {
  method: string;
  path: string;
  body?: unknown;
  raw?: string;
  content_type?: string;
  status: number;
  response?: unknown;
}

interface Difference {
  path: string;
  request: string;
  wanted: Recorded;
  status: number;
  body: Record<string, unknown>;
}

const fieldOf = (body: Record<string, unknown>) =>
  (body["body"] as { field?: string } | undefined)?.field?.split(".").at(-1);

function withoutDocument(response: unknown): unknown {
  return JSON.parse(JSON.stringify(response), (key, value) => (key === "doc" ? undefined : value));
}

describe("A1111's answers to bad and odd bodies", () => {
  const pictures: Record<string, string> = {};
  beforeAll(async () => {
    const base64 = async (mode?: "RGBA" | "L") => (await rampPng(64, 64, mode)).toString("base64");
    pictures["@png64"] = await base64();
    pictures["@rgba64"] = await base64("RGBA");
    pictures["@gray64"] = await base64("L");
    pictures["@dataurl_png64"] = `data:image/png;base64,${pictures["@png64"]}`;
    pictures["@jpg64"] = (
      await sharp(await rampPng(64, 64))
        .jpeg()
        .toBuffer()
    ).toString("base64");
  });
  const cases = (recordedErrors.cases as Recorded[]).filter(
    // png-info's, whose bodies are pictures, have a test of their own.
    ({ method, path }) => SDAPI_ROUTES[`${method} ${path.replace(PREFIX, "")}`] !== null && !path.endsWith("/png-info"),
  );

  test("every one of the routes that are here is given, or differs for a reason that is named", async () => {
    const unexplained: string[] = [];
    const reasons: Record<string, number> = { same: 0 };
    for (const wanted of cases) {
      const reason = await compare(wanted);
      if (reason === undefined) unexplained.push(JSON.stringify(wanted));
      else reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    expect(unexplained).toEqual([]);
    // 422, 404 and 405 of FastAPI, word for word, and all that A1111 accepts and we do.
    expect(reasons["same"]).toBeGreaterThan(150);
  });

  async function compare(wanted: Recorded): Promise<string | undefined> {
    const { method, path } = wanted;
    const written = wanted.raw ?? (wanted.body === undefined ? "" : JSON.stringify(wanted.body));
    const request = written.replace(/@\w+/g, (name) => pictures[name] ?? name);
    const response = await fetch(endpoint.url + path, {
      method,
      headers: { "content-type": wanted.content_type ?? "application/json" },
      ...(method === "POST" && { body: request }),
    });
    const text = await response.text();
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    const { status } = response;
    const isSame =
      status === wanted.status &&
      (status === 200 || text === wanted.response || isDeepStrictEqual(body, wanted.response));
    if (isSame) return "same";
    return Object.entries(DIFFERENCES).find(([, holds]) =>
      holds({ path, request, wanted, status, body: body ?? {} }),
    )?.[0];
  }
});

describe("transport", () => {
  test("lists are compressed for who takes it, pictures are not; all tell the time they took", async () => {
    const list = await fetch(`${endpoint.url}${PREFIX}/samplers`, { headers: { "accept-encoding": "gzip" } });
    expect(list.headers.get("content-encoding")).toBe("gzip");
    expect(list.headers.get("vary")).toBe("Accept-Encoding");
    expect(((await list.json()) as unknown[]).length).toBeGreaterThan(15);
    const plain = await fetch(`${endpoint.url}${PREFIX}/samplers`, { headers: { "accept-encoding": "gzip;q=0" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    const short = await fetch(`${endpoint.url}${PREFIX}/progress`, { headers: { "accept-encoding": "gzip" } });
    expect(short.headers.get("content-encoding")).toBeNull();
    const picture = await post("/txt2img", quickTxt2Img());
    expect(picture.headers.get("content-encoding")).toBeNull();
    for (const { headers } of [list, short, picture])
      expect(headers.get("x-process-time")).toMatch(/^\d+(\.\d{1,4})?$/);
  });

  test("a slash too many is led to the route", async () => {
    const response = await fetch(`${endpoint.url}${PREFIX}/progress/?skip_current_image=true`, { redirect: "manual" });
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe(`${PREFIX}/progress?skip_current_image=true`);
  });

  test("pages of other origins may call when they are listed, and not otherwise", async () => {
    const page = { origin: "https://page.example" };
    const preflight = { ...page, "access-control-request-method": "POST", "access-control-request-headers": "x-a" };
    const closed = await fetch(`${endpoint.url}${PREFIX}/txt2img`, { method: "OPTIONS", headers: preflight });
    expect({ status: closed.status, body: await closed.text() }).toEqual({
      status: 400,
      body: "Disallowed CORS origin",
    });
    expect(closed.headers.get("access-control-allow-origin")).toBeNull();

    const open = await startEndpoint({ CORS_ORIGINS: "https://page.example", SDAPI_AUTH: "user:pass" });
    const allowed = await fetch(`${open.url}${PREFIX}/txt2img`, { method: "OPTIONS", headers: preflight });
    expect(allowed.status).toBe(200);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": "https://page.example",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
      "access-control-allow-headers": "x-a",
      "access-control-max-age": "600",
      vary: "Origin",
    });
    const refused = await fetch(`${open.url}${PREFIX}/cmd-flags`, { headers: page });
    expect(refused.status, "the page may read that it needs a password").toBe(401);
    expect(refused.headers.get("access-control-allow-origin")).toBe("https://page.example");
    const unnamed = await startEndpoint({ CORS_ORIGINS: "*" });
    const anyone = await fetch(`${unnamed.url}${PREFIX}/cmd-flags`, { headers: page });
    expect(anyone.headers.get("access-control-allow-origin")).toBe("*");
    const stranger = await fetch(`${open.url}${PREFIX}/cmd-flags`, { headers: { origin: "https://other.example" } });
    expect(stranger.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("user and password", () => {
  const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;
  const HEADERS: Record<string, string | undefined> = {
    "no header": undefined,
    right: basic("user:pass"),
    "right second": basic("second:wo:rd"),
    "wrong password": basic("user:nope"),
    "wrong user": basic("nope:pass"),
    "empty basic": "Basic ",
    "bad base64": "Basic !!!",
    "no colon": basic("user"),
    bearer: "Bearer token",
    "lower case scheme": basic("user:pass").replace("Basic", "basic"),
  };

  test("A1111's answers; unknown routes ask nobody", async () => {
    const guarded = await startEndpoint({ SDAPI_AUTH: "user:pass,second:wo:rd", API_TOKEN: "s3cret" });
    for (const recordedCase of recordedErrors.auth) {
      const [header = "", route = "GET /sdapi/v1/cmd-flags"] = recordedCase.case.split(", ");
      const [method = "", path = ""] = route.split(" ");
      const authorization = HEADERS[header];
      const response = await fetch(guarded.url + path, {
        method,
        headers: { ...(authorization && { authorization }) },
      });
      expect(response.status, recordedCase.case).toBe(recordedCase.status);
      if (response.status !== 200) expect(await response.json(), recordedCase.case).toEqual(recordedCase.response);
      expect(response.headers.get("www-authenticate")).toBeNull();
    }
    const token = { headers: { authorization: "Bearer s3cret", "content-type": "application/json" } };
    expect((await guarded.post("/prompt", { prompt: {} }, token)).status, "other routes keep the token").toBe(422);
    expect(JSON.stringify(guarded.log)).not.toContain("wo:rd");
  });

  test("a token alone guards A1111's routes too, in A1111's shape", async () => {
    const guarded = await startEndpoint({ API_TOKEN: "s3cret" });
    const refused = await fetch(`${guarded.url}${PREFIX}/samplers`);
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: "unauthorized", body: "", errors: "" });
  });
});
