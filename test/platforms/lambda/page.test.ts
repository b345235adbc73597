/** What the page on Lambda shows is what happens. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { SETTINGS } from "../../../handler/adapters/lambda/lambda.ts";
import { settingsTable } from "../../../handler/config.ts";
import { startAws } from "../../support/aws.ts";
import { type LambdaRuntime, startLambda } from "../../support/lambda-runtime.ts";

const PAGE = readFileSync(new URL("../../../docs/platforms/lambda.md", import.meta.url), "utf8");

/** The contents of its block of that kind. */
function block(kind: string): string {
  const [, content] = PAGE.split(`\`\`\`${kind}\n`);
  return content!.split("```")[0]!;
}

test("its table of settings is that of the code, and it has at most 60 lines", () => {
  expect(PAGE).toContain(settingsTable(SETTINGS));
  expect(PAGE.split("\n").length).toBeLessThanOrEqual(61);
});

test("its payload gives its result, and its error is what fails the invocation", async () => {
  const { runtime } = await startLambda();
  const requestId = "the request id";
  const fine = await runtime.invoke(JSON.parse(block("json payload")), { requestId: encodeURIComponent(requestId) });
  expect(fine.kind).toBe("response");
  expect(fine.body).toMatchObject({ ...JSON.parse(block("json result")), id: encodeURIComponent(requestId) });
  const refused = await runtime.invoke({ prompt: "a fox", sampler_name: "Eulr" }, { requestId: "other" });
  const error = { ...JSON.parse(block("json error")), errorMessage: expect.any(String), requestId: "other" };
  expect(refused).toMatchObject({ kind: "error", body: error });
});

test("its command makes a picture by a function URL", async () => {
  const { runtime } = await startLambda();
  const url = await startFunctionUrl(runtime);
  const { stdout } = await promisify(execFile)("sh", ["-ec", block("sh")], {
    env: { PATH: process.env["PATH"], FUNCTION_URL: url },
  });
  expect(JSON.parse(stdout).images).toHaveLength(1);
});

test("its payload as a message has its result where the page says", async () => {
  const aws = await startAws();
  const { runtime } = await startLambda({ ...aws.settings, S3_PREFIX: "team/" });
  const record = { messageId: "m1", body: block("json payload"), attributes: {}, eventSource: "aws:sqs" };
  const answer = await runtime.invoke({ Records: [record] });
  expect(answer).toMatchObject({ kind: "response", body: { batchItemFailures: [] } });
  expect(await aws.read("team/results/m1.json")).toMatchObject({ ...JSON.parse(block("json result")), id: "m1" });
});

/** Passes requests on as events, as a function URL does. */
async function startFunctionUrl(runtime: LambdaRuntime): Promise<string> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { pathname: rawPath, search } = new URL(request.url!, "http://function");
    const http = { method: request.method };
    const event = { version: "2.0", rawPath, rawQueryString: search.slice(1), headers: request.headers, body };
    const outcome = await runtime.invoke({ ...event, isBase64Encoded: false, requestContext: { http } });
    const answer = outcome.body as { statusCode: number; headers: Record<string, string>; body: string };
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
