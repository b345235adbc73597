/** RunPod's addresses: templates in the environment, with the worker's and the job's id to be filled in. */

export interface AddressTemplates {
  take: string;
  done: string;
  ping: string | undefined;
  workerId: string;
}

export class Addresses {
  readonly #templates: AddressTemplates;

  constructor(templates: AddressTemplates) {
    this.#templates = templates;
  }

  /** One job is asked for at the address as given, several at its sibling for batches. */
  take(slots: number, isBusy: boolean): string {
    const inProgress = `job_in_progress=${isBusy ? 1 : 0}`;
    if (slots === 1) return withQuery(this.#take, inProgress);
    return withQuery(this.#take.replace("/job-take/", "/job-take-batch/"), `batch_size=${slots}&${inProgress}`);
  }

  /** Undefined where the address for taking has no sibling for stop signals. */
  get stop(): string | undefined {
    return this.#take.includes("/job-take/") ? this.#take.replace("/job-take/", "/job-stop/") : undefined;
  }

  done(jobId: string): string {
    const address = this.#fill(this.#templates.done, encodeURIComponent(jobId));
    // The address may hold the parameter already; the last one counts.
    return withQuery(address, "isStream=false");
  }

  /** @param facts parameters, in their order. */
  ping(facts: Record<string, string>): string | undefined {
    const { ping, workerId } = this.#templates;
    if (ping === undefined) return undefined;
    const query = Object.entries(facts).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return withQuery(this.#fill(ping, workerId), query.join("&"));
  }

  get #take(): string {
    return this.#fill(this.#templates.take, this.#templates.workerId);
  }

  #fill(template: string, id: string): string {
    return template.replaceAll("$RUNPOD_POD_ID", () => this.#templates.workerId).replaceAll("$ID", () => id);
  }
}

const withQuery = (address: string, query: string) => `${address}${address.includes("?") ? "&" : "?"}${query}`;
