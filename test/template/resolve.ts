/** template.yaml as CloudFormation would see it: its functions and conditions worked out for given parameters. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CollectionTag, parse, type ScalarTag } from "yaml";
import { ROOT } from "../support/source-files.ts";

export type Value = string | number | boolean | null | readonly Value[] | Fields;
export interface Fields {
  readonly [name: string]: Value;
}

interface Parameter extends Fields {
  Type: string;
}

export interface Resource {
  Type: string;
  Condition?: string;
  DependsOn?: string | string[];
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
  Properties: Fields;
}

interface Output {
  Condition?: string;
  Description: string;
  Value: Value;
}

export interface Template {
  Parameters: Readonly<Record<string, Parameter>>;
  Rules: Readonly<Record<string, { Assertions: { Assert: Value; AssertDescription: string }[] }>>;
  Conditions: Readonly<Record<string, Value>>;
  Resources: Readonly<Record<string, Resource>>;
  Outputs: Readonly<Record<string, Output>>;
}

/** One deployment's resources and outputs. */
export interface Stack {
  parameters: Fields;
  resources: Readonly<Record<string, Resource>>;
  outputs: Readonly<Record<string, Value>>;
}

export const TEMPLATE_PATH = join(ROOT, "template.yaml");

const FUNCTIONS = "Sub GetAtt If Equals Not And Or Join Select Split GetAZs EachMemberEquals".split(" ");

/** `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`. */
const longForm = (name: string) => (argument: unknown) => {
  if (name === "GetAtt") return { "Fn::GetAtt": (argument as string).split(".") };
  return { [FUNCTIONS.includes(name) ? `Fn::${name}` : name]: argument };
};

const TAGS = ["Ref", "Condition", ...FUNCTIONS].flatMap((name): (ScalarTag | CollectionTag)[] => [
  { tag: `!${name}`, resolve: longForm(name) },
  { tag: `!${name}`, collection: "seq", resolve: (list) => longForm(name)(list.toJSON()) },
]);

export const parseTemplate = (text: string): Template => parse(text, { customTags: TAGS });

export const TEMPLATE_TEXT = readFileSync(TEMPLATE_PATH, "utf8");
export const TEMPLATE = parseTemplate(TEMPLATE_TEXT);

/** Of a stack somewhere in Frankfurt. */
const PSEUDO: Readonly<Record<string, Value>> = {
  "AWS::Partition": "aws",
  "AWS::Region": "eu-central-1",
  "AWS::AccountId": "123456789012",
  "AWS::StackName": "pictures",
  "AWS::URLSuffix": "amazonaws.com",
};

/**
 * Resolves a template. A resource's name stands as `<Name>`, its attribute as `<Name.Attribute>`.
 * @throws Error for what would not deploy: a name that does not exist, or one that does not exist in this deployment.
 */
export function resolveStack(given: Fields, template: Template = TEMPLATE): Stack {
  const unknown = Object.keys(given).find((name) => !(name in template.Parameters));
  if (unknown) throw new Error(`there is no parameter ${unknown}`);
  const parameters = Object.fromEntries(
    Object.entries(template.Parameters).map(([name, { Type, Default }]) => [
      name,
      typed(Type, given[name] ?? Default ?? missing(name)),
    ]),
  );
  const scope = new Scope(parameters, template);
  const resources = Object.entries(template.Resources).filter(([, { Condition }]) => scope.holds(Condition));
  const outputs = Object.entries(template.Outputs).filter(([, { Condition }]) => scope.holds(Condition));
  return {
    parameters,
    resources: Object.fromEntries(
      resources.map(([name, resource]) => [
        name,
        { ...resource, Properties: (scope.resolve(resource.Properties ?? {}) ?? {}) as Fields },
      ]),
    ),
    outputs: Object.fromEntries(outputs.map(([name, { Value: value }]) => [name, scope.resolve(value)!])),
  };
}

