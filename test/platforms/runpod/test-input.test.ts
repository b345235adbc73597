/** One job on the command line, as RunPod's own workers take it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { runCommand } from "../../support/endpoint.ts";
import { colourGraph } from "../../support/payloads.ts";
import { replay } from "../../support/runpod-scenarios.ts";

const JOB = JSON.stringify({ input: { prompt: colourGraph(1) } });
const BAD_JOB = JSON.stringify({ input: { workflow: { "1": { class_type: "NoSuchNode", inputs: {} } } } });

replay("test-input-ok", "the result is on stdout", async (recorded) => {
  const { code, stdout } = await runCommand(["--test_input", JOB]);
  expect(code).toBe(recorded.exit);
  expect(JSON.parse(stdout)).toMatchObject({ output: { id: "local_test", status: "succeeded" } });
});

replay("test-input-error", "a job that fails", async (recorded) => {
  const { code, stdout } = await runCommand(["--test_input", BAD_JOB]);
  expect(code).toBe(recorded.exit);
  expect(JSON.parse(stdout)).toEqual({ error: expect.stringMatching(/^Workflow validation failed/) });
});

replay("test-input-empty-input", "an empty input", async () => {
  const { code, stdout } = await runCommand(["--test_input", '{"input": {}}']);
  expect([code, JSON.parse(stdout)]).toEqual([1, { error: "Missing 'workflow' parameter" }]);
});

replay("test-input-no-input", "no input at all", async (recorded) => {
  const { code, stderr } = await runCommand(["--test_input", '{"prompt": 1}']);
  expect(code).toBe(recorded.exit);
  expect(stderr).toContain("Job has no input parameter. Unable to run.");
});

replay("test-input-bad-json", "no JSON", async (recorded) => {
  const { code, stderr } = await runCommand(["--test_input", "{"]);
  expect(code).toBe(recorded.exit);
  expect(stderr).toMatch(/^the test input is not JSON: /m);
});

replay("test-input-none", "--once reads test_input.json, which may be missing", async (recorded) => {
  const folder = await mkdtemp(join(tmpdir(), "test-input-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const missing = await runCommand(["--once"], {}, "", folder);
  expect(missing.code).toBe(recorded.exit);
  expect(missing.stderr).toContain("test_input.json not found, exiting.");
  await writeFile(join(folder, "test_input.json"), JOB);
  expect(await runCommand(["--once"], {}, "", folder)).toMatchObject({ code: 0 });
});
