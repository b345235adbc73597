/** `docs/platforms/sqs.md` as its reader would follow it. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SETTINGS } from "../../../handler/adapters/sqs/settings.ts";
import { settingsTable } from "../../../handler/config.ts";
import { startAws } from "../../support/aws.ts";
import { runCommand, startEndpoint } from "../../support/endpoint.ts";
import { ROOT } from "../../support/source-files.ts";

const PAGE = readFileSync(join(ROOT, "docs/platforms/sqs.md"), "utf8");
const blocks = (language: string) =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block!);
type Document = { id: string; outputs?: object[]; error?: object };
const shape = ({ outputs, error, ...document }: Document) =>
  [document, ...(outputs ?? []), error ?? {}].map(Object.keys);

test("the settings that it shows start a worker, its message is done, and the documents are as it says", async () => {
  const aws = await startAws();
  const shown = [...blocks("sh")[0]!.matchAll(/^export (\w+)=(\S+)$/gm)].map(
    ([, name, value]) => [name, value] as const,
  );
  expect(blocks("sh")[0]).toContain("\nnpm start\n");
  expect(shown.map(([name]) => name)).toEqual(["SQS_QUEUE_URL", "S3_BUCKET"]);
  const [message, success, failure] = blocks("json");
  await startEndpoint({ ...Object.fromEntries(shown), ...aws.settings });
  aws.fauxqs.sendMessage("jobs", message!);
  const poison = { id: "order-8", prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } };
  aws.fauxqs.sendMessage("jobs", JSON.stringify(poison));
  await aws.empty("jobs");
  for (const expected of [success!, failure!].map((text) => JSON.parse(text) as Document)) {
    const document = (await aws.read(`results/${expected.id}.json`)) as Document;
    expect(shape(document)).toEqual(shape(expected));
  }
  expect(await aws.read("results/order-7.json")).toMatchObject({
    outputs: [{ bucket: "pictures", key: "outputs/order-7/1/a_00001_.png" }],
  });
});

test("the command for callers gives what is shown beneath it", async () => {
  const aws = await startAws();
  await startEndpoint(aws.settings);
  const folder = await mkdtemp(join(tmpdir(), "submit-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [message, , , shown] = blocks("json");
  await writeFile(join(folder, "order.json"), message!);
  const [, command] = blocks("sh");
  const [program, name, ...args] = command!.trim().split(" ");
  expect([program, name]).toEqual(["npx", "comfy-endpoint"]);
  const given = args.map((arg) => arg.replace(/^"\$(\w+)"$/, (_, setting: string) => aws.settings[setting]!));
  const { code, stdout } = await runCommand(given, aws.settings, "", folder);
  expect(code).toBe(0);
  const [result, expected] = [stdout, shown!].map((text) => JSON.parse(text) as Document);
  expect(shape(result!)).toEqual(shape(expected!));
  expect(result).toMatchObject({ id: "order-9", outputs: [{ file: "pictures/a_00001_.png" }] });
});

test("its table of settings is the code's", () => {
  expect(PAGE).toContain(settingsTable(SETTINGS));
});
