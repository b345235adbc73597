import { describe, expect, test } from "vitest";
import { collectOutputs } from "../../../../handler/outputs/collect.ts";

const file = (filename: string, subfolder = "", type = "output") => ({ filename, subfolder, type });
const collect = (outputs: Record<string, Record<string, unknown>>) => collectOutputs(outputs, "job-7");
const filesOf = (report: Record<string, unknown>) => collect({ "9": report }).files;
const namesOf = (report: Record<string, unknown>) => filesOf(report).map(({ name }) => name);

describe("every kind of file that nodes report is found", () => {
  test.each<[string, Record<string, unknown>, string[]]>([
    ["pictures", { images: [file("a_00001_.png"), file("a_00002_.png")] }, ["a_00001_.png", "a_00002_.png"]],
    ["a video under images", { images: [file("v.mp4")], animated: [true] }, ["v.mp4"]],
    ["VideoHelperSuite", { gifs: [{ ...file("v.mp4"), format: "video/h264-mp4", fullpath: "/x/v.mp4" }] }, ["v.mp4"]],
    ["videos", { video: [file("a.webm")], videos: [file("b.webm")] }, ["a.webm", "b.webm"]],
    ["sound", { audio: [file("s.flac")] }, ["s.flac"]],
    ["3D", { "3d": [file("m.glb")] }, ["m.glb"]],
    ["latents", { latents: [file("l.latent")] }, ["l.latent"]],
    ["text files", { text: ["words"], files: [file("t.md")] }, ["t.md"]],
    ["a key that nobody knows", { something_new: [{ ...file("x.bin"), metadata: { a: 1 } }] }, ["x.bin"]],
    ["one file without a list", { model_file: file("m.safetensors") }, ["m.safetensors"]],
    ["a file without folder and type", { images: [{ filename: "a.png" }] }, ["a.png"]],
    [
      "a file whose folder and type are null",
      { images: [{ filename: "a.png", subfolder: null, type: null }] },
      ["a.png"],
    ],
  ])("%s", (_name, report, names) => {
    expect(namesOf(report)).toEqual(names);
  });

  test("with the reference that reads it", () => {
    expect(filesOf({ images: [{ filename: "a.png", subfolder: null }] })[0]!.reference).toEqual(file("a.png"));
    expect(filesOf({ gifs: [{ ...file("v.mp4", "job-7/x"), frame_rate: 8 }] })[0]!.reference).toEqual(
      file("v.mp4", "job-7/x"),
    );
  });
});

describe("what is no file is passed over", () => {
  test.each<[string, Record<string, unknown>]>([
    ["flags", { animated: [true], has_mask: [false] }],
    ["nulls", { images: [null, null], result: null }],
    ["strings of a 3D preview", { result: ["3d/m.glb", null, "background.png"] }],
    ["names without an object", { files: ["a.txt"], "3d": "m.glb", latents: ["x.latent"] }],
    ["objects without a file name", { images: [{ subfolder: "a", type: "output" }], camera: [{ x: 1 }] }],
    ["a file name that is no text", { images: [{ filename: 5 }, { filename: null }] }],
    ["nothing", {}],
  ])("%s", (_name, report) => {
    expect(collect({ "9": report })).toEqual({ files: [], texts: [], strays: [] });
  });
});

describe("texts", () => {
  test.each<[string, Record<string, unknown>, string[]]>([
    ["a list", { text: ["one", "two"] }, ["one", "two"]],
    ["a bare string", { text: "one" }, ["one"]],
    ["the other key", { string: ["one"] }, ["one"]],
    ["an empty one", { text: [""] }, [""]],
    ["between what is no text", { text: [null, "one", 5, { a: 1 }] }, ["one"]],
    ["a string under another key", { caption: ["one"] }, []],
  ])("%s", (_name, report, texts) => {
    expect(collect({ "9": report }).texts.map(({ text }) => text)).toEqual(texts);
  });

  test.each([
    ["9", "9-text.txt"],
    ["57:8", "57:8-text.txt"],
    ["../../etc/x", ".._.._etc_x-text.txt"],
    ["a\\b", "a_b-text.txt"],
  ])("node %s names its text %s", (nodeId, name) => {
    expect(collect({ [nodeId]: { text: "x" } }).texts).toEqual([{ nodeId, name, text: "x" }]);
  });
});

describe("names", () => {
  test.each([
    ["a.png", "", "a.png"],
    ["a.png", "job-7", "a.png"],
    ["a.png", "job-7/sub/folder", "sub/folder/a.png"],
    ["a.png", "job-7\\sub", "sub/a.png"],
    ["a.png", "other/job-7", "other/job-7/a.png"],
    ["a.png", "job-7/job-7", "job-7/a.png"],
    ["a.png", "/job-7//sub/", "sub/a.png"],
    ["a.png", "job-7/../../etc", "etc/a.png"],
    ["../../a.png", "job-7", "a.png"],
    ["ein Bild 100% #1 ü.png", "job-7", "ein Bild 100% #1 ü.png"],
  ])("%s in %j is %s", (filename, subfolder, name) => {
    expect(namesOf({ images: [file(filename, subfolder)] })).toEqual([name]);
  });

  test("equal names in two folders stay two outputs", () => {
    expect(namesOf({ images: [file("a.png", "job-7/x"), file("a.png", "job-7/y")] })).toEqual(["x/a.png", "y/a.png"]);
  });
});

test("the order is that of node ids, as numbers, then of positions", () => {
  const { files } = collect({
    "57:8": { images: [file("e")] },
    "10": { images: [file("c"), file("d")] },
    "9": { gifs: [file("a")], audio: [file("b")] },
  });
  expect(files.map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e"]);
});

describe("what is to be removed besides the job's folder", () => {
  const inFolder = [file("a.png", "job-7"), file("b.png", "job-7/sub"), file("c.png", "job-7\\sub")];
  const outside = [file("out.png"), file("d.png", "other/job-7"), file("preview.png", "", "temp")];
  const operators = [file("mine.png", "", "input"), file("mine.png", "job-7", "input")];
  const { files, strays } = collect({ "9": { images: [...inFolder, ...outside, ...operators] } });

  test("previews are no outputs", () => {
    expect(files.map(({ reference }) => reference.type)).not.toContain("temp");
    expect(files).toHaveLength(7);
  });

  test("outputs and previews outside of it, but never a file of the input folder", () => {
    expect(strays).toEqual(outside);
  });
});
