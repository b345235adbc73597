import { beforeAll, describe, expect, test } from "vitest";
import recorded from "../fixtures/sdapi/errors.json" with { type: "json" };
import type { RunningEndpoint } from "../support/endpoint.ts";
import { sharedEndpoint } from "../support/sdapi.ts";
import {
  type Answer,
  chooseModel,
  fieldsNamed,
  type Golden,
  ownFields,
  send,
  titleOf,
  wantedOf,
} from "../support/sdapi-golden.ts";

/** Where we answer otherwise than A1111 did, and why. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'POST /txt2img {"cfg_scale":-1}': "ComfyUI takes no negative scale",
  'POST /txt2img {"restore_faces":"yes"}': "not available, and refused by name",
  'POST /txt2img {"tiling":"on"}': "not available, and refused by name",
  'POST /txt2img {"script_name":"None"}': "clients send it for no script; A1111 knows none of that name",
  'POST /txt2img {"alwayson_scripts":{"controlnet":{"args":[]}}}': "the recorded A1111 was without this extension",
  'POST /txt2img {"alwayson_scripts":{"ADetailer":{"args":[false]}}}': "clients send extensions that are switched off",
  'POST /txt2img {"alwayson_scripts":{"soft inpainting":{"args":[false]}}}':
    "clients send extensions that are switched off",
  'POST /txt2img {"override_settings":{"sd_model_checkpoint":"REFINER"}}': "names of models are found in any case",
  'POST /txt2img {"override_settings":{"samples_format":"jpg"}}': "honoured, where A1111 forgets it before it writes",
  'POST /txt2img {"override_settings":{"samples_format":"webp"}}': "honoured, where A1111 forgets it before it writes",
  'POST /txt2img {"override_settings":{"samples_format":"gif"}}': "so an unknown one is refused",
  'POST /img2img {"init_images":["@png64"],"denoising_strength":-0.5}': "A1111 fails on it with more than one step",
  'POST /img2img {"init_images":["@png64"],"script_name":"loopback","script_args":[1]}':
    "not available, and refused by name",
  'POST /options {"CLIP_stop_at_last_layers":"x"}': "A1111 would fail on every later request",
  "GET /progress?skip_current_image=true": "idle is all zeros; A1111 goes on to show the steps of the last request",
  "POST /create/embedding": "the route is refused whatever it is sent",
};

/** A1111 takes something else without a word. We say so, unless `SDAPI_LENIENT` is set: then the answer is A1111's, with a warning. */
const LENIENT: readonly string[] = [
  'POST /txt2img {"sampler_name":5}',
  'POST /txt2img {"sampler_name":true}',
  'POST /txt2img {"sampler_index":5}',
  'POST /txt2img {"scheduler":5}',
  'POST /txt2img {"enable_hr":true,"denoising_strength":0.5,"hr_scheduler":"nope"}',
  'POST /txt2img {"override_settings":{"sd_model_checkpoint":"nope"}}',
  'POST /txt2img {"override_settings":{"sd_model_checkpoint":"refin"}}',
  'POST /txt2img {"override_settings":{"sd_model_checkpoint":5}}',
  'POST /txt2img {"override_settings":{"sd_vae":"nope"}}',
];

/** A1111 crashes on these, though it is plain what they ask for: what asks for the same. */
const MEANINGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'POST /txt2img {"alwayson_scripts":{"Refiner":null}}': { alwayson_scripts: {} },
  'POST /txt2img {"alwayson_scripts":{"Refiner":{"args":null}}}': { alwayson_scripts: {} },
  'POST /txt2img {"refiner_checkpoint":"string"}': { refiner_checkpoint: null },
  'POST /txt2img {"enable_hr":1}': { denoising_strength: 0.7 },
  'POST /txt2img {"enable_hr":true,"denoising_strength":0.5,"hr_upscaler":""}': { hr_upscaler: null },
  'POST /txt2img {"enable_hr":true,"denoising_strength":0.5,"hr_sampler_name":"DPM++ 2M Karras"}': {
    hr_sampler_name: "DPM++ 2M",
    hr_scheduler: "Karras",
  },
  'POST /txt2img {"enable_hr":true,"denoising_strength":0.5,"hr_sampler_name":"Use same sampler"}': {
    hr_sampler_name: null,
  },
  'POST /txt2img {"override_settings":{"CLIP_stop_at_last_layers":"2"}}': {
    override_settings: { CLIP_stop_at_last_layers: 2 },
  },
};

let endpoint: RunningEndpoint;
let lenient: RunningEndpoint;
beforeAll(async () => {
  const stops = [
    await sharedEndpoint((started) => {
      endpoint = started;
    }),
    await sharedEndpoint(
      (started) => {
        lenient = started;
      },
      { SDAPI_LENIENT: "true" },
    ),
  ];
  for (const started of [endpoint, lenient]) {
    await started.ready();
    await chooseModel(started);
  }
  return async () => {
    for (const stop of stops) await stop();
  };
});

const cases = (recorded.cases as Golden[]).map((golden) => ({ golden, title: titleOf(golden) }));
const byRoute = Map.groupBy(cases, ({ golden }) => golden.path.split("?")[0]!);

