/** What A1111's requests may hold here and what is refused, from the code's own tables, as Markdown. */
import * as z from "zod";
import { CONTROLNET_PREFIX, CONTROLNET_ROUTES, SDAPI_ROUTES } from "../../handler/adapters/http/sdapi/route-table.ts";
import { notAvailable } from "../../handler/request/field-errors.ts";
import { PREPROCESSORS } from "../../handler/request/sdapi/controlnet/preprocessors.ts";
import { ALIASES, UNSUPPORTED, unitSchema } from "../../handler/request/sdapi/controlnet/unit-fields.ts";
import { extensionSchema } from "../../handler/request/sdapi/extensions.ts";
import { EXTRAS_FIELDS } from "../../handler/request/sdapi/extras-fields.ts";
import { type Field, IMG2IMG_FIELDS, TXT2IMG_FIELDS } from "../../handler/request/sdapi/fields.ts";
import { IRRELEVANT_BY_SUBJECT, neutralValues, UNAVAILABLE } from "../../handler/request/sdapi/option-classes.ts";
import { HONOURED_OPTIONS, UNAVAILABLE_VALUES } from "../../handler/request/sdapi/options.ts";
import { PICTURE_OPTIONS } from "../../handler/request/sdapi/picture-options.ts";
import { IDLE_SCRIPTS, SELECTABLE_SCRIPTS, scriptRefusal } from "../../handler/request/sdapi/scripts.ts";
import { asJson, code, codes, table } from "./markdown.ts";

/** By the name of the marker that each stands behind. */
export const sdapiTables = (): Record<string, string> => ({
  routes: routesTable(),
  "fields-refused": refusedTable(),
  "fields-idle": idleTable(),
  "fields-honoured": honouredTable(),
  "fields-of-clients": valuesTable(extensionSchema.shape),
  "options-honoured": honouredOptions(),
  "options-refused": refusedOptions(),
  "options-idle": idleOptions(),
  scripts: scriptsTable(),
  "unit-fields": valuesTable(unitSchema.shape, Object.entries(ALIASES)),
  "unit-refused": refusedUnitFields(),
  preprocessors: codes(PREPROCESSORS.map(({ name }) => name)),
  "extras-fields": extrasTable(),
});

function routesTable(): string {
  const extension = Object.entries(CONTROLNET_ROUTES).map(([route, answer]) => {
    const [method, path] = route.split(" ");
    return [`${method} ${CONTROLNET_PREFIX}${path}`, answer] as const;
  });
  const rows = [...Object.entries(SDAPI_ROUTES), ...extension].map(([route, answer]) => [code(route), answer ?? "501"]);
  return table(["below `/sdapi/v1`; `/controlnet` stands on its own", "what it answers"], rows);
}

interface TabField extends Field {
  name: string;
  /** Which of the two requests has it. */
  tab: "both" | "txt2img" | "img2img";
}

/** In A1111's order, img2img's own last. */
const FIELDS: readonly TabField[] = Object.entries<Field>({ ...TXT2IMG_FIELDS, ...IMG2IMG_FIELDS }).map(
  ([name, field]) => ({ ...field, name, tab: tabOf(name) }),
);

function tabOf(name: string): TabField["tab"] {
  if (!(name in IMG2IMG_FIELDS)) return "txt2img";
  return name in TXT2IMG_FIELDS ? "both" : "img2img";
}

function refusedTable(): string {
  const refused = FIELDS.filter(({ neutral }) => neutral !== undefined);
  const rows = refused.map(({ name, tab, neutral, why }) => [
    code(name),
    tab,
    neutralOf(neutral!),
    code(notAvailable(name, why).message),
  ]);
  return table(["field", "of", "passes", "the refusal of any other value"], rows);
}

/** Null passes in every field. */
const neutralOf = (neutral: readonly unknown[]) =>
  neutral
    .filter((value) => value !== null)
    .map(asJson)
    .join(", ");

function idleTable(): string {
  const idle = FIELDS.filter(({ neutral, schema }) => neutral === undefined && schema === undefined);
  return table(
    ["field", "of", "why"],
    idle.map(({ name, tab, why }) => [code(name), tab, why!]),
  );
}

/** Where the page tells what a field may hold. */
const SECTIONS: Readonly<Record<string, string>> = {
  override_settings: "[options](#options)",
  script_name: "none: [scripts](#scripts)",
  alwayson_scripts: "[scripts](#scripts)",
};

function honouredTable(): string {
  const honoured = FIELDS.filter(({ schema }) => schema !== undefined);
  const rows = honoured.map(({ name, tab, type, schema }) => [
    code(name),
    tab,
    type.replace("!", ""),
    defaultOf(name),
    SECTIONS[name] ?? rangeOf(schema!),
  ]);
  return table(["field", "of", "type", "default", "values"], rows);
}

