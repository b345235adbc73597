import { describe, expect, test } from "vitest";
import { parseJson } from "../../../runtime/json.ts";
import { withOutputFolder } from "../../../workflows/output-prefix.ts";
import { thrownBy } from "../../support/thrown.ts";

const save = (filename_prefix: unknown) => ({ class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix } });
const prefixAfter = (prefix: unknown) =>
  withOutputFolder({ "2": save(prefix) }, "job-7")["2"]!.inputs["filename_prefix"];

describe("every prefix lies in the job's folder", () => {
  test.each<[unknown, unknown]>([
    ["ComfyUI", "job-7/ComfyUI"],
    ["", "job-7/"],
    ["sub/folder/name", "job-7/sub/folder/name"],
    ["%date:yyyy%_%width%", "job-7/%date:yyyy%_%width%"],
    ["fox..jpg", "job-7/fox..jpg"],
    ["ein Bild ü#", "job-7/ein Bild ü#"],
    [2024, "job-7/2024"],
    [parseJson("18446744073709551615"), "job-7/18446744073709551615"],
  ])("%j becomes %j", (prefix, expected) => {
    expect(prefixAfter(prefix)).toBe(expected);
  });
});

describe("a prefix that leaves the output folder is refused", () => {
  test.each(["../x", "..", "a/../../x", "a/..", "a\\..\\x", "/etc/x", "\\\\server\\x", "C:\\x", "c:x", "~/x", "a\0b"])(
    "%j",
    (prefix) => {
      const error = thrownBy(() => prefixAfter(prefix));
      expect(error.code).toBe("invalid_workflow");
      expect(error.details!["nodes"]).toEqual([
        expect.objectContaining({ node_id: "2", class_type: "SaveImage", input: "filename_prefix", received: prefix }),
      ]);
    },
  );
});

test.each([[true], [null], [{ a: 1 }]])(
  "the prefix %j is refused: ComfyUI would put its Python text there",
  (prefix) => {
    expect(thrownBy(() => prefixAfter(prefix)).message).toContain("the prefix must be text");
  },
);

test("nodes without a prefix, linked prefixes and the given graph stay as they are", () => {
  const graph = {
    "1": { class_type: "EmptyImage", inputs: { width: 8 } },
    "2": save("a"),
    "3": save(["4", 0]),
  };
  const before = structuredClone(graph);
  const changed = withOutputFolder(graph, "job-7");
  expect(graph).toEqual(before);
  expect(changed).toEqual({ ...before, "2": save("job-7/a") });
});
