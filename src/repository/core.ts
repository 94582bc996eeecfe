import type { Fault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Progress, Purpose } from './contract.ts';
import type { ChunkSource } from './packs/chunk-source.ts';
import type { NewSnapshot, SnapshotRecord } from './snapshots/record.ts';
import type { Task } from './workers/task.ts';

/**
 * What writers and restorers of volumes and trees stand on; one object a repository, main thread only.
 * A write: `openSession` → `session.run(…)` as often as needed → `session.finish(…)` → `session.close()` in `finally`.
 */
export interface RepositoryCore {
  readonly log: Log;
  readonly threads: number;
  /** The root key that new chunks get their ids from. */
  readonly writingKeyId: string;
  readonly source: ChunkSource;
  /** Takes note of a damaged pack that a fault names: nobody relies on it any more. Any other fault is passed over. */
  noteDamage(fault: Fault): void;
  openSession(options: SessionOptions): WriteSession;
  /** Runs a task that stores nothing: restore, read back, compare. Settles with `base.cancelled` soon after the signal fires. */
  run<Input, Output>(task: Task<Input, Output>, input: Input, options: RunOptions): Promise<Output>;
  /** The newest readable snapshot of the subject under the writing key; undefined when there is none. A hint: take nothing from it that `source.has` does not know. */
  findParent(subject: string, signal: AbortSignal | undefined): Promise<SnapshotRecord | undefined>;
  /** @throws {Fault} `repository.snapshot_absent` (not-found), `repository.snapshot_damaged` (corrupt) */
  getSnapshot(id: string, signal: AbortSignal | undefined): Promise<SnapshotRecord>;
  /** Whether every chunk of the snapshot is known to be there without a look at its maps. */
  isWhole(snapshotId: string): boolean;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Buffers of the input that move to the worker instead of being copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

export interface SessionOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly purpose?: Purpose | undefined;
}

/** One protect. Several may be open at once; they share threads, open packs and the index. */
export interface WriteSession {
  /** Fires when the caller's signal fires, when the session fails (a pack could not be put) or is closed: use it for everything done in the session. */
  readonly signal: AbortSignal;
  /**
   * Runs a task that stores chunks. Its logical bytes are reported as progress once the packs they lie in are durable.
   * Resolves before that. Workers pause by themselves while the store is slow. Keep a few (about `threads * 2`) running at once.
   */
  run<Input, Output>(task: Task<Input, Output>, input: Input, transfer?: readonly ArrayBuffer[]): Promise<Output>;
  /** Logical bytes the write will come to; may be raised as a walk finds more. */
  setTotal(bytes: number): void;
  /** Logical bytes taken over without a task: unchanged files, unread leaves. */
  countReused(bytes: number): void;
  /** Seals and puts what is open, waits until every pack is durable, and names them in the index. */
  settle(): Promise<void>;
  /** Settles, then writes the snapshot. The session's own figures go into the record. */
  finish(snapshot: NewSnapshot): Promise<SnapshotRecord>;
  /** Ends the session, waiting until no task of it runs any more. Harmless after `finish`. */
  close(): Promise<void>;
}
