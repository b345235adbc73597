import { beforeAll, describe, expect, test } from "vitest";
import { CONTROLNET_PREFIX, CONTROLNET_ROUTES } from "../../handler/adapters/http/sdapi/route-table.ts";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint(async (running) => {
    endpoint = running;
    await endpoint.ready();
  }),
);

async function get(path: string): Promise<unknown> {
  const response = await fetch(endpoint.url + path);
  expect(response.status, path).toBe(200);
  return response.json();
}

test("every route of the table is there, or says that it is not supported; others are not found", async () => {
  for (const [route, answer] of Object.entries(CONTROLNET_ROUTES)) {
    const [method = "", path = ""] = route.split(" ");
    const response = await fetch(endpoint.url + CONTROLNET_PREFIX + path, { method });
    expect(response.status, route).toBe(answer === null ? 501 : 200);
  }
  const unknown = await fetch(`${endpoint.url}/controlnet/nope`);
  expect([unknown.status, await unknown.json()]).toEqual([404, { detail: "Not Found" }]);
});

describe("lists", () => {
  test("version, settings, models", async () => {
    expect(await get("/controlnet/version")).toEqual({ version: 3 });
    expect(await get("/controlnet/settings")).toEqual({ control_net_unit_count: 3 });
    expect(await get("/controlnet/model_list")).toEqual({ model_list: ["None", "tiny-controlnet"] });
  });

  test("preprocessors that are available, with their sliders, by name or by label", async () => {
    const byName = (await get("/controlnet/module_list")) as { module_list: string[]; module_detail: object };
    expect(byName.module_list).toEqual(["none", "tile_resample", "canny", "invert"]);
    expect(byName.module_detail).toMatchObject({
      none: { model_free: false, sliders: [{ name: "Resolution", value: 512, min: 64, max: 2048, step: 8 }] },
      canny: { sliders: [{}, { name: "Low Threshold", value: 100 }, { name: "High Threshold", value: 200 }] },
      invert: { sliders: [] },
    });
    const byLabel = (await get("/controlnet/module_list?alias_names=true")) as { module_list: string[] };
    expect(byLabel.module_list.at(-1)).toBe("invert (from white bg & black line)");
  });

  test("control types with the preprocessors and models that fit", async () => {
    const { control_types } = (await get("/controlnet/control_types")) as { control_types: Record<string, object> };
    expect(Object.keys(control_types)[0]).toBe("All");
    expect(control_types).toMatchObject({
      All: { model_list: ["None", "tiny-controlnet"], default_option: "none", default_model: "None" },
      Canny: {
        module_list: ["none", "canny", "invert (from white bg & black line)"],
        model_list: ["None"],
        default_option: "canny",
        default_model: "None",
      },
      Depth: { module_list: ["none"], default_option: "none" },
    });
  });

  test("scripts name the extension, for clients that look there", async () => {
    const scripts = ["refiner", "sampler", "seed", "controlnet m2m", "controlnet"];
    expect(await get("/sdapi/v1/scripts")).toEqual({
      txt2img: ["extra options", ...scripts],
      img2img: ["extra options", "soft inpainting", ...scripts],
    });
  });
});

test("they ask for the same credentials as A1111's own routes", async () => {
  const guarded = await startEndpoint({ SDAPI_AUTH: "user:secret", API_TOKEN: "token" });
  await guarded.ready();
  const status = async (headers: Record<string, string>) =>
    (await fetch(`${guarded.url}/controlnet/version`, { headers })).status;
  expect(await status({})).toBe(401);
  expect(await status({ authorization: `Basic ${btoa("user:secret")}` })).toBe(200);
});
