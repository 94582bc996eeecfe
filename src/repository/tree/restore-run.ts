import type { TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import type { TreeLoss } from './loss.ts';
import type { Target } from './restore-task.ts';
import type { Warnings } from './warnings.ts';

/** What the passes of one restore share. */
export interface RestoreRun {
  readonly core: RepositoryCore;
  readonly snapshot: SnapshotRecord;
  readonly target: Target;
  readonly warnings: Warnings;
  readonly options: TransferOptions;
  /** Empty, unless the restore goes on over damage. */
  readonly loss: TreeLoss;
}

/** Adds up bytes of a phase and reports them. */
export function countBytes({ snapshot, options }: RestoreRun, phase: 'restore' | 'verify'): (bytes: number) => void {
  let doneBytes = 0;
  return (bytes) => {
    doneBytes += bytes;
    options.onProgress?.({ phase, doneBytes, totalBytes: snapshot.sizeBytes, storedBytes: 0, reusedBytes: 0 });
  };
}
