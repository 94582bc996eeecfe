import { throwIfAborted } from '../../base/abort.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { CopyOptions, Repository, SnapshotSummary } from '../contract.ts';
import type { RepositoryCore, WriteSession } from '../core.ts';
import { type Inside, insideOf } from '../inside.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { chunkMinBytes } from '../tree/chunker.ts';
import { ChunkCopy } from './chunks.ts';
import { copyTree } from './tree.ts';
import { type CopiedContent, type CopyRun, copyVolume } from './volume.ts';

/** Snapshots of the subject that are asked for being copies: each costs a read, and an old one saves little. */
const lookedAt = 32;

/**
 * Puts a snapshot into another repository, under that one's keys and with its own digest. A chunk has another id there, so it is read to
 * know whether it is there already; unless an earlier snapshot of the subject was copied too: what is equal in both is taken over unread.
 * Writes in the order of any write, so a copy that was stopped leaves no snapshot, and the next one stores only what is missing.
 *
 * @throws {Fault} `repository.copy_in_place` (invalid); corrupt, naming the object, when any part of the snapshot cannot be read
 */
export async function copySnapshot(
  source: Repository,
  snapshotId: string,
  target: Repository,
  options: CopyOptions,
): Promise<SnapshotSummary> {
  throwIfAborted(options.signal);
  const from = insideOf(source);
  const to = insideOf(target);
  return from.hold(() => to.hold(() => copyInside(from, snapshotId, to, options)));
}

async function copyInside(from: Inside, snapshotId: string, to: Inside, options: CopyOptions): Promise<SnapshotSummary> {
  const record = await from.core.getSnapshot(snapshotId, options.signal);
  if (record.keyId === to.core.writingKeyId) {
    throw new Fault('invalid', 'repository.copy_in_place', `Snapshot ${snapshotId} belongs to that repository already.`, {
      help: 'Copy it to another provider.',
    });
  }
  await Promise.all([from.refresh(options.signal), to.refresh(options.signal)]);
  const written = await to.findOwned(record.subject, options.purpose, options.signal);
  if (written) return written;
  const earlier = await findEarlier(from, to, record, options.signal);
  const session = to.core.openSession(options);
  try {
    const { root, digest } = await copyContent(from.core, to.core, session, record, earlier, options.level);
    const { kind, subject, sizeBytes, files, warnings } = record;
    const { id, storedBytes, reusedBytes } = await session.finish({
      kind,
      subject,
      sizeBytes,
      files,
      digest,
      warnings,
      parent: earlier?.copy.id ?? null,
      source: record.source,
      root,
      copiedFrom: { keyId: record.keyId, snapshot: record.id },
    });
    return { id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings };
  } finally {
    await session.close();
  }
}

/** Stores in the other repository whatever it lacks of the snapshot's content; gives what stands for it there. */
export async function copyContent(
  from: RepositoryCore,
  to: RepositoryCore,
  session: WriteSession,
  record: SnapshotRecord,
  earlier: CopyRun['earlier'],
  level: CopyOptions['level'],
): Promise<CopiedContent> {
  session.setTotal(record.sizeBytes);
  const isTree = record.kind === 'tree';
  // As their own writers do: then a protect into that bank finds these chunks, sealed as it would have.
  const smallBelowBytes = isTree ? chunkMinBytes : 0;
  const chunks = new ChunkCopy({ from, to, session, level: isTree ? 'fast' : (level ?? 'default'), smallBelowBytes });
  const run: CopyRun = { from, to, session, chunks, record, earlier };
  return isTree ? copyTree(run) : copyVolume(run);
}

/** The newest copy of the subject whose original is still there, and the two of the same kind. */
async function findEarlier(
  from: Inside,
  to: Inside,
  { keyId, kind, subject }: SnapshotRecord,
  signal: AbortSignal | undefined,
): Promise<CopyRun['earlier']> {
  let seen = 0;
  for await (const copy of to.newestFirst(subject, signal)) {
    if (++seen > lookedAt) return undefined;
    if (copy.kind !== kind || copy.copiedFrom?.keyId !== keyId) continue;
    try {
      const original = await from.core.getSnapshot(copy.copiedFrom.snapshot, signal);
      if (original.kind === kind && original.keyId === keyId) return { original, copy };
    } catch (error) {
      if (!isFault(error, 'repository.snapshot_absent') && !isFault(error, 'repository.snapshot_damaged')) throw error;
    }
  }
  return undefined;
}