/** What is wrong with the parameters by the template's own rules. */
export function brokenRules(given: Fields): string[] {
  const { parameters } = resolveStack(given);
  const scope = new Scope(parameters, TEMPLATE);
  const assertions = Object.values(TEMPLATE.Rules).flatMap(({ Assertions }) => Assertions);
  return assertions.filter(({ Assert }) => !scope.resolve(Assert)).map((assertion) => assertion.AssertDescription);
}

function missing(name: string): never {
  throw new Error(`the parameter ${name} has no value`);
}

const typed = (type: string, value: Value): Value =>
  type === "CommaDelimitedList" && typeof value === "string" ? value.split(",") : value;

class Scope {
  readonly #parameters: Fields;
  readonly #template: Template;

  constructor(parameters: Fields, template: Template) {
    this.#parameters = parameters;
    this.#template = template;
  }

  holds(condition: string | undefined): boolean {
    if (condition === undefined) return true;
    const definition = this.#template.Conditions[condition];
    if (definition === undefined) throw new Error(`there is no condition ${condition}`);
    return this.resolve(definition) === true;
  }

  /** Undefined stands for a property that is left out. */
  resolve(value: Value): Value | undefined {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item)).filter((item) => item !== undefined);
    if (typeof value !== "object" || value === null) return value;
    const [[name, argument] = [], ...others] = Object.entries(value);
    if (
      name !== undefined &&
      others.length === 0 &&
      (name === "Ref" || name === "Condition" || name.startsWith("Fn::"))
    )
      return this.#call(name, argument!);
    const fields = Object.entries(value).map(([key, field]) => [key, this.resolve(field)] as const);
    return Object.fromEntries(fields.filter((field): field is [string, Value] => field[1] !== undefined));
  }

  #call(name: string, argument: Value): Value | undefined {
    if (name === "Ref") return this.#ref(argument as string);
    if (name === "Fn::Sub") return this.#sub(argument as string);
    if (name === "Fn::GetAtt") return this.#attribute((argument as string[])[0]!, (argument as string[])[1]!);
    if (name === "Fn::GetAZs") return ["a", "b", "c"].map((zone) => PSEUDO["AWS::Region"] + zone);
    if (name === "Condition") return this.holds(argument as string);
    if (name === "Fn::If") {
      const [condition, whenTrue, whenFalse] = argument as [string, Value, Value];
      return this.resolve(this.holds(condition) ? whenTrue : whenFalse);
    }
    const values = (argument as Value[]).map((item) => this.resolve(item)!);
    const [first, second] = values as [Value, Value];
    if (name === "Fn::Equals") return String(first) === String(second);
    if (name === "Fn::Not") return !first;
    if (name === "Fn::And") return values.every(Boolean);
    if (name === "Fn::Or") return values.some(Boolean);
    if (name === "Fn::Select") return (second as Value[])[Number(first)];
    if (name === "Fn::EachMemberEquals") return (first as Value[]).every((member) => member === second);
    throw new Error(`${name} is not among the functions that the tests know`);
  }

  #ref(name: string): Value | undefined {
    if (name === "AWS::NoValue") return undefined;
    const value = PSEUDO[name] ?? this.#parameters[name];
    return value === undefined ? `<${this.#existing(name)}>` : value;
  }

  #attribute = (name: string, attribute: string) => `<${this.#existing(name)}.${attribute}>`;

  #existing(name: string): string {
    const resource = this.#template.Resources[name];
    if (!resource) throw new Error(`there is no ${name}`);
    if (!this.holds(resource.Condition)) throw new Error(`there is no ${name} in this deployment`);
    return name;
  }

  #sub(text: string): string {
    return text.replace(/\$\{([\w:.]+)\}/g, (_, name: string) => {
      const [resource, attribute] = name.split(".") as [string, string?];
      return String(attribute === undefined ? this.#ref(name) : this.#attribute(resource, attribute));
    });
  }
}
