/** A queue of SQS as the simulation needs it: who waits, who is hidden, and what CloudWatch is told. Times are in seconds. */

export interface Job {
  arrivesAt: number;
  workSeconds: number;
  /** Fails, each time that it is tried. */
  isPoison?: boolean;
}

/** A delivery that somebody works on. */
export interface Delivery {
  job: Job;
  receives: number;
}

interface Hidden {
  delivery: Delivery;
  until: number;
}

/** A queue without a call for so long has no metrics any more, and for so long after the next call. */
const DARK_AFTER = 6 * 3600;
const DARK_FOR = 15 * 60;

export class SimulatedQueue {
  readonly done: { job: Job; at: number }[] = [];
  readonly dead: Job[] = [];
  /** Nobody took it for so long that the queue forgot it. */
  readonly forgotten: Job[] = [];
  readonly #maxReceives: number;
  readonly #retentionSeconds: number;
  #waiting: Delivery[] = [];
  /** Hidden without anybody who works on it. */
  #hidden: Hidden[] = [];
  #inWork = 0;
  #taken = 0;
  #touchedAt = 0;
  #darkUntil = 0;

  constructor({ maxReceives, retentionSeconds }: { maxReceives: number; retentionSeconds: number }) {
    this.#maxReceives = maxReceives;
    this.#retentionSeconds = retentionSeconds;
  }

  /** Any call of its API. */
  touch(at: number): void {
    if (at - this.#touchedAt > DARK_AFTER) this.#darkUntil = at + DARK_FOR;
    this.#touchedAt = at;
  }

  send(job: Job, at: number): void {
    this.touch(at);
    this.#waiting.push({ job, receives: 0 });
  }

  /** What was hidden long enough waits again; what has waited too long is gone. */
  tick(at: number): void {
    const isOld = ({ job }: Delivery) => at - job.arrivesAt > this.#retentionSeconds;
    if (this.#waiting.some(isOld)) {
      this.forgotten.push(...this.#waiting.filter(isOld).map(({ job }) => job));
      this.#waiting = this.#waiting.filter((delivery) => !isOld(delivery));
    }
    this.#waiting.push(...this.#hidden.filter(({ until }) => until <= at).map(({ delivery }) => delivery));
    this.#hidden = this.#hidden.filter(({ until }) => until > at);
  }

  receive(at: number): Delivery | undefined {
    this.touch(at);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (next.receives === this.#maxReceives) {
        this.dead.push(next.job);
        continue;
      }
      this.#inWork++;
      this.#taken++;
      return { job: next.job, receives: next.receives + 1 };
    }
    return undefined;
  }

  delete({ job }: Delivery, at: number): void {
    this.#inWork--;
    this.done.push({ job, at });
  }

  /** Its worker gives it up, or is gone. */
  hide(delivery: Delivery, until: number): void {
    this.#inWork--;
    this.#hidden.push({ delivery, until });
  }

  get isEmpty(): boolean {
    return this.#waiting.length + this.#hidden.length + this.#inWork === 0;
  }

  /** A minute's datapoints by the names of SQS's metrics; undefined while the queue is dark. */
  sample(at: number): Readonly<Record<string, number>> | undefined {
    const taken = this.#taken;
    this.#taken = 0;
    if (at < this.#darkUntil || at - this.#touchedAt > DARK_AFTER) return undefined;
    return {
      ApproximateNumberOfMessagesVisible: this.#waiting.length,
      ApproximateNumberOfMessagesNotVisible: this.#hidden.length + this.#inWork,
      NumberOfMessagesReceived: taken,
    };
  }
}
