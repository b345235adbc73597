/** What this worker is to A1111's clients: the options that they have set, its styles, and how strict it is. */
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { SdapiSettings } from "./request/sdapi/settings.ts";
import { SdapiOptions } from "./sdapi-options.ts";
import { readStyleFiles } from "./styles/style-files.ts";
import type { Styles } from "./styles/styles.ts";

export class SdapiWorker {
  readonly options = new SdapiOptions();
  readonly #config: Pick<Config, "SDAPI_LENIENT" | "SDAPI_STYLES_FILE">;
  readonly #log: Logger;
  #styles: Styles | undefined;

  constructor(config: Pick<Config, "SDAPI_LENIENT" | "SDAPI_STYLES_FILE">, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** As their files were when they were first needed. */
  get styles(): Styles {
    this.#styles ??= readStyleFiles(this.#config.SDAPI_STYLES_FILE, (message) => this.#log.warn(message));
    return this.#styles;
  }

  /** The files are read again when they are next needed. */
  forgetStyles(): void {
    this.#styles = undefined;
  }

  /** What requests get from now on. */
  get settings(): SdapiSettings {
    const { followed, idle } = this.options;
    return { options: followed, idleOptions: idle, styles: this.styles, isLenient: this.#config.SDAPI_LENIENT };
  }
}
