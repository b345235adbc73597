/** By which of its fields a payload is told from the others. */

type Fields = Readonly<Record<string, unknown>>;

/** Also the editor's own format, which the graph check then refuses with what to do instead. */
export function isBareGraph(fields: Fields): boolean {
  if (Array.isArray(fields["nodes"]) && Array.isArray(fields["links"])) return true;
  const nodes = Object.values(fields);
  return nodes.length > 0 && nodes.every((node) => typeof node === "object" && node !== null && "class_type" in node);
}

/** Fields that every form but a bare graph has one of. */
const MARKS = ["prompt", "workflow", "workflow_json", "init_images", "api", "sdapi", "modifier", "modifications"];

export function hasKnownForm(fields: Fields): boolean {
  return MARKS.some((mark) => fields[mark] !== undefined && fields[mark] !== null) || isBareGraph(fields);
}
