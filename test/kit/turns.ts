import { setImmediate } from 'node:timers/promises';
import { Fault } from '../../src/base/faults.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { changeStore } from './repositories.ts';

/** A store whose owner may be killed: from then on every call fails, as for a process that is gone. */
export interface ProcessStore extends ObjectStore {
  /** Dies at the n-th call from now on, which takes effect or not. */
  dieAfter(calls: number, takesEffect: boolean): void;
  isDead(): boolean;
}

/**
 * Lets several processes work on one store, one call at a time, in an order that a test decides: a process goes on when it is given a turn, and
 * sleeps between two calls for as long as it is given none.
 */
export class Turns {
  readonly #store: ObjectStore;
  readonly #waiting: (() => void)[][] = [];
  readonly #busy: boolean[] = [];

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** The view that one process has of the store; all views of one process wait in one line. */
  createView(process: number): ProcessStore {
    let left = Number.POSITIVE_INFINITY;
    let takesEffect = false;
    const turn = async <T>(call: () => Promise<T>): Promise<T> => {
      const line = this.#lineOf(process);
      await new Promise<void>((resolve) => line.push(resolve));
      left--;
      if (left > 0) return call();
      if (left === 0 && takesEffect) await call();
      throw new Fault('unavailable', 'storage.unreachable', 'The process is dead.', { retry: 'never' });
    };
    const store = this.#store;
    const view = changeStore(store, {
      put: (...args) => turn(() => store.put(...args)),
      get: (...args) => turn(() => store.get(...args)),
      stat: (...args) => turn(() => store.stat(...args)),
      delete: (...args) => turn(() => store.delete(...args)),
      async *list(prefix, options) {
        // A page a turn: what changes meanwhile is seen in the pages that come after.
        for (let after = options?.startAfter ?? ''; ; ) {
          const page = await turn(async () => {
            const entries = [];
            for await (const entry of store.list(prefix, { ...options, startAfter: after }))
              if (entries.push(entry) === pageEntries) break;
            return entries;
          });
          yield* page;
          const last = page.at(-1);
          if (page.length < pageEntries || last === undefined) return;
          after = last.key;
        }
      },
    });
    return Object.assign(view, {
      dieAfter(calls: number, effect: boolean) {
        left = calls;
        takesEffect = effect;
      },
      isDead: () => left <= 0,
    });
  }

  /** Runs the processes to their ends. `next` says whose turn it is, of those that wait; `watch` is called after every turn. */
  async run(
    processes: readonly (() => Promise<void>)[],
    next: (waiting: readonly number[]) => number,
    watch: () => Promise<void>,
  ): Promise<void> {
    const failures: unknown[] = [];
    processes.forEach((start, process) => {
      this.#busy[process] = true;
      this.#lineOf(process);
      start()
        .catch((error: unknown) => void failures.push(error))
        .finally(() => (this.#busy[process] = false));
    });
    for (;;) {
      await this.#settle();
      if (failures.length > 0) throw failures[0];
      const waiting = this.#waiting.flatMap((line, process) => (line.length > 0 ? [process] : []));
      if (waiting.length === 0) return;
      this.#waiting[next(waiting)]?.shift()?.();
      await this.#settle();
      await watch();
    }
  }

  #lineOf(process: number): (() => void)[] {
    const line = this.#waiting[process] ?? [];
    this.#waiting[process] = line;
    return line;
  }

  /** Until every process waits for a turn or has come to its end. */
  async #settle(): Promise<void> {
    do await setImmediate();
    while (this.#busy.some((isBusy, process) => isBusy && this.#waiting[process]?.length === 0));
  }
}

/** Small, so that lists of a few objects have several pages. */
const pageEntries = 2;
