import { Fault } from '../../src/base/faults.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** Stops at a request, with all that come after it. Several stores may share one. */
export class Stop {
  requests = 0;
  readonly #at: number;
  readonly #takesEffect: boolean;

  /** @param takesEffect whether the request at which it stops is carried out, and only its answer is lost */
  constructor(at = Number.POSITIVE_INFINITY, takesEffect = false) {
    this.#at = at;
    this.#takesEffect = takesEffect;
  }

  get isOver(): boolean {
    return this.requests >= this.#at;
  }

  async ask<T>(call: () => Promise<T>): Promise<T> {
    this.requests++;
    if (this.requests < this.#at) return call();
    if (this.requests === this.#at && this.#takesEffect) await call();
    throw new Fault('unavailable', 'storage.unreachable', 'The store stopped.', { retry: 'never' });
  }
}

/** The store as one process sees it until the stop. */
export function createStoppingStore(store: ObjectStore, stop: Stop): ObjectStore {
  return {
    description: 'stopping',
    abilities: store.abilities,
    put: (...args) => stop.ask(() => store.put(...args)),
    get: (...args) => stop.ask(() => store.get(...args)),
    stat: (...args) => stop.ask(() => store.stat(...args)),
    delete: (keys, options) =>
      // One by one: a bank may be stopped in the middle of many.
      keys.reduce<Promise<void>>(
        (before, key) => before.then(() => stop.ask(() => store.delete([key], options))),
        Promise.resolve(),
      ),
    async *list(...args) {
      yield* await stop.ask(async () => {
        const entries = [];
        for await (const entry of store.list(...args)) entries.push(entry);
        return entries;
      });
    },
    close: () => store.close(),
  };
}
