/** What older versions of A1111 did differently, told from an infotext's `Version` (modules/infotext_versions.py). */

/** Python's version scheme (PEP 440) as far as A1111 has used it, with `1.7.0-225` a post-release; anything else is no version. */
const VERSION =
  /^\s*v?(\d+(?:\.\d+)*)(?:[-_.]?(?<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:-(?<post>\d+)|[-_.]?post(?<named>\d*))?(?<dev>[-_.]?dev\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$/i;
/** `v1.7.0-225-gabcdef`: the commit is not compared. */
const DESCRIBED = /^([^-]+-[^-]+)-/;

type Order = readonly number[];

/** Numbers to compare one by one; undefined for what is no version. */
function parseVersion(text: unknown): Order | undefined {
  if (typeof text !== "string") return undefined;
  const match = VERSION.exec(DESCRIBED.exec(text)?.[1] ?? text);
  if (!match) return undefined;
  const { pre, post, named, dev } = match.groups!;
  const [major = 0, minor = 0, patch = 0] = match[1]!.split(".").map(Number);
  const phase = pre !== undefined || dev !== undefined ? -1 : 0;
  return [major, minor, patch, phase, Number(post ?? named ?? -1)];
}

function isBefore(version: Order, other: Order): boolean {
  const at = version.findIndex((part, index) => part !== other[index]);
  return at >= 0 && version[at]! < other[at]!;
}

const V160 = [1, 6, 0, 0, -1];
const V170_TSNR = [1, 7, 0, 0, 225];
const V180 = [1, 8, 0, 0, -1];
const V180_HIRES_STYLES = [1, 8, 0, 0, 139];

/** Whether styles were put into hires prompts too; so it is where no version is told. */
export function hasHiresStyles(version: unknown): boolean {
  const parsed = parseVersion(version);
  return parsed === undefined || isBefore(V180_HIRES_STYLES, parsed);
}

/** Switches that bring back how the version of the infotext worked. */
export function oldBehaviour(parameters: ReadonlyMap<string, unknown>): Record<string, true> {
  const version = parseVersion(parameters.get("Version"));
  if (version === undefined) return {};
  const is160 = !isBefore(version, V160);
  const sampler = parameters.get("Sampler");
  const switches = {
    "Old prompt editing timelines": !is160 && String(parameters.get("Prompt")).includes("["),
    "Pad conds v0": !is160 && (sampler === "DDIM" || sampler === "PLMS"),
    "Downcast alphas_cumprod": isBefore(version, V170_TSNR),
    "Refiner switch by sampling steps": isBefore(version, V180) && Boolean(parameters.get("Refiner")),
  };
  return Object.fromEntries(Object.entries(switches).filter((entry): entry is [string, true] => entry[1]));
}
