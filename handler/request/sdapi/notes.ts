/** What a request is told beside its pictures, and what becomes of wishes that cannot be granted. */
import { EndpointError, type ErrorCode } from "../../../runtime/errors.ts";

/** A1111 goes on where it cannot do what is asked; a value of a wrong type is a mistake in either mode. */
const LENIENT: readonly ErrorCode[] = ["unknown_model", "unknown_sampler", "unsupported_feature"];

interface Mode {
  /** `SDAPI_LENIENT`: what cannot be honoured is left aside and told, as A1111 leaves it aside without a word. */
  isLenient: boolean;
  /** Whether the lists of models were read for this request: before that, nothing is known to be missing. */
  isFresh: boolean;
}

export class Notes {
  readonly #mode: Mode;
  readonly #texts: Set<string>;

  constructor(mode: Mode = { isLenient: false, isFresh: true }, texts: Iterable<string> = []) {
    this.#mode = mode;
    this.#texts = new Set(texts);
  }

  /** For people, in the order in which they came up, each once. */
  get texts(): string[] {
    return [...this.#texts];
  }

  /** The same notes for one attempt to build a graph. */
  with(mode: Partial<Mode>): Notes {
    return new Notes({ ...this.#mode, ...mode }, this.#texts);
  }

  /** Something that the request did not ask for in so many words. */
  add(text: string): void {
    this.#texts.add(text);
  }

  /**
   * A wish that cannot be granted.
   * @param instead what is done in lenient mode.
   * @throws EndpointError the refusal, unless the mode is lenient.
   */
  refuse(refusal: EndpointError, instead = "it is ignored"): void {
    if (!this.#mayPass(refusal)) throw refusal;
    this.add(`${refusal.message.replace(/; leave it out$/, "")}; ${instead}`);
  }

  /**
   * What a search finds; in lenient mode, A1111's own choice in place of what there is not.
   * @param instead tells what is done then.
   * @throws EndpointError what the search throws.
   */
  orElse<T, F>(find: () => T, fallback: (refusal: EndpointError) => F, instead?: (chosen: F) => string): T | F {
    try {
      return find();
    } catch (error) {
      if (!(error instanceof EndpointError) || !this.#mayPass(error)) throw error;
      const chosen = fallback(error);
      this.refuse(error, instead?.(chosen));
      return chosen;
    }
  }

  /** As {@link orElse}, for a search that takes its time. */
  async orElseAsync<T, F>(
    find: () => Promise<T>,
    fallback: (refusal: EndpointError) => F | Promise<F>,
    instead?: (chosen: F) => string,
  ): Promise<T | F> {
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof EndpointError) || !this.#mayPass(error)) throw error;
      const chosen = await fallback(error);
      this.refuse(error, instead?.(chosen));
      return chosen;
    }
  }

  #mayPass({ code }: EndpointError): boolean {
    const { isLenient, isFresh } = this.#mode;
    return isLenient && LENIENT.includes(code) && (isFresh || code !== "unknown_model");
  }
}
