import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installRealEngine } from "./install.ts";

/**
 * `npm run test:engine`: the conformance suite and the product's end-to-end suite (project `engine`) on a real ComfyUI.
 *
 * Environment in:
 * - `COMFYUI_HOME`: a ComfyUI tree to use instead of 0.3.75 from the package index.
 * - `COMFYUI_URL`: a running ComfyUI, used for the conformance suite only (the product's suite starts and kills its engine).
 *
 * Environment out, for the tests:
 * - `ENGINE_UNDER_TEST`: JSON of install.ts's RealEngine `{command, cwd, version, modelsConfig, home, python}`.
 * - `COMFYUI_COMMAND`: its command as a JSON array of strings, as the product takes it.
 *
 * The last line is `N passed, N failed` (and `, N skipped` when there are any), the sum of both; exit code 1 when anything failed.
 */
const ROOT = join(import.meta.dirname, "../..");

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface VitestReport {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
}

const engine = await installRealEngine();
const forTests = { ENGINE_UNDER_TEST: JSON.stringify(engine), COMFYUI_COMMAND: JSON.stringify(engine.command) };
const { COMFYUI_URL, COMFYUI_HOME: _, ...environment } = process.env;
const runningEngine = COMFYUI_URL ? { COMFYUI_URL } : forTests;

console.log(`conformance on ${COMFYUI_URL ?? `ComfyUI ${engine.version} in ${engine.home}`}`);
const conformance = await runProject("conformance", { ...environment, ...runningEngine });
console.log(`the product on ComfyUI ${engine.version} in ${engine.home}`);
const product = await runProject("engine", { ...environment, ...forTests });

const total = (key: keyof Counts) => conformance[key] + product[key];
const skipped = total("skipped") ? `, ${total("skipped")} skipped` : "";
console.log(`${total("passed")} passed, ${total("failed")} failed${skipped}`);
process.exitCode = total("failed") > 0 ? 1 : 0;

/** Runs one vitest project with its output on the terminal. A run that ends without a report counts as one failure. */
async function runProject(project: string, env: NodeJS.ProcessEnv): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "test-engine-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["run", "--config", "test/vitest.config.ts", "--project", project, "--passWithNoTests", ...reporters];
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, ...args], { cwd: ROOT, env, stdio: "inherit" });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  try {
    return count(JSON.parse(await readFile(report, "utf8")) as VitestReport, code);
  } catch {
    return { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function count(report: VitestReport, code: number | null): Counts {
  // A file that does not load has no tests to fail.
  const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const failed = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: report.numPendingTests,
  };
}
