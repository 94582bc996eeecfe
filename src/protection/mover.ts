import { Fault, isFault } from '../base/faults.ts';
import type { StepProgress } from '../jobs/flow.ts';
import type { Mover, Restored, Written } from '../plugin/mover.ts';
import { damageLine } from '../repository/check/damages.ts';
import type { Progress, Repository, RestoreSummary, SnapshotSummary } from '../repository/contract.ts';
import { copySnapshot } from '../repository/copy/copy.ts';

/**
 * Where the two languages meet: a plugin says volume and tree, the repository snapshot and blob. One mover serves one step
 * of one resource.
 */
export interface MoverOptions {
  readonly repository: Repository;
  /** `Host::Block#<id>`: what the snapshots of one resource have in common. */
  readonly subject: string;
  readonly level: 'fast' | 'default';
  readonly signal: AbortSignal;
  readonly report: (progress: StepProgress) => void;
}

const phases: Record<Progress['phase'], string> = { write: 'storing', restore: 'restoring', verify: 'comparing' };

export function createMover({ repository, subject, level, signal, report }: MoverOptions): Mover {
  const onProgress = (progress: Progress): void => report({ ...progress, phase: phases[progress.phase] });
  // A restore reads everything twice: once to write it, once to compare it. Both halves count as work done.
  const onRestoreProgress = (progress: Progress): void => {
    const before = progress.phase === 'verify' ? progress.totalBytes : 0;
    report({
      doneBytes: before + progress.doneBytes,
      totalBytes: 2 * progress.totalBytes,
      storedBytes: 0,
      reusedBytes: 0,
      phase: phases[progress.phase],
    });
  };
  const write = { subject, level, signal, onProgress };
  const restore = { signal, onProgress: onRestoreProgress };

  return {
    async writeVolume(source) {
      const verifyChanged = 'changed' in source && source.changed?.verify === true;
      return written(await repository.writeVolume(source, { ...write, verifyChanged }));
    },
    writeTree: async (source) => written(await repository.writeTree(source, write)),
    restoreVolume: async (snapshot, { path, overwrite }) =>
      restored(await repository.restoreVolume(snapshot, { path, overwrite: overwrite ?? false }, restore)),
    restoreTree: async (snapshot, { path }) => restored(await repository.restoreTree(snapshot, { path }, restore)),
    async verify(snapshot, { percent }) {
      const { readBytes, blobs, damages } = await repository.verifySnapshot(snapshot, percent, { signal, onProgress });
      return { readBytes, checkedBlobs: blobs, damages: damages.map(damageLine) };
    },
    forget: (snapshot) => repository.forget(snapshot),
    async undelete(snapshot) {
      try {
        await repository.undelete(snapshot);
      } catch (error) {
        if (!isFault(error, 'repository.snapshot_absent')) throw error;
        const message = `What snapshot ${snapshot} stands on cannot be had back: garbage collection has taken it.`;
        throw new Fault('conflict', 'mover.snapshot_gone', message, { cause: error, help: 'Restore another checkpoint.' });
      }
    },
  };
}

/** Copies snapshots of one repository into another; for one step of one resource, as the mover. */
export function createSnapshotCopy(
  from: Repository,
  { repository, level, signal, report }: Omit<MoverOptions, 'subject'>,
): (snapshot: string) => Promise<Written> {
  const onProgress = (progress: Progress): void => report({ ...progress, phase: phases[progress.phase] });
  return async (snapshot) => written(await copySnapshot(from, snapshot, repository, { level, signal, onProgress }));
}

function written({ id, files, ...summary }: SnapshotSummary): Written {
  return { snapshot: id, ...summary, ...(summary.kind === 'tree' && { files }) };
}

function restored({ files, ...summary }: RestoreSummary): Restored {
  return { ...summary, files };
}
