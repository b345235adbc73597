/** Facts of the image that can be held without building it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../handler/config.ts";
import { ROOT } from "./support/source-files.ts";

interface Instruction {
  keyword: string;
  rest: string;
}

/** Logical lines without comments. */
const instructions: Instruction[] = readFileSync(join(ROOT, "Dockerfile"), "utf8")
  .replace(/^\s*#.*\n/gm, "")
  .replace(/\\\n/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => ({ keyword: line.split(" ", 1)[0]!, rest: line.slice(line.indexOf(" ") + 1).trim() }));
const all = (keyword: string) => instructions.filter((line) => line.keyword === keyword).map(({ rest }) => rest);

/** Default values of the build arguments. */
const args = new Map(all("ARG").map((rest) => rest.split("=", 2) as [string, string]));

test("it runs as a numeric user that is not root, below tini", () => {
  expect(all("USER").at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(JSON.parse(all("ENTRYPOINT").at(-1)!).slice(0, 3)).toEqual(["/usr/bin/tini", "--", "node"]);
  expect(all("ENTRYPOINT").at(-1)).not.toContain('"-g"');
});

test("every version is a build argument that is used, and none is `latest`", () => {
  const text = instructions.map(({ keyword, rest }) => (keyword === "ARG" ? "" : rest)).join("\n");
  expect([...args.keys()].filter((name) => !text.includes(`\${${name}}`))).toEqual([]);
  expect([...args.values()].filter((value) => value === "" || value.includes("latest"))).toEqual([]);
  for (const image of all("FROM").map((rest) => rest.split(" ")[0]!)) {
    const name = image.match(/^\$\{(\w+)\}$/)?.[1];
    expect(args.get(name!), image).toMatch(/:[\w.-]*\d/);
  }
  expect(all("RUN").join("\n")).not.toMatch(/pip install [^&]*\btorch(?!==|vision|audio)\b(?!.*requirements)/);
});

test("what it copies exists and passes .dockerignore", () => {
  const allowed = readFileSync(join(ROOT, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => line.slice(1));
  const copied = all("COPY")
    .filter((rest) => !rest.startsWith("--from"))
    .flatMap((rest) => rest.split(/\s+/).slice(0, -1));
  expect(copied.toSorted()).toEqual(allowed.toSorted());
  expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test("its settings are ones that the endpoint knows and accepts", () => {
  const environment = Object.fromEntries(
    [
      ...all("ENV")
        .join(" ")
        .matchAll(/([A-Z_]+)=(\S+)/g),
    ].map(([, name, value]) => [name!, value!]),
  );
  const { HOST, PORT, COMFYUI_HOME, COMFYUI_PYTHON, INPUT_DIR } = loadConfig(environment);
  expect({ HOST, PORT, COMFYUI_HOME, COMFYUI_PYTHON, INPUT_DIR }).toEqual({
    HOST: "::",
    PORT: 3000,
    COMFYUI_HOME: "/opt/ComfyUI",
    COMFYUI_PYTHON: "/opt/venv/bin/python",
    INPUT_DIR: "/data/input",
  });
});

test("its health is what `/health` says", () => {
  expect(all("HEALTHCHECK")[0]).toContain("/health");
});

test("no secret is baked in, and nothing that Debian's buildah rejects is used", () => {
  expect([...args.keys(), ...all("ENV")].filter((text) => /TOKEN|SECRET|PASSWORD/.test(text))).toEqual([]);
  expect(instructions.map(({ rest }) => rest).join("\n")).not.toMatch(
    /<<|--link|--parents|--checksum|--start-interval/,
  );
});
