/** A reader who follows one invocation by the README's list never has to open a file that is not on it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img } from "../support/payloads.ts";
import { filesListed } from "../support/readme.ts";
import { ROOT } from "../support/source-files.ts";

/** The engine prints lines meanwhile; passing them on is no part of the invocation. */
const LOG_OF_THE_ENGINE = ["handler/main.ts", "runtime/engine-process.ts", "runtime/process.ts"];
const HOOK = pathToFileURL(join(ROOT, "test/support/coverage-on-signal.ts")).href;

interface ScriptCoverage {
  url: string;
  functions: { functionName: string; ranges: { startOffset: number; count: number }[] }[];
}

test("one txt2img over HTTP executes only files of the README's list", async () => {
  const folder = await mkdtemp(join(tmpdir(), "coverage-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const endpoint = await startEndpoint({ NODE_OPTIONS: `--import ${HOOK}`, NODE_V8_COVERAGE: folder });
  await endpoint.ready();

  await takeCoverage(endpoint, folder);
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  const executed = filesExecuted(await takeCoverage(endpoint, folder));

  expect(executed).toEqual(expect.arrayContaining(["handler/handle.ts", "runtime/comfyui/run-prompt.ts"]));
  const listed = new Set([...filesListed().invocation, ...LOG_OF_THE_ENGINE]);
  expect(executed.filter((file) => !listed.has(file))).toEqual([]);
});

/** What ran since the last call. */
async function takeCoverage(
  { process: { pid }, ...endpoint }: RunningEndpoint,
  folder: string,
): Promise<ScriptCoverage[]> {
  const written = async () => (await readdir(folder)).filter((name) => name.startsWith(`coverage-${pid}-`));
  const before = new Set(await written());
  process.kill(pid!, "SIGUSR2");
  return vi.waitFor(
    async () => {
      const [file] = (await written()).filter((name) => !before.has(name));
      if (file === undefined) throw new Error(`no coverage of ${endpoint.url} yet`);
      return (JSON.parse(await readFile(join(folder, file), "utf8")) as { result: ScriptCoverage[] }).result;
    },
    { timeout: 10_000 },
  );
}

/** Own files of which a function ran; their top level, which runs when they are loaded, does not count. */
function filesExecuted(coverage: ScriptCoverage[]): string[] {
  const root = pathToFileURL(ROOT).href;
  const isOwn = ({ url }: ScriptCoverage) =>
    /^(handler|workflows|runtime)\//.test(url.slice(root.length)) && url.startsWith(root);
  const ran = ({ functions }: ScriptCoverage) =>
    functions.some(
      ({ functionName, ranges: [range] }) => range!.count > 0 && (functionName !== "" || range!.startOffset > 0),
    );
  return coverage.filter((script) => isOwn(script) && ran(script)).map(({ url }) => url.slice(root.length));
}
