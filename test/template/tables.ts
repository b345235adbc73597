/** What docs/platforms/aws.md shows of template.yaml. */
import { code, table } from "../support/markdown.ts";
import { type Fields, TEMPLATE, type Value } from "./resolve.ts";

export function parametersTable(): string {
  const rows = Object.entries(TEMPLATE.Parameters).map(([name, parameter]) => [
    code(name),
    parameter["Default"] === undefined ? "none" : parameter["Default"] === "" ? "" : code(String(parameter["Default"])),
    limits(parameter),
    parameter["Description"] as string,
  ]);
  return table(["parameter", "default", "may be", "what it is"], rows);
}

export function outputsTable(): string {
  const rows = Object.entries(TEMPLATE.Outputs).map(([name, { Condition, Description }]) => [
    code(name),
    Condition === undefined ? "both" : Condition.toLowerCase(),
    Description,
  ]);
  return table(["output", "mode", "what it is"], rows);
}

function limits({ AllowedValues: values, MinValue: min, MaxValue: max }: Fields): string {
  if (values) return (values as readonly Value[]).join(", ");
  if (max !== undefined) return `${min} to ${max}`;
  return min === undefined ? "" : `from ${min}`;
}
