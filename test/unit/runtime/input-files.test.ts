import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InputFolder, inputFile } from "../../../runtime/input-files.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "inputs-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const [one, other] = [inputFile(Buffer.from("one")), inputFile(Buffer.from("other"))];
const present = async () => (await readdir(join(root, "comfy-endpoint"))).map((name) => `comfy-endpoint/${name}`);

test("the same bytes have the same name, others another", () => {
  expect(inputFile(Buffer.from("one"))).toEqual(one);
  expect(other.name).not.toBe(one.name);
});

describe("files", () => {
  test("stand there whole while they are held, and are gone afterwards", async () => {
    const folder = new InputFolder(root);
    const release = await folder.hold([one, other, one]);
    expect((await present()).sort()).toEqual([one.name, other.name].sort());
    expect(await readFile(join(root, one.name), "utf8")).toBe("one");
    await release();
    expect(await present()).toEqual([]);
  });

  test("stay until the last of those who need them is done", async () => {
    const folder = new InputFolder(root);
    const [first, second] = await Promise.all([folder.hold([one]), folder.hold([one, other])]);
    await second();
    expect(await present()).toEqual([one.name]);
    await first();
    expect(await present()).toEqual([]);
  });

  test("are there again when they are needed while they are being removed", async () => {
    const folder = new InputFolder(root);
    const first = await folder.hold([one]);
    const removed = first();
    const second = await folder.hold([one]);
    await removed;
    expect(await readFile(join(root, one.name), "utf8")).toBe("one");
    await second();
    expect(await present()).toEqual([]);
  });

  test("that cannot be written fail the call, and nothing is left of it", async () => {
    await writeFile(join(root, "file"), "");
    const folder = new InputFolder(root);
    const bad = { name: "file/below.png", bytes: Buffer.from("x") };
    await expect(folder.hold([one, bad])).rejects.toThrow();
    expect(await present()).toEqual([]);
  });
});