describe.each([...byRoute])("%s", (_, ofRoute) => {
  test.each(ofRoute)("$title", async ({ golden, title }) => {
    const answer = await send(endpoint, golden);
    const { status, response } = answer;
    const wanted = wantedOf(golden);
    if (title in DIFFERENCES) {
      expect({ status, response }, "it needs no entry in the table").not.toEqual(wanted);
      expect(status, "whatever it is, it is no crash").not.toBe(500);
    } else if (LENIENT.includes(title)) {
      expectRefusal(golden, answer);
      const { warnings, ...given } = await send(lenient, golden);
      expect(given).toEqual(wanted);
      expect(warnings).not.toEqual([]);
    } else if (golden.status === 500) {
      const meaning = meaningOf(golden, title);
      if (meaning === undefined) expectRefusal(golden, answer);
      else
        expect(answer).toEqual({
          ...(await send(endpoint, { ...golden, body: meaning })),
          status: 200,
          warnings: expect.any(Array),
        });
    } else {
      expect({ status, response }).toEqual(wanted);
    }
  });
});

test("what differs is listed once, and is little", () => {
  const listed = [...Object.keys(DIFFERENCES), ...LENIENT, ...Object.keys(MEANINGS)];
  expect(new Set(listed).size).toBe(listed.length);
  const titles = cases.map(({ title }) => title);
  expect(listed.filter((title) => !titles.includes(title))).toEqual([]);
  const differing = titles.filter((title) => title in DIFFERENCES);
  const all = cases.length + recorded.auth.length + Object.keys(recorded.headers).length;
  expect(all).toBe(398 + 13 + 3);
  expect(differing.length).toBeLessThanOrEqual(0.05 * all);
});

describe("user and password", () => {
  const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;
  const HEADERS: Readonly<Record<string, string>> = {
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

  let guarded: RunningEndpoint;
  beforeAll(() =>
    sharedEndpoint(
      (started) => {
        guarded = started;
      },
      { SDAPI_AUTH: "user:pass,second:wo:rd", API_TOKEN: "s3cret" },
    ),
  );

  test.each(recorded.auth)("$case", async ({ case: name, status, response: wanted }) => {
    const [header = "", route = "GET /sdapi/v1/cmd-flags"] = name.split(", ");
    const [method = "", path = ""] = route.split(" ");
    const authorization = HEADERS[header];
    const response = await fetch(guarded.url + path, { method, headers: { ...(authorization && { authorization }) } });
    expect(response.status).toBe(status);
    if (response.status !== 200) expect(await response.json()).toEqual(wanted);
    expect(response.headers.get("www-authenticate")).toBeNull();
  });

  test("other routes keep the token; passwords are not logged", async () => {
    const token = { headers: { authorization: "Bearer s3cret", "content-type": "application/json" } };
    expect((await guarded.post("/prompt", { prompt: {} }, token)).status).toBe(422);
    expect(JSON.stringify(guarded.log)).not.toContain("wo:rd");
  });
});

describe("headers", () => {
  const ORIGIN = { origin: "https://page.example" };
  const REQUESTS: Readonly<Record<keyof typeof recorded.headers, { path: string; init: RequestInit }>> = {
    "GET /samplers with Accept-Encoding gzip": { path: "samplers", init: { headers: { "accept-encoding": "gzip" } } },
    "GET /progress (short body)": { path: "progress", init: { headers: ORIGIN } },
    "CORS preflight": {
      path: "txt2img",
      init: { method: "OPTIONS", headers: { ...ORIGIN, "access-control-request-method": "POST" } },
    },
  };

  test.each(Object.entries(REQUESTS))("%s", async (name, { path, init }) => {
    const response = await fetch(`${endpoint.url}/sdapi/v1/${path}`, init);
    const wanted = recorded.headers[name as keyof typeof recorded.headers];
    const preflight = "status" in wanted ? wanted : undefined;
    const {
      "content-length": _,
      "x-process-time": __,
      ...headers
    } = preflight?.headers ?? (wanted as Record<string, string>);
    expect(response.status).toBe(preflight?.status ?? 200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      ...headers,
      "x-process-time": expect.stringMatching(/^\d+(\.\d{1,4})?$/),
    });
    if (preflight) expect(await response.text()).toBe(preflight.body);
  });
});

/** The body that asks for the same, and is one that A1111 takes; null stands for a field's default. */
function meaningOf({ body }: Golden, title: string): object | undefined {
  const meaning = MEANINGS[title];
  if (meaning) return { ...(body as object), ...meaning };
  const given = Object.entries(body ?? {});
  const kept = given.filter(([, value]) => value !== null);
  return kept.length < given.length ? Object.fromEntries(kept) : undefined;
}

const COMPLAINT = { loc: expect.any(Array), msg: expect.any(String), type: expect.any(String) };

/** In one of A1111's two shapes, and tells what is at fault. */
function expectRefusal(golden: Golden, answer: Answer): void {
  const { status, response } = answer;
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  const own = Object.keys(ownFields(golden));
  const [named] = fieldsNamed(answer);
  if (Array.isArray((response as { detail: unknown }).detail))
    expect(response).toEqual({ detail: [expect.objectContaining(COMPLAINT)] });
  else expect(Object.keys(response as object)).toEqual(["error", "detail", "body", "errors"]);
  if (golden.raw !== undefined) expect(golden.raw.slice(Number(named))).toMatch(/^NaN/);
  else if (own.length > 0) expect(own).toContain(named);
}
