import { Fault } from '../base/faults.ts';

export interface LeaseOptions {
  readonly idleMs: number;
  /** Called when nobody has had it for so long; never while somebody has. */
  rest(): Promise<void>;
  /** When what is held is of no more use: it is let go as soon as nobody has it, without waiting. */
  isSpent(): boolean;
  /** For what goes wrong while resting. */
  onFault(error: unknown): void;
  /** Called once, when it is closed and nobody has it any more. */
  dispose(): void;
}

/** Counts who is using something, and lets it go when nobody has for a while. */
export class Lease {
  readonly #options: LeaseOptions;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #resting: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#users === 0;
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    await this.#begin();
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  async *stream<T>(items: () => AsyncIterable<T>): AsyncGenerator<T> {
    await this.#begin();
    try {
      yield* items();
    } finally {
      this.#end();
    }
  }

  /** Nobody begins any more; those who have it keep it until they end. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#resting;
    if (this.#users === 0) this.#options.dispose();
  }

  async #begin(): Promise<void> {
    if (this.#isClosed) throw new Fault('cancelled', 'repository.closed', 'The repository was closed.');
    this.#users++;
    clearTimeout(this.#timer);
    await this.#resting;
  }

  #end(): void {
    if (--this.#users > 0) return;
    if (this.#isClosed) this.#options.dispose();
    else if (this.#options.isSpent()) this.#rest();
    else this.#timer = setTimeout(() => this.#rest(), this.#options.idleMs).unref();
  }

  #rest(): void {
    this.#resting = this.#options.rest().catch(this.#options.onFault);
  }
}
