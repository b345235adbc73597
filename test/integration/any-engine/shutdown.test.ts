/** SIGTERM on platforms that speak HTTP, by the grace that each gives. */
import { expect, test } from "vitest";
import { startEndpoint } from "../../support/endpoint.ts";
import { slowTxt2Img } from "../../support/payloads.ts";

/** Cloud Run kills after 10 s. */
const CLOUD_RUN = { K_SERVICE: "s", HOST: "127.0.0.1", SHUTDOWN_GRACE_SECONDS: "" };

test("F13: SIGTERM while idle ends the worker at once", async () => {
  const endpoint = await startEndpoint(CLOUD_RUN);
  await endpoint.ready();
  const sentAt = performance.now();
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - sentAt).toBeLessThan(4_000);
});

test("F13: SIGTERM in mid-job with enough grace: the job is answered, then the worker ends", async () => {
  const endpoint = await startEndpoint(CLOUD_RUN);
  const running = endpoint.post("/runsync", { input: slowTxt2Img({ steps: 100 }) });
  await endpoint.sampling();
  endpoint.process.kill("SIGTERM");
  expect(await (await running).json()).toMatchObject({ status: "COMPLETED" });
  expect(await endpoint.exited).toBe(0);
});

test("F13: SIGTERM in mid-job without enough grace: 503 before the platform kills", async () => {
  const endpoint = await startEndpoint(CLOUD_RUN);
  const running = endpoint.post("/predictions", { input: slowTxt2Img({ steps: 9_000 }) });
  await endpoint.sampling();
  const sentAt = performance.now();
  endpoint.process.kill("SIGTERM");
  const response = await running;
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await endpoint.exited).toBe(0);
  expect(performance.now() - sentAt).toBeLessThan(10_000);
});

test("F13: a second SIGTERM ends the worker at once", async () => {
  const endpoint = await startEndpoint(CLOUD_RUN);
  const running = endpoint.post("/runsync", { input: slowTxt2Img({ steps: 9_000 }) }).catch(() => undefined);
  await endpoint.sampling();
  endpoint.process.kill("SIGTERM");
  await endpoint.logged(({ to }) => to === "draining");
  const sentAt = performance.now();
  endpoint.process.kill("SIGTERM");
  expect(await endpoint.exited).toBe(143);
  expect(performance.now() - sentAt).toBeLessThan(5_000);
  await running;
});
