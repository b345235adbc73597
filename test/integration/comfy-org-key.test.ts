/** The key of a comfy.org account, which only ComfyUI is told. */
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startEndpoint } from "../support/endpoint.ts";
import { colourGraph } from "../support/payloads.ts";

/** Passes everything on, and keeps what goes to the engine. */
async function startEar(engineUrl: string) {
  let heard = "";
  const { hostname, port } = new URL(engineUrl);
  const server = createServer((client) => {
    const engine = connect(Number(port), hostname);
    client.on("data", (chunk) => {
      heard += chunk;
    });
    client.pipe(engine).pipe(client);
    for (const socket of [client, engine]) socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard: () => heard };
}

test("COMFY_ORG_API_KEY goes with every prompt; that of a request comes first", async () => {
  const engine = await startEndpoint();
  await engine.ready();
  const { engineUrl } = await engine.logged(({ engineUrl: known }) => known !== undefined);
  const ear = await startEar(String(engineUrl));
  const settings = { ENGINE: "comfyui", COMFYUI_ARGS: "", COMFYUI_URL: ear.url, COMFY_ORG_API_KEY: "key-of-operator" };
  const endpoint = await startEndpoint(settings);
  await endpoint.ready();
  await endpoint.post("/prompt", { prompt: colourGraph(1) });
  expect(ear.heard()).toContain('"api_key_comfy_org":"key-of-operator"');
  await endpoint.post("/prompt", { prompt: colourGraph(2), comfy_org_api_key: "key-of-caller" });
  expect(ear.heard().split('"api_key_comfy_org":').at(-1)).toMatch(/^"key-of-caller"/);
  expect(JSON.stringify(endpoint.log)).not.toContain("key-of-");
});
