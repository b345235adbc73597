/** The README's parts that tests compare with the code, or run. */
import { readFileSync } from "node:fs";
import { README } from "./write-docs.ts";

export const README_TEXT = readFileSync(README, "utf8");

/** The contents of its `sh` blocks, in order. */
export function shellBlocks(): string[] {
  return [...README_TEXT.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
}

/** The files of the three lists: on the way of one txt2img, on the way to ready, and beside both, where a folder stands for all in it. */
export function filesListed(): Record<"invocation" | "start" | "others", string[]> {
  return {
    invocation: filesBelow("## One invocation, file by file"),
    start: filesBelow("### From start to ready"),
    others: filesBelow("### Other ways in and out"),
  };
}

/** Those of a section's list items, up to the next heading. */
function filesBelow(heading: string): string[] {
  const section = README_TEXT.split(`${heading}\n`)[1]?.split(/^#/m)[0] ?? "";
  const items = section.split("\n").filter((line) => /^(\d+\.|\*) /.test(line));
  return items.flatMap((item) =>
    [...item.matchAll(/`((?:handler|workflows|runtime)\/[^`]+)`/g)].map(([, file]) => file!),
  );
}
