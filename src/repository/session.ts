import { throwIfAborted } from '../base/abort.ts';
import { Fault, isFault, toFault } from '../base/faults.ts';
import { abortable } from './abortable.ts';
import type { Progress } from './contract.ts';
import type { SessionOptions, WriteSession } from './core.ts';
import type { SinkCounters } from './packs/chunk-sink.ts';
import type { NewSnapshot, SnapshotRecord } from './snapshots/record.ts';
import type { TaskPool } from './workers/pool.ts';
import type { Task } from './workers/task.ts';

/** What a session needs of the repository around it. */
export interface SessionHost {
  readonly pool: TaskPool;
  /** Whether the pack of that number is in the bank. */
  isDurable(pack: number): boolean;
  /** Waits until no pack is on its way any more. */
  settlePacks(): Promise<void>;
  /** Names all durable packs in index objects; returns the bytes written. */
  saveIndex(signal: AbortSignal): Promise<number>;
  /** @throws {Fault} retry `now` when something that the session took for stored is not, or is about to go */
  publish(
    snapshot: NewSnapshot,
    figures: { storedBytes: number; reusedBytes: number },
    signal: AbortSignal,
  ): Promise<{ record: SnapshotRecord; bytes: number }>;
  onClose(session: Session): void;
}

/** One protect; see `WriteSession`. */
export class Session implements WriteSession {
  readonly signal: AbortSignal;
  readonly #host: SessionHost;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #failed = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** What tasks have stored and the bank does not have yet. */
  #notDurable: { readonly counters: SinkCounters; readonly packs: readonly number[] }[] = [];
  #totalBytes = 0;
  #doneBytes = 0;
  #reusedBytes = 0;
  #storedBytes = 0;

  constructor(host: SessionHost, options: SessionOptions) {
    this.#host = host;
    this.#onProgress = options.onProgress;
    this.signal = options.signal ? AbortSignal.any([options.signal, this.#failed.signal]) : this.#failed.signal;
  }

  async run<Input, Output>(task: Task<Input, Output>, input: Input, transfer: readonly ArrayBuffer[] = []): Promise<Output> {
    const run = this.#host.pool.run(task, input, { signal: this.signal, transfer });
    const { output, counters } = await this.#follow(run);
    this.#add(counters);
    return output;
  }

  setTotal(bytes: number): void {
    this.#totalBytes = bytes;
    this.#report();
  }

  countReused(bytes: number): void {
    this.#add({ logicalBytes: bytes, reusedBytes: bytes, sealedBytes: 0, packs: [] });
  }

  async settle(): Promise<void> {
    throwIfAborted(this.signal);
    const flushed = await this.#follow(this.#host.pool.flush(this.signal));
    for (const counters of flushed) this.#storedBytes += counters.sealedBytes;
    await abortable(this.#host.settlePacks(), this.signal);
    throwIfAborted(this.signal);
    this.packsSettled();
    if (this.#notDurable.length > 0)
      throw new Fault('internal', 'repository.pack_unstored', 'A pack of this write was never stored.');
    this.#storedBytes += await this.#host.saveIndex(this.signal);
    this.#report();
  }

  async finish(snapshot: NewSnapshot): Promise<SnapshotRecord> {
    await this.settle();
    const figures = { storedBytes: this.#storedBytes, reusedBytes: this.#reusedBytes };
    const { record, bytes } = await this.#host.publish(snapshot, figures, this.signal);
    this.#storedBytes += bytes;
    this.#report();
    return record;
  }

  async close(): Promise<void> {
    this.#failed.abort(new Fault('cancelled', 'base.cancelled', 'The write was ended before it was finished.'));
    await Promise.allSettled(this.#running);
    this.#host.onClose(this);
  }

  /** A pack that this session may rely on could not be stored. */
  fail(error: unknown): void {
    this.#failed.abort(toFault(error));
  }

  /** Called when packs have become durable: reports what lay in them. */
  packsSettled(): void {
    const waiting = this.#notDurable;
    this.#notDurable = waiting.filter(({ packs }) => !packs.every((pack) => this.#host.isDurable(pack)));
    if (this.#notDurable.length === waiting.length) return;
    for (const entry of waiting) if (!this.#notDurable.includes(entry)) this.#count(entry.counters);
    this.#report();
  }

  #add(counters: SinkCounters): void {
    const packs = counters.packs.filter((pack) => !this.#host.isDurable(pack));
    if (packs.length > 0) {
      this.#notDurable.push({ counters, packs });
      return;
    }
    this.#count(counters);
    if (counters.logicalBytes > 0) this.#report();
  }

  #count({ logicalBytes, reusedBytes, sealedBytes }: SinkCounters): void {
    this.#doneBytes += logicalBytes;
    this.#reusedBytes += reusedBytes;
    this.#storedBytes += sealedBytes;
  }

  #report(): void {
    this.#onProgress?.({
      phase: 'write',
      doneBytes: this.#doneBytes,
      totalBytes: Math.max(this.#totalBytes, this.#doneBytes),
      storedBytes: this.#storedBytes,
      reusedBytes: this.#reusedBytes,
    });
  }

  /** Remembers the run, so that `close` can wait for it; a run that was cancelled because the session failed tells why it failed. */
  async #follow<T>(run: Promise<T>): Promise<T> {
    this.#running.add(run);
    try {
      return await run;
    } catch (error) {
      if (isFault(error, 'base.cancelled')) throwIfAborted(this.signal);
      throw error;
    } finally {
      this.#running.delete(run);
    }
  }
}
