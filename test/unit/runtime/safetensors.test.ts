import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSafetensorsHeader, safetensorsDataStart } from "../../../runtime/safetensors.ts";
import { safetensorsFile, withHeader } from "../../support/safetensors.ts";

function fileOf(content: string | Buffer): string {
  const root = mkdtempSync(join(tmpdir(), "safetensors-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, "model.safetensors"), content);
  return join(root, "model.safetensors");
}

test("a header tells names, shapes and notes, and where the tensors begin", async () => {
  const content = safetensorsFile({ "a.weight": [2, 3], b: [] }, { format: "pt", count: 3 }, "tensors");
  const path = fileOf(content);
  const header = await readSafetensorsHeader(path);
  expect([...header!.shapes]).toEqual([
    ["a.weight", [2, 3]],
    ["b", []],
  ]);
  expect(header!.metadata).toEqual({ format: "pt" });
  expect(content.subarray(await safetensorsDataStart(path)).toString()).toBe("tensors");
});

test("a link to a file is read as the file", async () => {
  const path = fileOf(safetensorsFile({ a: [1] }));
  symlinkSync(path, `${path}.link`);
  expect((await readSafetensorsHeader(`${path}.link`))?.shapes.has("a")).toBe(true);
});

test.each([
  ["an empty file", ""],
  ["less than the length of a header", "1234567"],
  ["a header that is cut off", safetensorsFile({ a: [1] }).subarray(0, 40)],
  ["a length beyond the file", withHeader("{}", "", 3n)],
  ["a length that no header has", withHeader("{}", "", 2n ** 63n)],
  ["a length over the format's limit", withHeader("{}", "", 100_000_001n)],
  ["no header at all", withHeader("")],
  ["a pickle", Buffer.from("PK\u0003\u0004 archive/data.pkl and more")],
  ["text that is no JSON", withHeader("{a")],
  ["a list", withHeader("[]")],
  ["null", withHeader("null")],
  ["a tensor that is none", withHeader('{"a": 1}')],
  ["a tensor without a shape", withHeader('{"a": {"dtype": "F16"}}')],
  ["a shape with a text", withHeader('{"a": {"shape": ["1"]}}')],
  ["a shape below nothing", withHeader('{"a": {"shape": [-1]}}')],
  ["notes that are none", withHeader('{"__metadata__": []}')],
])("%s is no safetensors file", async (_, content) => {
  expect(await readSafetensorsHeader(fileOf(content))).toBeUndefined();
});

test("folders, pipes and what is absent are no safetensors files", async () => {
  const path = fileOf("");
  mkdirSync(`${path}.folder`);
  execFileSync("mkfifo", [`${path}.pipe`]);
  for (const end of [".folder", ".pipe", ".absent"])
    expect(await readSafetensorsHeader(`${path}${end}`)).toBeUndefined();
});
