import { Fault, isFault } from '../../base/faults.ts';
import { demandSafe, type TrustParts } from '../gc/trust.ts';
import { findSnapshotId, forgottenKey, forgottenPrefix, snapshotKey } from '../layout.ts';

const maxSnapshotBytes = 64 * 1024 * 1024;

/**
 * Moves the snapshot's object aside, as it is: a damaged one can be forgotten too. What only it needs goes with a later garbage collection; until then it can be
 * had back. A missing one counts as forgotten.
 */
export async function forget({ store }: Pick<TrustParts, 'store'>, id: string): Promise<void> {
  const bytes = await store.get(snapshotKey(id), { maxBytes: maxSnapshotBytes }).catch((error: unknown) => {
    if (isFault(error, 'storage.missing')) return undefined;
    throw error;
  });
  if (bytes === undefined) return;
  await putOnce(store, forgottenKey(id), bytes);
  await store.delete([snapshotKey(id)]);
}

/**
 * Puts a forgotten snapshot back and looks whether everything it needs is still there and will stay. When it is not, the snapshot stays forgotten.
 * @throws {Fault} `repository.snapshot_absent` (not-found), `repository.snapshot_gone` (conflict)
 */
export async function undelete(parts: TrustParts, id: string, signal: AbortSignal | undefined): Promise<void> {
  const { store, snapshots, index } = parts;
  const bytes = await store.get(forgottenKey(id), { maxBytes: maxSnapshotBytes, signal }).catch((error: unknown) => {
    if (isFault(error, 'storage.missing')) return undefined;
    throw error;
  });
  if (bytes === undefined) {
    await snapshots.get(id, signal); // one that was never forgotten, or is back already, or is gone for good
    return;
  }
  const record = snapshots.open(id, bytes);
  const isBack = (await store.stat(snapshotKey(id), { signal })) !== undefined; // by a call that was cut short, or by another one
  try {
    if (!isBack) await putOnce(store, snapshotKey(id), bytes);
    await index.refresh(signal);
    await demandSafe(parts, record, undefined, signal);
  } catch (error) {
    if (!isBack) await snapshots.withdraw(id);
    if (!isFault(error, 'repository.pack_lost')) throw error;
    throw new Fault(
      'conflict',
      'repository.snapshot_gone',
      `Snapshot ${id} cannot be had back: garbage collection has taken what it needs, or is about to.`,
      {
        cause: error,
        help: 'Restore another snapshot.',
      },
    );
  }
  await store.delete([forgottenKey(id)], { signal });
}

/** Names of forgotten snapshots that may be had back. */
export async function listForgotten({ store }: Pick<TrustParts, 'store'>, signal?: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list(forgottenPrefix, { signal })) {
    const id = findSnapshotId(key);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

async function putOnce(store: TrustParts['store'], key: string, bytes: Buffer): Promise<void> {
  await store.put(key, bytes, { ifAbsent: true }).catch((error: unknown) => {
    if (!isFault(error, 'storage.exists')) throw error; // the same bytes, from a run that was cut short
  });
}
