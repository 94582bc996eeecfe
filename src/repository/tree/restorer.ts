import { randomBytes } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../../base/abort.ts';
import { faultText } from '../../base/faults.ts';
import type { RestoreSummary, TransferOptions } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { finishFolder } from './apply.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { checkNode } from './check.ts';
import { TreeFill } from './fill.ts';
import { idBytes, isTypeOf, readBody } from './node.ts';
import { bytePath, type TreePath } from './path.ts';
import { loadPosix } from './posix.ts';
import { TreeReadBack } from './read-back.ts';
import { segmentIds } from './reader.ts';
import type { RestoreRun } from './restore-run.ts';
import { removeFolderTask, syncFolderTask } from './restore-task.ts';
import { SegmentReader } from './segments.ts';
import { checkTarget, makePartial, putInPlace } from './target.ts';
import { Warnings } from './warnings.ts';

/**
 * Restores a tree exactly: made as `<path>.partial-…` beside the target, read back and compared, made durable, then renamed. The target is absent or an
 * empty folder. On failure the partial folder is removed.
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
  const partial = join(dirname(path), `${basename(path)}.partial-${randomBytes(6).toString('hex')}`);
  const warnings = new Warnings();
  for (const gap of loadPosix().gaps) warnings.add(gap);
  const place = { root: bytePath(partial), setsOwners: process.geteuid?.() === 0, keyId: snapshot.keyId };
  const run: RestoreRun = { core, snapshot, target: place, warnings, options };
  makePartial(partial);
  try {
    const fill = new TreeFill(run);
    await fill.run();
    await new TreeReadBack(run).run();
    await finishFolders(run);
    await core.run(syncFolderTask, partial, { signal: options.signal });
    putInPlace(partial, path);
    return { sizeBytes: fill.sizeBytes, digest: snapshot.digest, files: fill.files, warnings: warnings.list(), damaged: [] };
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

/** The third pass, backwards: each folder gets its metadata once nothing in it changes any more, and is compared at once. */
async function finishFolders({ core, snapshot, target, warnings, options }: RestoreRun): Promise<void> {
  const ids = segmentIds(snapshot);
  const apply = { ...target, warn: warnings.add };
  for (let at = ids.length - idBytes; at >= 0; at -= idBytes) {
    throwIfAborted(options.signal);
    await setImmediate();
    const [segment] = await core.source.fetch(ids.subarray(at, at + idBytes), { signal: options.signal });
    if (segment === undefined) throw treeDamaged('a segment is missing');
    const reader = new SegmentReader(segment);
    const folders: { readonly path: TreePath; readonly body: Buffer }[] = [];
    while (reader.next()) if (isTypeOf(reader.body, 'folder')) folders.push({ path: reader.path, body: reader.body });
    for (const { path, body } of folders.reverse()) {
      const node = readBody(new ByteReader(body));
      finishFolder(apply, path, node);
      checkNode(apply, path, node);
    }
  }
}
