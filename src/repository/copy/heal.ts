import { throwIfAborted } from '../../base/abort.ts';
import { canonicalJson } from '../../base/canonical-json.ts';
import { isFault } from '../../base/faults.ts';
import type { CopyOptions, HealSummary, Repository } from '../contract.ts';
import { type Inside, insideOf } from '../inside.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { copyContent } from './copy.ts';

/**
 * Fetches what a repository has lost from another one that has copies of its snapshots, or the originals they are copies of. Chunks have other ids there, so
 * such a snapshot is gone through as if it were copied over the damaged one: what is still whole is taken over unread, the rest is read there, stored
 * here, and has to get the very ids that the damaged snapshot names. No snapshot is written: the damaged ones are whole again.
 */
export async function healFrom(damaged: Repository, other: Repository, options: CopyOptions): Promise<HealSummary> {
  throwIfAborted(options.signal);
  const to = insideOf(damaged);
  const from = insideOf(other);
  const { damages } = await damaged.check(0, options.signal ? { signal: options.signal } : {});
  const hits = damages.flatMap((damage) => damage.hits);
  return from.hold(() =>
    to.hold(async () => {
      await Promise.all([from.refresh(options.signal), to.refresh(options.signal)]);
      const healed: string[] = [];
      const unhealed: { snapshot: string; reason: string }[] = [];
      let storedBytes = 0;
      for (const snapshot of new Set(hits.map((hit) => hit.snapshot))) {
        const outcome = await healOne(from, to, snapshot, options);
        if (typeof outcome === 'string') unhealed.push({ snapshot, reason: outcome });
        else {
          healed.push(snapshot);
          storedBytes += outcome.storedBytes;
        }
      }
      return { healed, unhealed, storedBytes };
    }),
  );
}

/** Why it cannot be healed, when it cannot. */
async function healOne(
  from: Inside,
  to: Inside,
  id: string,
  options: CopyOptions,
): Promise<{ readonly storedBytes: number } | string> {
  try {
    const record = await to.core.getSnapshot(id, options.signal);
    if (record.keyId !== to.core.writingKeyId) return 'it is sealed with a root key that nothing is written with any more';
    const twin = await findTwin(from, record, options.signal);
    if (twin === undefined) return 'the other repository has no copy of it';
    let storedBytes = 0;
    const session = to.core.openSession({
      ...options,
      onProgress(progress) {
        storedBytes = progress.storedBytes;
        options.onProgress?.(progress);
      },
    });
    try {
      const { root, digest } = await copyContent(
        from.core,
        to.core,
        session,
        twin,
        { original: twin, copy: record },
        options.level,
      );
      if (digest !== record.digest || canonicalJson(root) !== canonicalJson(record.root))
        return `snapshot ${twin.id} there is not equal to it`;
      await session.settle();
      return { storedBytes };
    } finally {
      await session.close();
    }
  } catch (error) {
    if (isFault(error) && (error.kind === 'corrupt' || error.code === 'repository.snapshot_absent')) return error.message;
    throw error;
  }
}

/** A snapshot there that holds the same: its original, its copy, or a copy of the same original. */
async function findTwin(
  from: Inside,
  { id, kind, keyId, subject, copiedFrom }: SnapshotRecord,
  signal: AbortSignal | undefined,
): Promise<SnapshotRecord | undefined> {
  if (copiedFrom) {
    const original = await from.core.getSnapshot(copiedFrom.snapshot, signal).catch((error: unknown) => {
      if (isFault(error, 'repository.snapshot_absent') || isFault(error, 'repository.snapshot_damaged')) return undefined;
      throw error;
    });
    if (original?.keyId === copiedFrom.keyId && original.kind === kind) return original;
  }
  const twins = [{ keyId, snapshot: id }, ...(copiedFrom ? [copiedFrom] : [])];
  for await (const copy of from.newestFirst(subject, signal)) {
    const isTwin = twins.some((twin) => copy.copiedFrom?.keyId === twin.keyId && copy.copiedFrom.snapshot === twin.snapshot);
    if (isTwin && copy.kind === kind) return copy;
  }
  return undefined;
}
