import { expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { colourGraph } from "../../support/payloads.ts";

test("the same graph twice is delivered twice, although its prefix comes from a node and ComfyUI's cache names a file long removed", async () => {
  const endpoint = await startEndpoint();
  const graph = {
    ...colourGraph(0x445566, { filename_prefix: ["3", 0] }),
    "3": { class_type: "PrimitiveString", inputs: { value: "linked" } },
  };
  for (const attempt of [1, 2]) {
    const response = await endpoint.post("/prompt", { prompt: graph });
    const body = (await response.json()) as { images: string[] };
    expect(response.status, `attempt ${attempt}: ${JSON.stringify(body).slice(0, 300)}`).toBe(200);
    expect(body.images).toHaveLength(1);
  }
});
