import { Fault, isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Purpose } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { findPackId, packsPrefix } from '../layout.ts';
import type { BadPacks } from '../packs/bad-packs.ts';
import { listChunks } from '../snapshots/list-chunks.ts';
import type { NewSnapshot, SnapshotRecord } from '../snapshots/record.ts';
import type { SnapshotFigures, Snapshots } from '../snapshots/snapshots.ts';
import { type GcView, keptGenerations } from './view.ts';

export interface TrustParts {
  readonly core: RepositoryCore;
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly view: GcView;
  readonly bad: BadPacks;
  /** Finds out which named packs are there, after verdicts up to the generation were learned; see `Presence`. */
  readonly presence: { learn(generation: number, signal: AbortSignal | undefined): Promise<void> };
  readonly snapshots: Snapshots;
}

/** How things stood when a write began. */
export interface Standing {
  readonly generation: number;
  readonly distrustCount: number;
  readonly releases: number;
}

/**
 * Before a write: finds out which packs may be relied on. Those that are bad, missing, in quarantine or being deleted are not: what lies in them is
 * stored again. The order counts. Verdicts first, then what is indexed, then what is there: so a pack that is still there at the end was
 * either free of verdicts, or its verdict has been seen.
 */
export async function learnTrust(
  { index, view, bad, presence }: Pick<TrustParts, 'index' | 'view' | 'bad' | 'presence'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await Promise.all([view.learn(signal), bad.learn(signal)]);
  const { generation } = view;
  await index.refresh(signal);
  index.distrust([...view.quarantined(), ...view.deleting, ...bad.ids]);
  await presence.learn(generation, signal);
}

export function currentStanding({ index, view }: Pick<TrustParts, 'index' | 'view'>): Standing {
  return { generation: view.generation, distrustCount: index.distrustCount, releases: index.table.releases };
}

/** One LIST request for 1000 packs, or 16 GB. */
export async function* listPacks(
  store: ObjectStore,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly packId: string; readonly sizeBytes: number }> {
  for await (const { key, sizeBytes } of store.list(packsPrefix, { signal })) {
    const packId = findPackId(key);
    if (packId !== undefined) yield { packId, sizeBytes };
  }
}

/**
 * Makes the snapshot known, then looks whether a garbage collection has begun to delete what it stands on, and takes it back if so. Whoever deletes a pack passes the
 * verdict first and looks for snapshots after; so one of the two sees the other, however long either sleeps between two calls.
 * @throws {Fault} `repository.pack_lost` (conflict, retry now)
 */
export async function publish(
  parts: TrustParts,
  snapshot: NewSnapshot,
  figures: SnapshotFigures,
  purpose: Purpose | undefined,
  began: Standing,
  signal: AbortSignal,
): Promise<{ record: SnapshotRecord; bytes: number }> {
  const { snapshots, index } = parts;
  const { record, bytes } = snapshots.seal(snapshot, figures, purpose);
  // A cancelled write has given chunks up that this one may have taken for stored.
  if (index.table.releases !== began.releases) await demandChunks(parts, record, () => true, signal);
  try {
    await snapshots.put(record.id, bytes, signal);
    await demandSafe(parts, record, began, signal);
  } catch (error) {
    await snapshots.withdraw(record.id);
    throw error;
  }
  return { record, bytes: bytes.length };
}

/**
 * To be called after the snapshot was put. Costs one list; reads the snapshot's maps only when packs have been given up since, or it is not known since when.
 * @throws {Fault} `repository.pack_lost` (conflict, retry now)
 */
export async function demandSafe(
  parts: TrustParts,
  record: SnapshotRecord,
  began: Standing | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { index, view, bad, store } = parts;
  await view.learn(signal);
  index.distrust(view.deleting);
  if (began !== undefined && index.distrustCount === began.distrustCount && view.generation <= began.generation + keptGenerations)
    return;
  const present = new Set<string>();
  for await (const { packId } of listPacks(store, signal)) present.add(packId);
  await demandChunks(parts, record, (id) => present.has(id) && !view.deleting.has(id) && !bad.ids.has(id), signal);
}

/** Looks whether every chunk of the snapshot lies in a pack that an index object names and that is good. */
async function demandChunks(
  { core, index }: TrustParts,
  record: SnapshotRecord,
  isGood: (packId: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for await (const id of listChunks(core, record, signal)) {
      const places = index.findAll(id);
      if (!places.some(({ place, pack }) => index.isNamed(place.pack) && isGood(pack.id)))
        throw packLost(record.id, places[0]?.pack.id);
    }
  } catch (error) {
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    throw packLost(record.id, undefined, error);
  }
}

function packLost(snapshotId: string, packId: string | undefined, cause?: unknown): Fault {
  const what = packId === undefined ? 'Something' : `Pack ${packId}`;
  return new Fault('conflict', 'repository.pack_lost', `${what} that snapshot ${snapshotId} stands on was given up meanwhile.`, {
    retry: 'now',
    help: 'Run it again: what is missing is stored anew.',
    ...(cause !== undefined && { cause }),
  });
}
