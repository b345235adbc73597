/** The service's workers and their machines, as the simulation needs them. Times are in seconds. */
import type { Policy } from "./policy.ts";
import type { Delivery, SimulatedQueue } from "./simulated-queue.ts";

interface Worker {
  readyAt: number;
  work?: { delivery: Delivery; endsAt: number };
  /** What ECS knows of its protection. */
  isProtected: boolean;
  /** It was told to end, and has so long. */
  killedAt?: number;
}

export interface FleetOptions {
  /** From the order for a worker to its first look at the queue: machine, image, ComfyUI, models. */
  coldStartSeconds: number;
  /** The same on a machine that is still there. */
  warmStartSeconds: number;
  /** Whether workers tell ECS that they are busy. */
  protects: boolean;
}

/** Until ECS knows whether a worker is busy. */
const PROTECTION_LAG = 1;

export class SimulatedFleet {
  /** Jobs that were interrupted because fewer workers were wanted. */
  interrupted = 0;
  /** Paid for: workers, started or starting, and machines that stay for a while without one. */
  machineSeconds = 0;
  #workers: Worker[] = [];
  /** When each machine without a worker ends. */
  #idleMachines: number[] = [];
  readonly #policy: Policy;
  readonly #options: FleetOptions;
  readonly #queue: SimulatedQueue;

  constructor(queue: SimulatedQueue, policy: Policy, options: FleetOptions) {
    this.#queue = queue;
    this.#policy = policy;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#workers.length === 0;
  }

  /** Without those that were told to end, and finish their last job. */
  get size(): number {
    return this.#staying.length;
  }

  get #staying(): Worker[] {
    return this.#workers.filter(({ killedAt }) => killedAt === undefined);
  }

  tick(at: number, desired: number): void {
    this.#work(at);
    this.#idleMachines = this.#idleMachines.filter((end) => end > at);
    const staying = this.#staying;
    for (let count = staying.length; count < desired; count++) this.#start(at);
    const surplus = staying.length - desired;
    if (surplus > 0) for (const worker of this.#leavers(staying, at).slice(0, surplus)) this.#stop(worker, at);
    this.machineSeconds += this.#workers.length + this.#idleMachines.length;
  }

  /** Machines that are gone without notice, with busy workers on them if there are any. */
  lose(count: number, at: number): void {
    const lost = this.#workers.toSorted((a, b) => Number(!!b.work) - Number(!!a.work)).slice(0, count);
    for (const { work } of lost) if (work) this.#queue.hide(work.delivery, at + this.#policy.visibilitySeconds);
    this.#workers = this.#workers.filter((worker) => !lost.includes(worker));
  }

  #start(at: number): void {
    const isWarm = this.#idleMachines.pop() !== undefined;
    const { warmStartSeconds, coldStartSeconds } = this.#options;
    this.#workers.push({ readyAt: at + (isWarm ? warmStartSeconds : coldStartSeconds), isProtected: false });
  }

  /** Whom ECS may end, those first that have not started. */
  #leavers(workers: readonly Worker[], at: number): Worker[] {
    const free = workers.filter(({ isProtected }) => !isProtected);
    return free.toSorted((a, b) => Number(b.readyAt > at) - Number(a.readyAt > at));
  }

  #stop(worker: Worker, at: number): void {
    if (worker.work) worker.killedAt = at + this.#policy.graceSeconds;
    else this.#remove(worker, at);
  }

  #remove(worker: Worker, at: number): void {
    this.#workers = this.#workers.filter((other) => other !== worker);
    this.#idleMachines.push(at + this.#policy.machineIdleSeconds);
  }

  #work(at: number): void {
    for (const worker of [...this.#workers]) {
      if (at < worker.readyAt) continue;
      if (worker.work && at >= worker.work.endsAt) this.#settle(worker, at);
      if (worker.killedAt !== undefined) this.#leave(worker, at);
      else if (!worker.work) this.#take(worker, at);
      const since = worker.work ? worker.work.endsAt - worker.work.delivery.job.workSeconds : at;
      worker.isProtected = this.#options.protects && worker.work !== undefined && at - since >= PROTECTION_LAG;
    }
  }

  #take(worker: Worker, at: number): void {
    const delivery = this.#queue.receive(at);
    if (delivery) worker.work = { delivery, endsAt: at + delivery.job.workSeconds };
  }

  /** What fails goes back at once, until the queue has had enough of it. */
  #settle(worker: Worker, at: number): void {
    const { delivery } = worker.work!;
    delete worker.work;
    if (delivery.job.isPoison) this.#queue.hide(delivery, at);
    else this.#queue.delete(delivery, at);
  }

  #leave(worker: Worker, at: number): void {
    if (worker.work && at < worker.killedAt!) return;
    if (worker.work) {
      this.#queue.hide(worker.work.delivery, at);
      this.interrupted++;
    }
    this.#remove(worker, at);
  }
}
