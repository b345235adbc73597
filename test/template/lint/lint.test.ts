/** template.yaml passes AWS's validator and cfn-lint, but for what is explained here. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { TEMPLATE_PATH, TEMPLATE_TEXT } from "../resolve.ts";
import { type Finding, lint, validate } from "./findings.ts";

interface Explained {
  rule: string;
  path: string;
  why: string;
}

const NEWER =
  "AWS's guide names the property as one of AWS::Lambda::Function's; the schemas that the linter brings are older";
const NOT_TAKEN = "the default is empty where the stack makes its own network, and this branch is not taken then";

/** Every finding that stays, with its reason. */
const EXPLAINED: Record<string, readonly Explained[]> = {
  validate: [{ rule: "F3002", path: "Function.Properties.AcceleratorConfig", why: NEWER }],
  lint: [
    { rule: "E3002", path: "Resources.Function.Properties.AcceleratorConfig", why: NEWER },
    { rule: "W1030", path: "Parameters.SubnetIds.Default", why: NOT_TAKEN },
    {
      rule: "W1030",
      path: "Resources.Capacity.Properties.ManagedInstancesProvider.InstanceLaunchTemplate.NetworkConfiguration.Subnets.Fn::If.2.Ref",
      why: NOT_TAKEN,
    },
  ],
};

/** Faults that each linter is known to find: one that has fallen silent is noticed. */
const FAULTS = [
  {
    fault: "a property that does not exist",
    text: "MessageRetentionPeriod: 86400",
    instead: "MessageRetentionPeriod: 86400\n      MessageRetentionDays: 1",
  },
  { fault: "one that is missing", text: "Stat: Minimum", instead: "Statistics: Minimum" },
  { fault: "a name that nothing has", text: "[!Ref WorkerSecurityGroup]", instead: "[!Ref NoSuchGroup]" },
  { fault: "a value that is not among those allowed", text: ": GreaterThanThreshold", instead: ": Above" },
];

const place = ({ rule, path }: { rule: string; path: string }) => `${rule} ${path}`;

describe.each([
  { name: "validate", find: (path: string) => Promise.resolve(validate(path)) },
  { name: "lint", find: lint },
])("$name", ({ name, find }) => {
  test("finds nothing that is not explained, and nothing is explained that it does not find", async () => {
    const found = await find(TEMPLATE_PATH);
    const explained = EXPLAINED[name]!.map(place);
    expect(found.filter((finding: Finding) => !explained.includes(place(finding)))).toEqual([]);
    expect(explained.filter((line) => !found.map(place).includes(line))).toEqual([]);
  });

  test.each(FAULTS)("finds $fault", async ({ text, instead }) => {
    const folder = await mkdtemp(join(tmpdir(), "template-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "template.yaml");
    expect(TEMPLATE_TEXT).toContain(text);
    await writeFile(path, TEMPLATE_TEXT.replace(text, instead));
    const usual = EXPLAINED[name]!.map(place);
    expect((await find(path)).map(place).filter((line) => !usual.includes(line))).not.toEqual([]);
  });
});
