import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLoraTag, stripComments, takeNetworkTags } from "../../../workflows/extra-networks.ts";
import recorded from "../../fixtures/sdapi/extra-networks.json" with { type: "json" };

interface Recorded {
  prompt: string;
  text: string;
  networks: Record<string, { positional: string[]; named: Record<string, string> }[]>;
  lora_activate?: { names: string[]; te: unknown[]; unet: unknown[]; dyn: unknown[] } | { error: string };
}

describe("tags", () => {
  test.each(recorded.parse_prompt as unknown as Recorded[])("$prompt", ({ prompt, text, networks, lora_activate }) => {
    const { text: rest, tags } = takeNetworkTags(prompt);
    expect(rest).toBe(text);
    const byKind = Object.entries(Object.groupBy(tags, ({ kind }) => kind));
    expect(
      Object.fromEntries(
        byKind.map(([kind, all = []]) => [kind, all.map(({ positional, named }) => ({ positional, named }))]),
      ),
    ).toEqual(
      Object.fromEntries(
        Object.entries(networks).map(([kind, all]) => [
          kind,
          all.map(({ positional, named }) => ({ positional, named })),
        ]),
      ),
    );
    if (lora_activate === undefined) return;
    const uses = tags.filter(({ kind }) => kind === "lora").map(readLoraTag);
    if ("error" in lora_activate) {
      expect(uses).toContainEqual({ problem: expect.any(String) });
      return;
    }
    const number = (value: number) =>
      Number.isFinite(value) ? value : String(value).replace("Infinity", "inf").toLowerCase();
    const read = uses.map((use) => {
      if ("problem" in use) throw new Error(use.problem);
      return use;
    });
    expect({
      names: read.map(({ name }) => name),
      te: read.map(({ textEncoder }) => number(textEncoder)),
      unet: read.map(({ unet }) => number(unet)),
      dyn: read.map(({ dynamicRank }) => dynamicRank ?? null),
    }).toEqual(lora_activate);
  });

  test.each(recorded.parse_prompts.filter(({ prompts }) => prompts.length > 0))(
    "$prompts: only the first prompt's count",
    ({ prompts, texts, networks }) => {
      expect(prompts.map((prompt) => takeNetworkTags(prompt).text)).toEqual(texts);
      const [first] = (networks as { lora?: string[][] }).lora ?? [];
      expect(takeNetworkTags(prompts[0]!).tags[0]?.positional).toEqual(first?.slice(0));
    },
  );
});

describe("comments", () => {
  test.each(recorded.strip_comments)("%j is %j", (prompt, stripped) => {
    expect(stripComments(prompt!)).toBe(stripped);
  });
});

test("any text is read", () => {
  const piece = fc.constantFrom("<", ">", "lora", ":", "=", "te", "dyn", "0.5", "#", "\n", "a");
  const prompt = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(prompt, (text) => {
      const { text: rest, tags } = takeNetworkTags(stripComments(text));
      for (const tag of tags) readLoraTag(tag);
      expect(takeNetworkTags(rest).text.length).toBeLessThanOrEqual(rest.length);
    }),
  );
});
