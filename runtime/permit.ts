/** The right to run a prompt: one at a time, first come first served, given back exactly once. */

export class Permit {
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  #isTaken = false;

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves with the way to give it back; rejects with the signal's reason, and then leaves the line. */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isTaken) await this.#wait(signal);
    this.#isTaken = true;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#passOn();
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const onAbort = () => {
      // A turn that was already given is passed on by whoever acquired it.
      if (this.#waiting.delete(turn)) turn.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(turn);
    await turn.promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  #passOn(): void {
    const [next] = this.#waiting;
    this.#isTaken = next !== undefined;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.resolve();
  }
}
