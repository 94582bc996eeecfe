import { Fault } from '../../base/faults.ts';
import type { TableView } from '../index/chunk-table.ts';
import type { TaskPool } from './pool.ts';

/**
 * A pool whose threads are started by the first task, and by the next one after a rest. Calls that come together share one start; a start
 * that fails fails them, and the next call tries again.
 */
export class RestingPool implements TaskPool {
  readonly #start: () => Promise<TaskPool>;
  #pool: Promise<TaskPool> | undefined;
  #isClosed = false;

  constructor(start: () => Promise<TaskPool>) {
    this.#start = start;
  }

  readonly run: TaskPool['run'] = async (task, input, options) => (await this.#started()).run(task, input, options);

  /** Without threads there is nothing to seal. */
  async flush(signal: AbortSignal | undefined): ReturnType<TaskPool['flush']> {
    return (await this.#pool)?.flush(signal) ?? [];
  }

  /** What is started later is started with the view of that moment. */
  async show(view: TableView): Promise<void> {
    await this.#pool?.then(
      (pool) => pool.show(view),
      () => undefined, // whoever had it started has the rejection
    );
  }

  trim(): void {
    void this.#pool?.then(
      (pool) => pool.trim(),
      () => undefined,
    );
  }

  /** Ends the threads; nothing runs. */
  async rest(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.then(
      (started) => started.close(),
      () => undefined,
    );
  }

  /** Ends the threads with whatever they do, for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.rest();
  }

  async #started(): Promise<TaskPool> {
    if (this.#isClosed) throw new Fault('cancelled', 'repository.closed', 'The repository was closed.');
    if (this.#pool) return this.#pool;
    const pool = this.#start();
    this.#pool = pool;
    pool.catch(() => {
      if (this.#pool === pool) this.#pool = undefined;
    });
    return pool;
  }
}
