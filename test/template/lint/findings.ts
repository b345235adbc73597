/** What the linters find in template.yaml: AWS's own validator, and cfn-lint. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import validator from "@aws/cloudformation-validate";
import { installCfnLint } from "../../engine/install.ts";

export interface Finding {
  rule: string;
  /** Where in the template, with dots. */
  path: string;
  message: string;
}

/** Which properties and values a type of resource has differs by region; these have GPUs of every kind. */
const REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-northeast-1"];

/** Without them, what is left empty for a network of its own would be checked as a network's name, in all conditions. */
const NETWORK = { VpcId: "vpc-0123456789abcdef0", SubnetIds: "subnet-0123456789abcdef0,subnet-0123456789abcdef1" };

/** Warnings and worse, under every combination of the template's conditions. */
export function validate(path: string): Finding[] {
  const engine = new validator.RegoEngine({});
  try {
    const { diagnostics } = engine.validateStandard(new validator.TemplateFile(path), {
      severityLevel: "WARN",
      parameterOverrides: { ImageUri: "registry.example.com/worker:1", ...NETWORK },
    });
    return diagnostics.map(({ ruleId, entity, propertyPath, message }) => ({
      rule: ruleId,
      path: [entity?.logicalId, propertyPath].filter(Boolean).join("."),
      message,
    }));
  } finally {
    engine.free();
  }
}

interface Match {
  Rule: { Id: string };
  Location: { Path: (string | number)[] };
  Message: string;
}

/** The package cannot be run as one, and its script names the folder in which it was installed. */
const PROGRAM = "import sys; from cfnlint.runner import main; sys.exit(main())";

/** Information, warnings and errors. @throws Error when it does not come to an end. */
export async function lint(path: string): Promise<Finding[]> {
  const python = await installCfnLint();
  const args = ["-c", PROGRAM, "--format", "json", "--include-checks", "I", "--regions", ...REGIONS, "--", path];
  // It exits with another code than 0 when there is something to tell.
  const { stdout, stderr } = await promisify(execFile)(python, args, { maxBuffer: 1e8 }).catch(
    (ended: { stdout: string; stderr: string }) => ended,
  );
  if (stdout === "") throw new Error(`cfn-lint says: ${stderr}`);
  return (JSON.parse(stdout) as Match[]).map(({ Rule, Location, Message }) => ({
    rule: Rule.Id,
    path: Location.Path.join("."),
    message: Message,
  }));
}
