import { describe, expect, test } from "vitest";
import { Notes } from "../../../../../handler/request/sdapi/notes.ts";
import { EndpointError } from "../../../../../runtime/errors.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

const refusal = new EndpointError("unsupported_feature", "tiling: this is not available; leave it out");
const missing = new EndpointError("unknown_model", "there is no such model");
const mistake = new EndpointError("invalid_request", "steps: must be at least 1");
const lenient = (isFresh = true) => new Notes({ isLenient: true, isFresh });
const fails = (error: unknown) => async () => {
  throw error;
};

describe("a search that takes its time", () => {
  test("finds what it finds, and nothing is told", async () => {
    const notes = lenient();
    const found = await notes.orElseAsync(
      async () => 1,
      () => 2,
    );
    expect([found, notes.texts]).toEqual([1, []]);
  });

  test.each([async () => "other", () => "other"])("finds another in lenient mode, which is told", async (fallback) => {
    const notes = lenient();
    const found = await notes.orElseAsync(fails(refusal), fallback, (chosen) => `${chosen} is used`);
    expect(found).toBe("other");
    expect(notes.texts).toEqual(["tiling: this is not available; other is used"]);
  });

  test("hands the refusal to what looks further, whose own refusal counts", async () => {
    const notes = lenient();
    const nested = notes.orElseAsync(fails(refusal), async (first) => {
      expect(first).toBe(refusal);
      throw mistake;
    });
    expect(await rejectionOf(nested)).toBe(mistake);
    expect(notes.texts).toEqual([]);
  });

  test.each<[notes: Notes, error: Error]>([
    [new Notes(), refusal],
    [lenient(), mistake],
    [lenient(), new Error("a fault of ours")],
    [lenient(false), missing],
  ])("fails where it must not be left aside: %#", async (notes, error) => {
    await expect(notes.orElseAsync(fails(error), () => 1)).rejects.toBe(error);
    expect(notes.texts).toEqual([]);
  });

  test("leaves a model aside that is missing in fresh lists", async () => {
    expect(await lenient().orElseAsync(fails(missing), () => 1)).toBe(1);
  });
});
