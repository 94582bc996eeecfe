import { Fault, isFault } from '../base/faults.ts';
import type { StepProgress } from '../jobs/flow.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Mover, Restored, Written } from '../plugin/mover.ts';
import { damageLine } from '../repository/check/damages.ts';
import type {
  Progress,
  Repository,
  RestoreSummary,
  SnapshotOwner,
  SnapshotSummary,
  WriteOptions,
} from '../repository/contract.ts';
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
  /** Of what is written; undefined where nobody writes for a checkpoint. */
  readonly owner: SnapshotOwner | undefined;
  /** The same on every try. */
  readonly stepId: string;
  readonly signal: AbortSignal;
  readonly report: (progress: StepProgress) => void;
}

const phases: Record<Progress['phase'], string> = { write: 'storing', restore: 'restoring', verify: 'comparing' };

/** All snapshots of a checkpoint are its own, whichever operation and step has written them. */
export function ownerOf({ id, createdAt }: Pick<Checkpoint, 'id' | 'createdAt'>): SnapshotOwner {
  return { id, sinceMs: createdAt };
}

export function createMover({ repository, subject, level, owner, stepId, signal, report }: MoverOptions): Mover {
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
  const parts = new Set<string>();
  const write = async <T>(part: string, anew: boolean, work: (options: WriteOptions) => Promise<T>): Promise<T> => {
    if (parts.has(part)) throw writtenTwice(part);
    parts.add(part);
    try {
      const purpose = owner && { owner, part: JSON.stringify([stepId, part]), anew };
      return await work({ subject, level, signal, onProgress, ...(purpose && { purpose }) });
    } catch (error) {
      parts.delete(part);
      throw error;
    }
  };
  const restore = { signal, onProgress: onRestoreProgress };

  return {
    async writeVolume(source) {
      const changed = 'changed' in source ? source.changed : undefined;
      const verifyChanged = changed?.verify === true;
      // What is in it was read before the changes were asked for that its taker goes on from.
      const anew = source.anew === true || changed !== undefined;
      return write(source.part ?? '', anew, async (options) =>
        written(await repository.writeVolume(source, { ...options, verifyChanged })),
      );
    },
    writeTree: (source) =>
      write(source.part ?? '', source.anew === true, async (options) => written(await repository.writeTree(source, options))),
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
  { repository, level, owner, stepId, signal, report }: Omit<MoverOptions, 'subject'>,
): (snapshot: string) => Promise<Written> {
  const onProgress = (progress: Progress): void => report({ ...progress, phase: phases[progress.phase] });
  return async (snapshot) => {
    const purpose = owner && { owner, part: JSON.stringify([stepId, snapshot]) };
    return written(await copySnapshot(from, snapshot, repository, { level, signal, onProgress, ...(purpose && { purpose }) }));
  };
}

function writtenTwice(part: string): Fault {
  const which = part === '' ? 'a second snapshot without saying which' : `the part ${part} twice`;
  return new Fault('invalid', 'mover.part_twice', `The plugin wrote ${which} in one step.`, {
    help: 'A step that writes more than one snapshot gives each a `part` of its own, the same on every try.',
  });
}

function written({ id, files, ...summary }: SnapshotSummary): Written {
  return { snapshot: id, ...summary, ...(summary.kind === 'tree' && { files }) };
}

function restored({ files, ...summary }: RestoreSummary): Restored {
  return { ...summary, files };
}
