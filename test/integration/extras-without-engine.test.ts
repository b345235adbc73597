import { expect, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { decode } from "../support/pictures.ts";
import { rampPng } from "../support/ramp.ts";

test("what needs no model is answered while ComfyUI still starts, and what needs one waits", async () => {
  const endpoint = await startEndpoint({ COMFYUI_ARGS: "--fault boot-silent", INVOCATION_TIMEOUT_SECONDS: "2" });
  const image = (await rampPng(16, 8)).toString("base64");
  const post = (upscaler_1: string) => endpoint.post("/sdapi/v1/extra-single-image", { image, upscaler_1 });
  const answer = await post("Lanczos");
  expect(answer.status).toBe(200);
  const { width, height } = await decode(Buffer.from(((await answer.json()) as { image: string }).image, "base64"));
  expect([width, height]).toEqual([32, 16]);
  expect((await post("tiny-2x")).status).toBe(503);
});
