/** What a worker brings to A1111's requests, beside its models. */
import { Styles } from "../../styles/styles.ts";

export interface SdapiSettings {
  /** A1111's options that hold where a request has none; each can be honoured. */
  options: Readonly<Record<string, unknown>>;
  /** Options that were set too, and that cannot be honoured. */
  idleOptions: readonly string[];
  styles: Styles;
  /** Whether what cannot be honoured is left aside, with a warning, as A1111 does without. */
  isLenient: boolean;
}

export const NO_SETTINGS: SdapiSettings = { options: {}, idleOptions: [], styles: new Styles(), isLenient: false };
