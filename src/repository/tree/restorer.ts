import { randomBytes } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { faultText, isFault } from '../../base/faults.ts';
import type { RestoreSummary, TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { treeDamaged } from './bytes.ts';
import { TreeFill } from './fill.ts';
import { returnFreedMemory } from './free-memory.ts';
import { TreeLoss } from './loss.ts';
import { idBytes } from './node.ts';
import { bytePath } from './path.ts';
import { loadPosix } from './posix.ts';
import { segmentIds } from './reader.ts';
import type { RestoreRun } from './restore-run.ts';
import { finishFoldersTask, removeFolderTask } from './restore-task.ts';
import { TargetSync } from './sync.ts';
import { checkTarget, makePartial, putInPlace } from './target.ts';
import { Warnings } from './warnings.ts';

/**
 * Restores a tree exactly: made as `<path>.partial-…` beside the target, read back and compared, made durable, then renamed. The target is absent or an
 * empty folder. On failure the partial folder is removed. Told to `salvage` it goes on over what the bank has lost.
 * @throws {Fault} `repository.target_not_empty` (conflict), `repository.digest_differs`, `repository.tree_damaged` (corrupt), `base.cancelled`
 */
export async function restoreTree(
  core: RepositoryCore,
  snapshot: SnapshotRecord,
  target: { readonly path: string },
  options: TransferOptions,
): Promise<RestoreSummary> {
  segmentIds(snapshot);
  const path = resolve(target.path);
  checkTarget(path);
  returnFreedMemory();
  const partial = join(dirname(path), `${basename(path)}.partial-${randomBytes(6).toString('hex')}`);
  const warnings = new Warnings();
  for (const gap of loadPosix().gaps) warnings.add(gap);
  const place = { root: bytePath(partial), setsOwners: process.geteuid?.() === 0, keyId: snapshot.keyId };
  const run: RestoreRun = { core, snapshot, target: place, warnings, options, loss: new TreeLoss() };
  makePartial(partial);
  try {
    const sync = new TargetSync(core, partial);
    try {
      const durable = options.durable ?? true;
      const fill = new TreeFill(run, () => {
        if (durable) sync.start();
      });
      const digest = await fill.run();
      await finishFolders(run);
      if (durable) await sync.finish(options.signal);
      throwIfAborted(options.signal);
      putInPlace(partial, path);
      const damaged = run.loss.list();
      return { sizeBytes: fill.sizeBytes, digest, files: fill.files, warnings: warnings.list(), damaged };
    } finally {
      await sync.close();
    }
  } catch (error) {
    await removePartial(core, partial);
    throw error;
  }
}

/** What went wrong before matters more to the caller than that this did, too. */
async function removePartial(core: RepositoryCore, partial: string): Promise<void> {
  try {
    await core.run(removeFolderTask, partial, {});
  } catch (error) {
    core.log.warn('A half-restored folder could not be removed; it is of no use to anybody.', {
      path: partial,
      reason: faultText(error),
    });
  }
}

/**
 * The second pass, backwards: each folder gets its metadata once nothing in it changes any more. A folder that is closed to this user
 * has to come after all in it, so that only root may take several segments at once.
 */
async function finishFolders({ core, snapshot, target, warnings, options }: RestoreRun): Promise<void> {
  const { signal, salvage } = options;
  await eachLimited(segmentsBackwards(segmentIds(snapshot)), target.setsOwners ? core.threads * 2 : 1, async (id) => {
    throwIfAborted(signal);
    const segment = await fetchSegment(core, id, signal).catch((error: unknown) => {
      // What was lost with it has been listed.
      if (salvage === true && isFault(error) && error.kind === 'corrupt') return undefined;
      throw error;
    });
    if (segment === undefined) return;
    for (const line of await core.run(finishFoldersTask, { target, segment }, { signal })) warnings.add(line);
  });
}

function* segmentsBackwards(ids: Uint8Array): Generator<Uint8Array> {
  for (let at = ids.length - idBytes; at >= 0; at -= idBytes) yield ids.subarray(at, at + idBytes);
}

async function fetchSegment(core: RepositoryCore, id: Uint8Array, signal: AbortSignal | undefined): Promise<Buffer> {
  const [segment] = await core.source.fetch(id, { signal });
  if (segment === undefined) throw treeDamaged('a segment is missing');
  return segment;
}
