import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comfyuiApiNames, uniqueNames } from "../../../../handler/outputs/names.ts";

describe("equal names are numbered before their extension", () => {
  test.each([
    [
      ["a.png", "b.png"],
      ["a.png", "b.png"],
    ],
    [
      ["a.png", "a.png", "a.png"],
      ["a.png", "a-2.png", "a-3.png"],
    ],
    [
      ["a.png", "a-2.png", "a.png"],
      ["a.png", "a-2.png", "a-3.png"],
    ],
    [
      ["a-2.png", "a.png", "a.png"],
      ["a-2.png", "a.png", "a-3.png"],
    ],
    [
      ["x.y/a", "x.y/a"],
      ["x.y/a", "x.y/a-2"],
    ],
    [
      ["a.tar.gz", "a.tar.gz"],
      ["a.tar.gz", "a.tar-2.gz"],
    ],
    [
      ["$1.png", "$1.png"],
      ["$1.png", "$1-2.png"],
    ],
  ])("%j", (given, expected) => {
    expect(uniqueNames(given)).toEqual(expected);
  });
});

test("comfyui-api's names carry the id, and folders do not make two names one", () => {
  expect(comfyuiApiNames("id", ["a.png", "x/a.png", "x_a.png"])).toEqual(["id_a.png", "id_x_a.png", "id_x_a-2.png"]);
});

test("no two names are ever equal, and the first of its kind keeps its own", () => {
  const name = fc
    .tuple(fc.constantFrom("a", "b", "a-2", "x/a", "x_a"), fc.constantFrom("", ".png", ".webp"))
    .map((it) => it.join(""));
  fc.assert(
    fc.property(fc.array(name), (names) => {
      for (const unique of [uniqueNames(names), comfyuiApiNames("id", names)]) {
        expect(new Set(unique).size).toBe(names.length);
      }
      expect(uniqueNames(names)[0]).toBe(names[0]);
    }),
  );
});
