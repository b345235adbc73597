/** What A1111's clients send, byte for byte, and what each of them needs of the answer. */
import { beforeAll, describe, expect, test } from "vitest";
import { bodiesFor, CLIENT_BODIES, type ClientBody } from "../support/client-bodies.ts";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";
import { call, sharedEndpoint } from "../support/sdapi.ts";

interface Answer {
  images: string[];
  info: string;
}

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint(async (running) => {
    endpoint = running;
    await endpoint.ready();
  }),
);

async function get<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(`${endpoint.url}/sdapi/v1/${path}`, init);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
}

/** @param path with the prefix of A1111's routes. */
const post = <T>(path: string, body: unknown) => call<T>(endpoint, path.replace("/sdapi/v1/", ""), body);

const pngInfo = (image: string) =>
  post<{ info: string }>("/sdapi/v1/png-info", { image: `data:image/png;base64,${image}` });

/** What each client reads, in its own way. */
const READ_BY: Record<string, (answer: Answer, body: Record<string, unknown>) => Promise<void>> = {
  SillyTavern: async ({ images }) => {
    expect(images[0]).toMatch(/^iVBOR/);
  },
  "Open WebUI": async ({ info }) => {
    expect(info).toContain('"infotexts"');
  },
  aiyabot: async ({ images }, { seed }) => {
    for (const [index, image] of images.entries())
      expect((await pngInfo(image)).info).toContain(`Seed: ${Number(seed) + index},`);
  },
  "Photoshop plugin": async ({ images }, { batch_size }) => {
    expect(images.length - Number(batch_size), "annotation maps").toBe(0);
    for (const image of images) expect((await pngInfo(image)).info.split("\n").at(-1)).toMatch(/, Seed: \d+,/);
  },
  "text-generation-webui": async ({ images }) => {
    expect(images[0]!.split(",")[0]).toBe(images[0]);
  },
  "A1111's /docs page": async ({ images }) => {
    expect(images).toHaveLength(1);
  },
};

const titled = (bodies: readonly ClientBody[]) => bodies.map((body) => [`${body.client}: ${body.what}`, body] as const);

describe("pictures for clients", () => {
  test.each(titled([...bodiesFor("txt2img"), ...bodiesFor("img2img")]))("%s", async (_, { client, path, body }) => {
    const answer = await post<Answer>(path, body);
    const { batch_size = 1, n_iter = 1, width, height, enable_hr, hr_scale } = body;
    expect(answer.images).toHaveLength(Number(batch_size) * Number(n_iter));
    const scale = enable_hr === true ? Number(hr_scale) : 1;
    for (const image of answer.images) {
      const picture = await decode(Buffer.from(image, "base64"));
      expect(picture).toMatchObject({ width: Number(width) * scale, height: Number(height) * scale });
    }
    await READ_BY[client]!(answer, body);
  });
});

test("pictures are upscaled for clients", async () => {
  for (const { path, body } of bodiesFor("extra-single-image")) {
    const { image } = await post<{ image: string }>(path, body);
    expect(await decode(Buffer.from(image, "base64"))).toMatchObject({ width: 1024, height: 1024 });
  }
});

test("options are taken and answered with null", async () => {
  for (const { path, body } of bodiesFor("options")) expect(await post(path, body)).toBeNull();
});

test("every captured body has a test", () => {
  const routes = ["txt2img", "img2img", "extra-single-image", "options"];
  expect(CLIENT_BODIES.filter(({ path }) => !routes.includes(path.split("/").at(-1)!))).toEqual([]);
});

describe("what clients do around it", () => {
  test("SillyTavern looks around, chooses a model, and waits until nothing runs", async () => {
    const headers = { authorization: "Basic Og==" };
    const lists = ["upscalers", "latent-upscale-modes", "samplers", "schedulers"];
    for (const list of lists)
      for (const { name } of await get<{ name: string }[]>(list, { headers })) expect(name).toEqual(expect.any(String));
    for (const { model_name } of await get<{ model_name: string }[]>("sd-vae", { headers }))
      expect(model_name).toEqual(expect.any(String));
    const { title } = (await get<{ title: string }[]>("sd-models", { headers })).at(-1)!;
    await post("/sdapi/v1/options", { sd_model_checkpoint: title });
    expect((await get<Record<string, unknown>>("options", { headers }))["sd_model_checkpoint"]).toBe(title);
    const progress = await get<{ progress: number; state: { job_count: number } }>("progress", { headers });
    expect([progress.progress, progress.state.job_count]).toEqual([0, 0]);
    await post("/sdapi/v1/options", { sd_model_checkpoint: null });
  });

  test("SillyTavern interrupts what its user no longer waits for", async () => {
    const leaving = new AbortController();
    const request = JSON.stringify(slowTxt2Img({ seed: 91 }));
    const left = endpoint.post("/sdapi/v1/txt2img", request, { signal: leaving.signal }).catch(() => "left");
    await endpoint.sampling();
    await Promise.all([fetch(`${endpoint.url}/sdapi/v1/interrupt`, { method: "POST" }), leaving.abort()]);
    expect(await left).toBe("left");
    expect((await post<Answer>("/sdapi/v1/txt2img", quickTxt2Img({ seed: 92 }))).images).toHaveLength(1);
  });

  test("Open WebUI sends the whole options back with another model, and an empty Basic header", async () => {
    const headers = { authorization: "Basic " };
    const options = await get<Record<string, unknown>>("options", { headers });
    const models = await get<{ title: string; model_name: string }[]>("sd-models", { headers });
    const { title, model_name } = models.at(-1)!;
    expect(model_name).not.toBe("");
    const response = await endpoint.post(
      "/sdapi/v1/options",
      { ...options, sd_model_checkpoint: title },
      { headers: { ...headers, "content-type": "application/json" } },
    );
    expect([response.status, await response.json()]).toEqual([200, null]);
    expect((await get<Record<string, unknown>>("options", { headers }))["sd_model_checkpoint"]).toBe(title);
    await post("/sdapi/v1/options", { sd_model_checkpoint: null });
  });
});
