/** Reads a Dockerfile as far as rules about it need: stages, instructions, default values of its arguments. */

export interface Instruction {
  keyword: string;
  /** Without comments and line breaks. */
  rest: string;
}

export interface Stage {
  name: string;
  /** What it starts from: another stage, or an image. */
  from: string;
  instructions: Instruction[];
}

export interface Dockerfile {
  /** Of the arguments that stand before the first stage. */
  defaults: Map<string, string>;
  stages: Stage[];
}

export function parseDockerfile(text: string): Dockerfile {
  const lines = text
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const instructions = lines.map((line) => {
    const [, keyword, rest] = /^(\S+)\s+(.*)$/.exec(line)!;
    return { keyword: keyword!, rest: rest!.trim() };
  });
  const defaults = new Map<string, string>();
  const stages: Stage[] = [];
  for (const { keyword, rest } of instructions) {
    const stage = stages.at(-1);
    if (keyword === "FROM") {
      const [from, , name] = rest.split(/\s+/);
      stages.push({ name: name ?? "", from: withDefaults(from!, defaults), instructions: [] });
    } else if (stage) stage.instructions.push({ keyword, rest });
    else defaults.set(...(rest.split("=", 2) as [string, string]));
  }
  return { defaults, stages };
}

const withDefaults = (text: string, defaults: Map<string, string>) =>
  text.replace(/\$\{(\w+)\}/g, (_, name: string) => defaults.get(name) ?? "");

/** A stage's instructions after those of the stages that it starts from, as an image has them. */
export function lineage({ stages }: Dockerfile, name: string): Instruction[] {
  const stage = stages.find((one) => one.name === name);
  return stage === undefined ? [] : [...lineage({ stages, defaults: new Map() }, stage.from), ...stage.instructions];
}

/** What a COPY takes from the folder of the build; nothing of it when it takes from a stage. */
export const copiedPaths = ({ rest }: Instruction): string[] =>
  rest.includes("--from") ? [] : rest.split(/\s+/).slice(0, -1);
