import { describe, expect, test } from "vitest";
import { encodeComfyuiApi } from "../../../../handler/outputs/comfyui-api-response.ts";
import { completed, output } from "../../../support/completed.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

test("the answer echoes the request and adds outputs and times", () => {
  const given = { prompt: { "9": {} }, client_id: "c", convert_output: { format: "jpeg" }, id: "mine" };
  const done = completed([output(), output({ name: "sub/b.png", bytes: Buffer.from("more") })]);
  expect(encodeComfyuiApi(given, done)).toEqual({
    client_id: "c",
    convert_output: { format: "jpeg" },
    id: "id-1",
    prompt: done.graph,
    images: [base64("pixels"), base64("more")],
    filenames: ["id-1_a.png", "id-1_sub_b.png"],
    stats: {
      comfy_execution: { start: 1000, end: 1500, duration: 500, nodes: { "9": { start: 1200 } } },
      preprocess_time: 2,
      comfy_round_trip_time: 3,
      postprocess_time: 4,
      upload_time: 0,
      total_time: 10,
    },
  });
});

describe("images", () => {
  const stored = output({ location: { bucket: "pictures", key: "a/id-1_a.png", url: "https://link" } });

  test("are s3:// addresses where the request named a bucket", () => {
    const answer = encodeComfyuiApi({ s3: { bucket: "pictures", prefix: "a/" } }, completed([stored]));
    expect(answer).toMatchObject({ images: ["s3://pictures/a/id-1_a.png"], stats: { upload_time: 4 } });
  });

  test("are base64 where only the operator has a bucket", () => {
    expect(encodeComfyuiApi({}, completed([stored])).images).toEqual([base64("pixels")]);
  });
});

test("accounts of comfy.org are not echoed, everything else is", () => {
  const given = {
    comfy_org_api_key: "hush",
    api_key_comfy_org: "hush",
    extra_data: { api_key_comfy_org: "hush", auth_token_comfy_org: "hush", extra_pnginfo: { workflow: {} } },
    front: null,
  };
  const answer = encodeComfyuiApi(given, completed([]));
  expect(JSON.stringify(answer)).not.toContain("hush");
  expect(answer).toMatchObject({ extra_data: { extra_pnginfo: { workflow: {} } }, front: null });
});
