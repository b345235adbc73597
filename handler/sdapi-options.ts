/** A1111's options as this worker holds them: the defaults of v1.10.1, and what clients have set, until it stops. */
import type { Catalogue } from "../runtime/comfyui/catalogue.ts";
import { EndpointError } from "../runtime/errors.ts";
import type { Inventory } from "./request/request.ts";
import { findCheckpoint, listCheckpoints } from "./request/sdapi/checkpoints.ts";
import { findVae } from "./request/sdapi/model-names.ts";
import { Notes } from "./request/sdapi/notes.ts";
import { canBeHonoured, classOfOption, parseOptions } from "./request/sdapi/options.ts";
import { parsePictureOptions } from "./request/sdapi/picture-options.ts";
import DEFAULTS from "./sdapi-options.json" with { type: "json" };

const CHECKPOINT = "sd_model_checkpoint";
const CHECKPOINT_HASH = "sd_checkpoint_hash";

type Values = Record<string, unknown>;

const isDefault = (name: string, value: unknown) =>
  JSON.stringify((DEFAULTS as Values)[name]) === JSON.stringify(value);

export class SdapiOptions {
  #changed: Values = {};

  /** What requests without such an `override_settings` get; the other options are kept and shown, no more. */
  get followed(): Values {
    return Object.fromEntries(Object.entries(this.#changed).filter(([name, value]) => isFollowed(name, value)));
  }

  /** What was set and would change pictures, but cannot be honoured. Requests do not fail by it: clients send back all that they got. */
  get idle(): string[] {
    return Object.entries(this.#changed).flatMap(([name, value]) => (canBeHonoured(name, value) ? [] : [name]));
  }

  /**
   * Every option, in A1111's order.
   * @param describe a checkpoint file's title and SHA-256.
   */
  all(catalogue: Catalogue, describe: (checkpoint: string) => { title: string; sha256: string | null }): Values {
    const chosen = (this.#changed[CHECKPOINT] as string | undefined) ?? listCheckpoints(catalogue)[0]?.file;
    const { title, sha256 } = chosen === undefined ? { title: null, sha256: null } : describe(chosen);
    return { ...DEFAULTS, ...this.#changed, [CHECKPOINT]: title, [CHECKPOINT_HASH]: sha256 ?? "" };
  }

  /**
   * Takes all of them or none.
   * @returns those that were set to something else than their default, and that nothing follows here.
   * @throws EndpointError `invalid_request` for a name that A1111 has not or a value that is none, `unknown_model`.
   */
  set(values: Values, inventory: Inventory): string[] {
    const unknown = Object.keys(values).filter((name) => !Object.hasOwn(DEFAULTS, name));
    if (unknown.length > 0) {
      const issues = unknown.map((field) => ({ field, message: "there is no such option" }));
      throw new EndpointError("invalid_request", `no such option: ${unknown.join(", ")}`, { details: { issues } });
    }
    checkValues(values, inventory.catalogue);
    // Computed here; clients send it back as they got it.
    const { [CHECKPOINT]: checkpoint, [CHECKPOINT_HASH]: _, ...others } = values;
    const chosen = CHECKPOINT in values && {
      [CHECKPOINT]: checkpoint === null ? undefined : named(checkpoint, inventory),
    };
    this.#changed = { ...this.#changed, ...others, ...chosen };
    return Object.keys(others).filter((name) => !isFollowed(name, others[name]) && !isDefault(name, others[name]));
  }
}

const isFollowed = (name: string, value: unknown) => classOfOption(name) === "honoured" && canBeHonoured(name, value);

/** A value that cannot be read would fail every later request. */
function checkValues(values: Values, catalogue: Catalogue): void {
  const followed = Object.fromEntries(Object.entries(values).filter(([name, value]) => isFollowed(name, value)));
  const { sd_vae } = parseOptions(followed, new Notes(), []);
  parsePictureOptions(followed, []);
  findVae(sd_vae, catalogue);
}

/** The file of a title; unlike in a request, an empty one is none. */
function named(title: unknown, inventory: Inventory): string {
  if (title === "") throw new EndpointError("unknown_model", "model '' not found", { details: { field: CHECKPOINT } });
  return findCheckpoint(title, inventory).file;
}
