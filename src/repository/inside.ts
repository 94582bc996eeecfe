import { Fault } from '../base/faults.ts';
import type { Purpose, Repository, SnapshotSummary } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import type { SnapshotRecord } from './snapshots/record.ts';

/** What work on two repositories at once needs of each beside its contract. */
export interface Inside {
  readonly core: RepositoryCore;
  /** Whatever uses the core does so in here: outside, threads and tables may be let go at any time. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** Loads what other processes have stored since. */
  refresh(signal: AbortSignal | undefined): Promise<void>;
  /** Readable snapshots of the subject under the writing key; each costs one read. */
  newestFirst(subject: string, signal: AbortSignal | undefined): AsyncIterable<SnapshotRecord>;
  /** What an earlier try has written for the purpose; after `refresh`. */
  findOwned(subject: string, purpose: Purpose | undefined, signal: AbortSignal | undefined): Promise<SnapshotSummary | undefined>;
}

const insides = new WeakMap<Repository, Inside>();

export function rememberInside(repository: Repository, inside: Inside): Repository {
  insides.set(repository, inside);
  return repository;
}

/** @throws {Fault} `repository.not_open` (internal) for anything but what `openRepository` has given */
export function insideOf(repository: Repository): Inside {
  const inside = insides.get(repository);
  if (inside) return inside;
  throw new Fault('internal', 'repository.not_open', 'This is not a repository that was opened here.');
}
