/** The emulator's process: flags, folders, exit codes. */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { connect, emptyImage, spawnEmulator, startEmulator, submit } from "../support/emulator.ts";

test("the first line says that it is an emulator and draws with no model", async () => {
  const emulator = await startEmulator();
  expect(emulator.log().split("\n")[0]).toMatch(/emulator.*no model draws/);
  expect(await emulator.get("/system_stats")).toMatchObject({ system: { comfyui_version: "0.33.0", emulator: true } });
});

test("--help lists the flags and exits 0", async () => {
  const emulator = spawnEmulator("--help");
  expect(await emulator.exited).toEqual([0, null]);
  expect(emulator.log()).toMatch(/--preview-method[\s\S]*--disable-api-nodes/);
});

test.each([["--normalvram"], ["--fault", "nonsense"], ["--user-directory", "/nowhere"]])(
  "%s %s exits 2",
  async (...flags) => {
    expect(await spawnEmulator(...flags).exited).toEqual([2, null]);
  },
);

test("a port in use exits 1", async () => {
  const { url } = await startEmulator();
  const second = spawnEmulator("--port", new URL(url).port);
  expect(await second.exited).toEqual([1, null]);
  expect(second.log()).toContain("is already in use");
});

test("a supervisor's whole command line is accepted", async () => {
  const flags =
    "--disable-auto-launch --disable-api-nodes --disable-all-custom-nodes --database-url sqlite:///:memory: --cache-lru 50 --verbose --cpu";
  await startEmulator(...flags.split(" "), "--whitelist-custom-nodes", "a", "b", "--disable-metadata");
});

test("folders go where the flags say, and the temp folder is gone after SIGINT", async () => {
  const folder = mkdtempSync(join(tmpdir(), "emulator-folders-"));
  const emulator = await startEmulator("--output-directory", join(folder, "out"), "--temp-directory", folder);
  const client = await connect(emulator);
  await client.untilDone(await submit(emulator, client, emptyImage()));
  expect(readdirSync(join(folder, "out"))).toEqual(["e_00001_.png"]);
  emulator.process.kill("SIGINT");
  expect(await emulator.exited).toEqual([0, null]);
  expect(existsSync(join(folder, "temp"))).toBe(false);
});

test.each([
  [["prompt", "engine"], []],
  [["engine"], ["--disable-metadata"]],
])("pictures carry %s with flags %s", async (keys, flags) => {
  const folder = mkdtempSync(join(tmpdir(), "emulator-metadata-"));
  const emulator = await startEmulator("--output-directory", folder, ...flags);
  const client = await connect(emulator);
  await client.untilDone(await submit(emulator, client, emptyImage()));
  const { comments } = await sharp(join(folder, "e_00001_.png")).metadata();
  expect(comments?.map(({ keyword }) => keyword)).toEqual(keys);
});

test("an integer beyond 2^53 comes back digit for digit", async () => {
  const emulator = await startEmulator();
  const answer = await fetch(`${emulator.url}/prompt`, {
    method: "POST",
    body: `{"prompt": ${JSON.stringify(emptyImage())}, "extra_data": {"seed": 18446744073709551615, "ratio": NaN}}`,
  });
  const { prompt_id: id } = (await answer.json()) as { prompt_id: string };
  await expect
    .poll(async () => (await fetch(`${emulator.url}/history/${id}`)).text())
    .toContain('"seed":18446744073709551615,"ratio":NaN');
});
