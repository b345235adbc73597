/** The local API of RunPod's worker library, exchange by exchange; and what only its clients ask for. */
import { beforeAll, describe, expect, test } from "vitest";
import recorded from "../../fixtures/platforms/runpod/local-api.json" with { type: "json" };
import { type RunningEndpoint, startEndpoint } from "../../support/endpoint.ts";
import { quickTxt2Img } from "../../support/payloads.ts";

type Fields = Record<string, unknown>;

const FOX = '{"prompt": "a fox"}';
/** What a recorded handler was, as an input of ours that ends the same way. */
const INPUTS: Record<string, unknown> = {
  ok: quickTxt2Img(),
  err: { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } },
};
const NO_COUNTERPART: Record<string, string> = {
  raising: "our errors are texts",
  empty: "our results are objects, never empty",
  none: "our results are objects, never null",
  text: "our results are objects",
  gen: "a prompt has one result",
  gen_raise: "a prompt has one result",
};
const BETTER: Record<string, string> = {
  "GET /status": "GET is the verb of RunPod itself",
  "GET /": "no pages",
  "GET /docs": "no pages",
  "GET /openapi.json": "no pages",
};

const byMode = (mode: string) => recorded.filter((scenario) => scenario.mode === mode);

/** Without what differs from run to run, and from handler to handler. */
function shape(text: string): unknown {
  const answer = JSON.parse(text.replaceAll(/test-(<uuid>|[0-9a-f-]{36})/g, "test-ID")) as Fields;
  if ("output" in answer) answer["output"] = "OUTPUT";
  if ("error" in answer && answer["error"] !== "Job ID not found" && !String(answer["error"]).startsWith("Stream"))
    answer["error"] = "ERROR";
  return answer;
}

/** One that ends with its file. */
async function startShared(...args: string[]) {
  const stops: (() => Promise<void>)[] = [];
  const endpoint = await startEndpoint({}, (stop) => stops.push(stop), args);
  return { endpoint, stop: () => stops[0]!() };
}

test("every recorded handler has a counterpart or a reason", () => {
  const handlers = new Set(recorded.map(({ handler }) => handler));
  expect([...Object.keys(INPUTS), ...Object.keys(NO_COUNTERPART)].sort()).toEqual([...handlers].sort());
});

describe("--rp_serve_api", () => {
  let endpoint: RunningEndpoint;
  beforeAll(async () => {
    const shared = await startShared("--rp_serve_api", "--rp_api_host", "localhost", "--rp_api_port", "0");
    endpoint = shared.endpoint;
    return shared.stop;
  });

  test.each(byMode("serve_api").filter(({ handler }) => handler in INPUTS))(
    "$handler",
    async ({ handler, exchanges }) => {
      let lastId = "";
      for (const { method, path, headers, body, status, answer, answerHeaders } of exchanges) {
        if (`${method} ${path.replace(/(?<=\w)\/.*/, "")}` in BETTER) continue;
        const response = await fetch(endpoint.url + path.replace("test-<uuid>", lastId), {
          method,
          headers: headers as Record<string, string>,
          body: body?.replace(FOX, JSON.stringify(INPUTS[handler])) ?? null,
        });
        const text = await response.text();
        const name = `${method} ${path} ${body}`;
        expect(response.status, name).toBe(status);
        expect(response.headers.get("allow"), name).toBe((answerHeaders as Fields)["allow"] ?? null);
        const expected = answer!.replace(JSON.stringify(FOX).slice(1, -1), "INPUT");
        expect(
          shape(text.replace(JSON.stringify(JSON.stringify(INPUTS[handler])).slice(1, -1), "INPUT")),
          name,
        ).toEqual(shape(expected));
        lastId = path === "/run" ? String((JSON.parse(text) as Fields)["id"]) : lastId;
      }
    },
  );

  const get = async (path: string) => (await (await fetch(endpoint.url + path)).json()) as Fields;

  test("GET tells how a job stands, and its result as often as it is asked for, also at RunPod's own addresses", async () => {
    const { id } = (await (await endpoint.post("/v2/ep1/run", { input: quickTxt2Img() })).json()) as Fields;
    const done = await get(`/v2/ep1/status/${id}`);
    expect(done).toMatchObject({ id, status: "COMPLETED", output: { images: [expect.any(String)] } });
    expect(await get(`/status/${id}`)).toEqual(done);
    expect(await get(`/v2/ep1/stream/${id}`)).toEqual({
      id,
      status: "COMPLETED",
      stream: [{ output: done["output"] }],
    });
    expect(await get(`/v2/ep1/stream/${id}`)).toEqual({ id, status: "COMPLETED", stream: [] });
    expect(await get("/v2/ep1/status/nope")).toEqual({ id: "nope", status: "FAILED", error: "Job ID not found" });
  });

  test("a job that takes longer than a client waits is in progress, and can be cancelled", async () => {
    const { id } = (await (
      await endpoint.post("/v2/ep1/run", { input: quickTxt2Img({ steps: 5_000 }) })
    ).json()) as Fields;
    expect(await get(`/v2/ep1/status/${id}`)).toEqual({ id, status: "IN_PROGRESS" });
    expect(await get("/v2/ep1/health")).toMatchObject({ jobs: { inProgress: 1 }, workers: { running: 1, idle: 0 } });
    const cancelled = await endpoint.post(`/v2/ep1/cancel/${id}`, "");
    expect(await cancelled.json()).toEqual({ id, status: "CANCELLED" });
    expect(await get(`/v2/ep1/status/${id}`)).toEqual({ id, status: "CANCELLED" });
    await endpoint.logged(({ message }) => message === "invocation failed");
  });

  test("a webhook is refused by name", async () => {
    const response = await endpoint.post("/runsync", { input: quickTxt2Img(), webhook: "http://127.0.0.1/" });
    expect([response.status, await response.json()]).toEqual([422, { detail: expect.stringMatching(/^webhook: /) }]);
  });
});

test.each(byMode("realtime"))(
  "RUNPOD_REALTIME_PORT, $handler: the body that would be posted",
  async ({ handler, exchanges }) => {
    const port = await freePort();
    const endpoint = await startEndpoint({ RUNPOD_REALTIME_PORT: String(port), RUNPOD_ENDPOINT_ID: "ep1" });
    expect(endpoint.url).toBe(`http://0.0.0.0:${port}`);
    for (const { path, headers, body, status, answer } of exchanges) {
      const input = JSON.stringify(INPUTS[handler]);
      // An input that is a text can be JSON alone.
      const sent = body!.replace(/(?<="input": )(\{.*?\}|"s")/, (given) =>
        given === '"s"' ? JSON.stringify(input) : input,
      );
      const response = await fetch(endpoint.url + path, {
        method: "POST",
        headers: headers as Record<string, string>,
        body: sent,
      });
      expect(response.status).toBe(status);
      const given = (await response.text()).replace(
        JSON.stringify({ input: INPUTS[handler] }),
        JSON.stringify({ input: { a: 1 } }),
      );
      expect(shape(given)).toEqual(shape(answer!));
    }
  },
);

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
