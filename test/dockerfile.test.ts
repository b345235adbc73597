/** Rules of the image that hold without building it, and that a Dockerfile which breaks one is noticed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../handler/config.ts";
import nodesLock from "../nodes.lock.json" with { type: "json" };
import lock from "../package-lock.json" with { type: "json" };
import { copiedPaths, type Dockerfile, lineage, parseDockerfile } from "./support/dockerfile.ts";
import { ROOT } from "./support/source-files.ts";

const TEXT = readFileSync(join(ROOT, "Dockerfile"), "utf8");
const DOCKERFILE = parseDockerfile(TEXT);
const IGNORED = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
const ALLOWED = IGNORED.filter((line) => line.startsWith("!")).map((line) => line.slice(1));

/** What people build, the last being the default. */
const TARGETS = ["cpu", "runtime"];

const all = ({ stages }: Dockerfile) => stages.flatMap(({ instructions }) => instructions);
const rests = (file: Dockerfile, keyword: string) =>
  all(file).flatMap((instruction) => (instruction.keyword === keyword ? [instruction.rest] : []));
const last = (file: Dockerfile, target: string, keyword: string) =>
  lineage(file, target).findLast((instruction) => instruction.keyword === keyword)?.rest ?? "";

/** Each says what is wrong; nothing where it is kept. */
const RULES: Record<string, (file: Dockerfile) => unknown[]> = {
  "runs as a numeric user who is not root": (file) =>
    TARGETS.map((target) => last(file, target, "USER")).filter((user) => !/^[1-9]\d*:[1-9]\d*$/.test(user)),

  "starts below tini, which signals Node alone": (file) =>
    TARGETS.map((target) => last(file, target, "ENTRYPOINT")).filter(
      (entry) => !entry.startsWith('["/usr/bin/tini", "--", "node", "/app/'),
    ),

  "the handler is the last that changes a file": (file) =>
    TARGETS.map(
      (target) => lineage(file, target).findLast(({ keyword }) => /^(RUN|COPY|ADD)$/.test(keyword))?.rest,
    ).filter((rest) => rest !== "--from=handler /app /app"),

  "every image from outside has a version, and none is `latest`": ({ stages }) =>
    stages
      .map(({ from }) => from)
      .filter((from) => !stages.some(({ name }) => name === from) && !/:[\w.-]*\d/.test(from)),

  "every argument has a value, and is used": (file) => {
    const text = [
      ...all(file).filter(({ keyword }) => keyword !== "ARG"),
      ...file.stages.map(({ from }) => ({ rest: from })),
    ];
    const used = text.map(({ rest }) => rest).join("\n");
    const isUsed = (name: string) => used.includes(`\${${name}`) || /_IMAGE$|_STAGE$/.test(name);
    return [...file.defaults].filter(([name, value]) => !value || value.includes("latest") || !isUsed(name));
  },

  "ComfyUI is a commit": ({ defaults }) =>
    [defaults.get("COMFYUI_COMMIT")].filter((commit) => !/^[0-9a-f]{40}$/.test(commit ?? "")),

  "PyTorch is installed at a version": (file) =>
    rests(file, "RUN").flatMap((run) => run.match(/[\s"']torch(vision|audio)?(?=["'\s])/g) ?? []),

  "apt installs in one go, with what is needed and no more": (file) =>
    rests(file, "RUN").filter(
      (run) =>
        run.includes("apt-get install") && !/apt-get update .*apt-get install -y --no-install-recommends/.test(run),
    ),

  "no secret is baked in": (file) =>
    [...file.defaults.keys(), ...rests(file, "ARG"), ...rests(file, "ENV")].filter((text) =>
      /TOKEN|SECRET|PASSWORD|API_KEY/.test(text),
    ),

  "nothing that Debian's buildah rejects, or leaves out of its cache": (file) =>
    all(file).filter(({ rest }) => /<<|--link|--parents|--checksum|--start-interval|type=bind/.test(rest)),

  "what it copies passes .dockerignore and exists, or is a stage's": (file) => {
    const stages = file.stages.map(({ name }) => name);
    const copies = all(file).filter(({ keyword }) => keyword === "COPY");
    const isAllowed = (path: string) => ALLOWED.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
    const froms = copies.flatMap(({ rest }) => rest.match(/(?<=--from=)\S+/)?.[0] ?? []);
    return [
      ...copies.flatMap(copiedPaths).filter((path) => !isAllowed(path) || !existsSync(join(ROOT, path))),
      ...froms.filter((from) => !stages.includes(from)),
    ];
  },

  "its health is what its own check says": (file) =>
    TARGETS.map((target) => last(file, target, "HEALTHCHECK")).filter(
      (check) => !check.endsWith('CMD ["node", "/app/healthcheck.mjs"]'),
    ),

  "a laptop's image is made as a GPU's, but for PyTorch": (file) => {
    const [gpu, laptop] = ["comfyui", "comfyui-cpu"].map((name) => {
      const { instructions } = file.stages.find((stage) => stage.name === name)!;
      const steps = instructions.filter(({ keyword }) => keyword === "RUN" || keyword === "COPY");
      return steps.slice(steps.findIndex(({ rest }) => rest.includes("/opt/requirements.txt"))).map(({ rest }) => rest);
    });
    return [...new Set(gpu).symmetricDifference(new Set(laptop))];
  },
};

test.each(Object.entries(RULES))("%s", (_, complaints) => {
  expect(complaints(DOCKERFILE)).toEqual([]);
});

/** A change of the Dockerfile for each rule, which must complain. */
const BREACHES: Record<keyof typeof RULES, [from: string | RegExp, to: string]> = {
  "runs as a numeric user who is not root": [/^USER .*$/m, "USER root"],
  "starts below tini, which signals Node alone": ['"/usr/bin/tini", "--"', '"/usr/bin/tini", "-g", "--"'],
  "the handler is the last that changes a file": [/^USER/m, "RUN date > /built\nUSER"],
  "every image from outside has a version, and none is `latest`": [/NODE_IMAGE=\S+/, "NODE_IMAGE=node:latest"],
  "every argument has a value, and is used": ["ARG REVISION=", "ARG OTHER=1\nARG REVISION="],
  "ComfyUI is a commit": [/COMFYUI_COMMIT=\w+/, "COMFYUI_COMMIT=v0.33.0"],
  "PyTorch is installed at a version": [/"torch==[^"]+"/, '"torch"'],
  "apt installs in one go, with what is needed and no more": [" --no-install-recommends", ""],
  "no secret is baked in": ["ARG REVISION=", "ARG HF_TOKEN=1\nARG REVISION="],
  "nothing that Debian's buildah rejects, or leaves out of its cache": ["COPY --from", "COPY --link --from"],
  "what it copies passes .dockerignore and exists, or is a stage's": ["COPY workflows ", "COPY test "],
  "its health is what its own check says": [/^HEALTHCHECK.*$/m, "HEALTHCHECK NONE"],
  "a laptop's image is made as a GPU's, but for PyTorch": ["COPY --from=source /opt/ComfyUI /opt/ComfyUI\n", ""],
};

test.each(Object.entries(BREACHES))("a breach is noticed: %s", (rule, [from, to]) => {
  const broken = TEXT.replace(from, to);
  expect(broken).not.toBe(TEXT);
  expect(RULES[rule]!(parseDockerfile(broken))).not.toEqual([]);
});

test("every rule has its breach", () => {
  expect(Object.keys(BREACHES)).toEqual(Object.keys(RULES));
});

test("the folder of a build holds what is copied, and no more", () => {
  expect(IGNORED.filter((line) => !/^(#|!|$)/.test(line))).toEqual(["*"]);
  const copied = all(DOCKERFILE)
    .filter(({ keyword }) => keyword === "COPY")
    .flatMap(copiedPaths);
  const needless = ALLOWED.filter((allowed) => !copied.some((path) => path.split("/")[0] === allowed));
  expect(needless).toEqual([]);
});

test("its settings are ones that the endpoint knows and accepts", () => {
  const environment = Object.fromEntries(
    lineage(DOCKERFILE, "cpu")
      .filter(({ keyword }) => keyword === "ENV")
      .flatMap(({ rest }) => [...rest.matchAll(/([A-Z_]+)=(?:"([^"]*)"|(\S+))/g)])
      .map(([, name, quoted, plain]) => [name!, quoted ?? plain!]),
  );
  expect(loadConfig(environment)).toMatchObject({
    HOST: "::",
    PORT: 3000,
    COMFYUI_HOME: "/opt/ComfyUI",
    COMFYUI_PYTHON: "/opt/venv/bin/python",
    COMFYUI_ARGS: ["--cpu", "--use-pytorch-cross-attention"],
    INPUT_DIR: "/data/input",
  });
});

test("its Node is the one that the tests run on", () => {
  const { version } = lock.packages["node_modules/node"];
  expect(DOCKERFILE.defaults.get("NODE_IMAGE")).toBe(`node:${version}-bookworm-slim`);
});

test("custom nodes are named once each, and at a commit", () => {
  const nodes: { name: string; repo: string; commit: string }[] = nodesLock;
  expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
  expect(nodes.filter(({ commit }) => !/^[0-9a-f]{40}$/.test(commit))).toEqual([]);
});