/** A1111's; one of the two may have another. */
function defaultOf(name: string): string {
  const of = (fields: Readonly<Record<string, Field>>) => asJson(fields[name]?.fallback);
  const [first, second] = [of(TXT2IMG_FIELDS), of(IMG2IMG_FIELDS)];
  return first === second || second === "" ? first : first === "" ? second : `${first}; img2img: ${second}`;
}

/** What a schema takes, as far as it is bounds or a list of words. */
function rangeOf(schema: z.ZodType): string {
  const limits = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" });
  if (limits.enum) return limits.enum.map(asJson).join(", ");
  if (limits.maxLength !== undefined) return `${limits.maxLength} characters at most`;
  const [least, most] = [bound(limits.minimum), bound(limits.maximum)];
  return least === undefined || most === undefined ? "" : `${least} to ${most}`;
}

/** Not of what any number would do. */
const bound = (limit: number | undefined) =>
  limit === undefined || Math.abs(limit) >= Number.MAX_SAFE_INTEGER || !Number.isFinite(limit) ? undefined : limit;

function valuesTable(shape: Readonly<Record<string, z.ZodType>>, aliases: readonly [string, string][] = []): string {
  const rows = Object.entries(shape).map(([name, schema]) => {
    const others = aliases.filter(([, of]) => of === name).map(([alias]) => alias);
    return [codes([name, ...others]), asJson(schema.safeParse(undefined).data), rangeOf(schema)];
  });
  return table(["field", "default", "values"], rows);
}

function honouredOptions(): string {
  const shape = { ...HONOURED_OPTIONS, ...PICTURE_OPTIONS };
  const rows = Object.entries<z.ZodType>(shape).map(([name, schema]) => {
    const refused = UNAVAILABLE_VALUES[name]?.map(asJson).join(", ");
    return [code(name), rangeOf(schema), refused ? `${refused} is refused` : ""];
  });
  return table(["option", "values", ""], rows);
}

const refusedOptions = () =>
  refusedInSameWords(
    "override_settings.",
    UNAVAILABLE.map((name) => [name, neutralValues(name)]),
  );

const refusedUnitFields = () => refusedInSameWords("alwayson_scripts.controlnet.args.0.", Object.entries(UNSUPPORTED));

function refusedInSameWords(path: string, neutral: readonly (readonly [string, readonly unknown[]])[]): string {
  const rows = neutral.map(([name, values]) => [code(name), neutralOf(values)]);
  const refusal = code(notAvailable(`${path}NAME`).message);
  return `Any value that is not in the table is refused: ${refusal}\n\n${table(["name", "passes"], rows)}`;
}

function idleOptions(): string {
  const rows = Object.entries(IRRELEVANT_BY_SUBJECT).map(([subject, names]) => [subject, codes(names)]);
  return table(["about", "options"], rows);
}

function scriptsTable(): string {
  const { txt2img, img2img } = SELECTABLE_SCRIPTS;
  const own = img2img.filter((title) => !txt2img.includes(title));
  return table(
    ["script", "what becomes of it"],
    [
      [`\`alwayson_scripts\`: ${codes(IDLE_SCRIPTS)}`, "nothing: over A1111's API they do nothing either"],
      ["`alwayson_scripts`: `controlnet`", "[its units](#controlnet)"],
      [
        "`alwayson_scripts`: any other, switched on",
        `refused: ${code(scriptRefusal("alwayson_scripts", "NAME", false).message)}`,
      ],
      [
        `\`script_name\`: ${codes(txt2img)}; img2img: ${codes(own)}`,
        `refused: ${code(scriptRefusal("script_name", "NAME", true).message)}; in \`alwayson_scripts\` too, in A1111's words`,
      ],
      ["`script_name`: any other", `refused: ${code(scriptRefusal("script_name", "NAME", false).message)}`],
    ],
  );
}

function extrasTable(): string {
  const rows = Object.entries(EXTRAS_FIELDS).map(([name, { type, fallback, refusal, idle, ...range }]) => [
    code(name),
    type.replace("!", ""),
    asJson(fallback),
    extrasRange(range),
    refusal ? `refused above 0: \`${name}: ${refusal}\`` : idle ? `without effect: ${idle}` : "honoured",
  ]);
  return table(["field", "type", "default", "values", ""], rows);
}

function extrasRange({ gt, ge, le, permitted }: Omit<(typeof EXTRAS_FIELDS)[string], "type" | "fallback">): string {
  if (permitted) return permitted.map(asJson).join(", ");
  if (gt !== undefined) return `above ${gt}`;
  if (ge === undefined) return "";
  return le === undefined ? `from ${ge}` : `${ge} to ${le}`;
}
