import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";

test("a payload from a file: the result on stdout, the log on stderr, exit code 0", async () => {
  const { code, stdout, stderr } = await runCommand(["invoke", "test/fixtures/payloads/graph.json"]);
  expect(code).toBe(0);
  const { outputs, status } = JSON.parse(stdout);
  expect(status).toBe("succeeded");
  expect(await decode(Buffer.from(outputs[0].data, "base64"))).toMatchObject({ width: 64, height: 64 });
  expect(stderr).toContain("invocation finished");
});

test("a payload from stdin, the outputs as files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "comfy-endpoint-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { code, stdout } = await runCommand(["invoke", "-", "--out", folder], {}, JSON.stringify(quickTxt2Img()));
  expect(code).toBe(0);
  const [file] = JSON.parse(stdout).images;
  expect(await decode(readFileSync(file))).toMatchObject({ width: 64, height: 64 });
});

const bad: [name: string, payload: string, field: string][] = [
  ["a field of the wrong type", JSON.stringify(quickTxt2Img({ steps: "many" })), "steps"],
  [
    "an unknown class",
    JSON.stringify({ prompt: { ...colourGraph(1), "9": { class_type: "Nope", inputs: {} } } }),
    "node 9 (Nope)",
  ],
  [
    "a wrong option",
    JSON.stringify({ prompt: colourGraph(1), convert_output: { format: "jpeg", options: { quality: 101 } } }),
    "convert_output.options.quality",
  ],
  ["no JSON", "{", "JSON"],
  ["nothing that is known", '{"hello": 1}', "accepted are"],
];
for (const [name, payload, field] of bad) {
  test(`a bad payload exits with 2 and names what is at fault: ${name}`, async () => {
    const { code, stdout } = await runCommand(["invoke", "-"], {}, payload);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error.message).toContain(field);
  });
}

test("a file that is not there, a wrong command and wrong settings exit with 2", async () => {
  expect((await runCommand(["invoke", "/nonexistent.json"])).code).toBe(2);
  expect((await runCommand(["dance"])).code).toBe(2);
  const { code, stderr } = await runCommand(["serve"], { PORT: "many", LOG_LEVEL: "loud" });
  expect(code).toBe(2);
  expect(stderr).toMatch(/PORT[\s\S]*LOG_LEVEL/);
});

test("an engine that does not start exits with 1: another worker may do better", async () => {
  const { code, stdout } = await runCommand(
    ["invoke", "-"],
    { COMFYUI_ARGS: "--fault boot-exit=1" },
    JSON.stringify(quickTxt2Img()),
  );
  expect(code).toBe(1);
  expect(JSON.parse(stdout).error.code).toBe("comfyui_start_failed");
});

test("check prints the settings without secrets, the engine and its models", async () => {
  const { code, stdout } = await runCommand(["check"], { API_TOKEN: "s3cret" });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    settings: { API_TOKEN: "set" },
    engines: [{ kind: "emulator" }],
    models: { checkpoints: expect.arrayContaining(["tiny-sd15.safetensors"]) },
    missing: [],
  });
  expect(stdout).not.toContain("s3cret");
});
