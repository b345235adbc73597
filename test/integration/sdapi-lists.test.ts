import { beforeAll, describe, expect, test } from "vitest";
import recorded from "../fixtures/sdapi/get-routes.json" with { type: "json" };
import type { RunningEndpoint } from "../support/endpoint.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

/** What A1111 tells of itself and we do not, or otherwise; by route and name. */
const DIFFERENCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // By the names of scripts, in lower case.
  scripts: {
    "prompt matrix": "is refused",
    "prompts from file or textbox": "is refused",
    "x/y/z plot": "is refused",
    "img2img alternative test": "is refused",
    loopback: "is refused",
    "outpainting mk2": "is refused",
    "poor man's outpainting": "is refused",
    "sd upscale": "is refused",
    hypertile: "its options are refused",
  },
  // The recorder started A1111 with them.
  "cmd-flags": {
    skip_torch_cuda_test: "not for a machine without a GPU",
    no_half: "not for a machine without a GPU",
    use_cpu: "not for a machine without a GPU",
    disable_nan_check: "not for a network of nothing",
    skip_load_model_at_start: "not for a network of nothing",
    no_prompt_history: "not for a run that leaves nothing behind",
  },
  // Of the worker's model.
  options: { sd_model_checkpoint: "is the worker's", sd_checkpoint_hash: "is the worker's" },
};

interface Named {
  name: string;
}

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stop = await sharedEndpoint((started) => {
    endpoint = started;
  });
  await endpoint.ready();
  return stop;
});

const get = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${endpoint.url}/sdapi/v1/${path}`)).json()) as T;

const isListed = (route: string, name: string) => Object.hasOwn(DIFFERENCES[route] ?? {}, name);
const withoutListed = <T extends Named>(route: string, items: readonly T[]): T[] =>
  items.filter(({ name }) => !isListed(route, name));
const { routes } = recorded;

test.each(["samplers", "schedulers"] as const)("%s are A1111's", async (route) => {
  const wanted: readonly Named[] = routes[route];
  expect(await get(route)).toEqual(withoutListed(route, wanted));
});

test.each(["latent-upscale-modes", "hypernetworks", "face-restorers", "prompt-styles", "extensions"] as const)(
  "%s is A1111's of a bare installation",
  async (route) => {
    expect(await get(route)).toEqual(routes[route]);
  },
);

test("progress of nothing", async () => {
  const { state, ...others } = routes.progress;
  expect(await get("progress")).toEqual({ ...others, state: { ...state, job_timestamp: "0" } });
});

/** What its models are called depends on the machine: every item has the same keys, with values of the same type. */
const TYPES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "sd-models": { title: "", model_name: "", hash: null, sha256: null, filename: "", config: null },
  "sd-vae": { model_name: "", filename: "" },
  upscalers: { name: "", model_name: "", model_path: "", model_url: null, scale: 0 },
  "realesrgan-models": { name: "", path: "", scale: 0 },
  loras: { name: "", alias: "", path: "", metadata: {} },
};

describe.each(Object.entries(TYPES))("%s", (route, types) => {
  const kindOf = (value: unknown) => (value === null ? "null" : typeof value);

  test("each has A1111's keys, in its order, and its types", async () => {
    const theirs = routes[route as keyof typeof routes] as object[];
    for (const item of theirs) expect(Object.keys(item)).toEqual(Object.keys(types));
    for (const item of await get<object[]>(route)) {
      expect(Object.keys(item)).toEqual(Object.keys(types));
      for (const [key, value] of Object.entries(item)) {
        const kinds = [...theirs, types].map((other) => kindOf((other as Record<string, unknown>)[key]));
        expect(kinds, `${route}.${key}`).toContain(kindOf(value));
      }
    }
  });
});

test("the upscalers that need no model come first; those of the engine have A1111's names", async () => {
  const upscalers = await get<Named[]>("upscalers");
  expect(upscalers.slice(0, 3)).toEqual(routes.upscalers.slice(0, 3));
  expect(upscalers.slice(3)).toEqual([expect.objectContaining({ name: "tiny-2x", scale: 2 })]);
});

test("embeddings and memory have A1111's keys", async () => {
  const embeddings = await get<object>("embeddings");
  expect(embeddings).toEqual({ loaded: { "tiny-embedding": expect.any(Object) }, skipped: {} });
  const memory = await get<{ ram: object; cuda: object }>("memory");
  expect(Object.keys(memory)).toEqual(Object.keys(routes.memory));
  expect(memory.ram).toEqual({ free: expect.any(Number), used: expect.any(Number), total: expect.any(Number) });
  expect(memory.cuda).toEqual(routes.memory.cuda);
});

test("options are A1111's, in its order and with its defaults", async () => {
  const options = await get<Record<string, unknown>>("options");
  expect(Object.keys(options)).toEqual(Object.keys(recorded.options));
  const same = ([name]: [string, unknown]) => !isListed("options", name);
  expect(Object.entries(options).filter(same)).toEqual(Object.entries(recorded.options).filter(same));
});

test("flags are A1111's, in its order and with its defaults; none of its folders is here", async () => {
  const flags = await get<Record<string, unknown>>("cmd-flags");
  expect(Object.keys(flags)).toEqual(Object.keys(recorded.cmd_flags));
  for (const [name, value] of Object.entries(recorded.cmd_flags)) {
    if (isListed("cmd-flags", name)) expect([false, []], name).toContainEqual(flags[name]);
    else expect(flags[name], name).toEqual(JSON.stringify(value).includes("$ROOT") ? null : value);
  }
});

describe("scripts", () => {
  const CONTROLNET = ["controlnet m2m", "controlnet"];

  test("their names, with ControlNet's after A1111's", async () => {
    const of = (names: readonly string[]) => [
      ...names.filter((name) => !isListed("scripts", name.toLowerCase())),
      ...CONTROLNET,
    ];
    const { txt2img, img2img } = routes.scripts;
    expect(await get("scripts")).toEqual({ txt2img: of(txt2img), img2img: of(img2img) });
  });

  test("their arguments, with what there is to choose from here", async () => {
    const choices: Readonly<Record<string, string[]>> = {
      Checkpoint: (await get<{ title: string }[]>("sd-models")).map(({ title }) => title),
      "Sampling method": (await get<Named[]>("samplers")).map(({ name }) => name),
      "Schedule type": (await get<{ label: string }[]>("schedulers")).map(({ label }) => label),
    };
    const wanted = withoutListed("scripts", recorded.script_info).map((script) => ({
      ...script,
      args: script.args.map((it) => (it.choices ? { ...it, choices: choices[it.label] } : it)),
    }));
    expect(await get("script-info")).toEqual(wanted);
  });
});

test("what differs is in A1111's answers, and is little", () => {
  const named = (items: readonly Named[]) => items.map(({ name }) => name);
  const theirs: Readonly<Record<string, readonly string[]>> = {
    samplers: named(routes.samplers),
    schedulers: named(routes.schedulers),
    scripts: [...routes.scripts.txt2img, ...routes.scripts.img2img].map((name) => name.toLowerCase()),
    "cmd-flags": Object.keys(recorded.cmd_flags),
    options: Object.keys(recorded.options),
  };
  let all = 0;
  let differing = 0;
  for (const [route, names] of Object.entries(theirs)) {
    const listed = Object.keys(DIFFERENCES[route] ?? {});
    expect(listed.filter((name) => !names.includes(name))).toEqual([]);
    all += new Set(names).size;
    differing += listed.length;
  }
  expect(differing).toBeLessThanOrEqual(0.05 * all);
});
