import { throwIfAborted } from '../base/abort.ts';
import { Fault, isFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { CheckSummary, TransferOptions } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import { eachLimited } from './each-limited.ts';
import type { ChunkIndex } from './index/chunk-index.ts';
import { findId, packKey, packsPrefix, snapshotKey } from './layout.ts';
import { batchTransfer } from './packs/chunk-source.ts';
import { maxPackBytes } from './packs/format.ts';
import { proveChunks, provePack } from './packs/read-tasks.ts';
import { ownBytes } from './packs/reader.ts';
import { readSlots } from './seal/keys.ts';
import type { SnapshotRecord } from './snapshots/record.ts';
import type { Snapshots } from './snapshots/snapshots.ts';
import { listTreeChunks } from './tree/chunks.ts';
import { readLeaves } from './volume/leaves.ts';
import { decodeRoot, slotId, slotsPerLeaf } from './volume/map.ts';
import { countProgress } from './volume/read-back.ts';

export interface CheckParts {
  readonly core: RepositoryCore;
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly providerKey: Uint8Array;
  readonly log: Log;
  readonly index: ChunkIndex;
  readonly snapshots: Snapshots;
}

/** Ids looked at together: bounds memory, and gives each pack a fair chance to be read once only. */
const idsPerRound = 65_536;
const statsAtOnce = 8;

/** Structure of one snapshot, and `percent` of its chunks read back, opened and compared with their ids. */
export async function verifySnapshot(
  parts: CheckParts,
  snapshotId: string,
  percent: number,
  options: TransferOptions,
): Promise<CheckSummary> {
  throwIfAborted(options.signal);
  checkPercent(percent);
  const { core, index, snapshots } = parts;
  const { signal } = options;
  await index.refresh(signal);
  const damages = new Set<string>();
  const packs = new Set<string>();
  const sums = { blobs: 0, readBytes: 0, seenBytes: 0 };
  const note = (fault: Fault): void => void damages.add(`${fault.message} Snapshot ${snapshotId} needs it.`);
  try {
    const record = await snapshots.get(snapshotId, signal);
    const progress = countProgress('verify', record.sizeBytes, options);
    for await (const ids of rounds(listChunks(core, record, signal))) {
      const chosen: Uint8Array[] = [];
      for (const id of ids) {
        const found = index.find(id);
        sums.blobs++;
        if (found === undefined) note(index.absentFault(id));
        else packs.add(found.pack.id);
        if (found && (percent >= 100 || Math.random() * 100 < percent)) chosen.push(id);
      }
      await eachLimited(
        core.source.batches(Buffer.concat(chosen), { signal, onDamage: note }),
        core.threads + 1,
        async (batch) => {
          const bytes = await orDamage(core.run(proveChunks, { batch }, { signal, transfer: batchTransfer(batch) }), note);
          sums.readBytes += bytes ?? 0;
          progress(Math.min(bytes ?? 0, record.sizeBytes - sums.seenBytes));
          sums.seenBytes = Math.min(record.sizeBytes, sums.seenBytes + (bytes ?? 0));
        },
      );
    }
    progress(record.sizeBytes - sums.seenBytes);
  } catch (error) {
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    note(error);
  }
  await eachLimited(packs, statsAtOnce, async (id) => {
    if ((await parts.store.stat(packKey(id), { signal })) === undefined)
      damages.add(`Pack ${packKey(id)} is damaged: it is not there. Snapshot ${snapshotId} needs it.`);
  });
  return { objects: packs.size + 1, blobs: sums.blobs, readBytes: sums.readBytes, damages: [...damages] };
}

/** Keys, indexes, packs and snapshots as a whole, and `percent` of the packs read back to their last byte. */
export async function checkRepository(parts: CheckParts, percent: number, options: TransferOptions): Promise<CheckSummary> {
  throwIfAborted(options.signal);
  checkPercent(percent);
  const { core, index, snapshots, store } = parts;
  const { signal } = options;
  await index.refresh(signal);
  const slots = await readSlots(parts);
  /** Object → what is wrong with it, and who needs it. */
  const damages = new Map<string, { readonly what: string; readonly snapshots: Set<string> }>();
  const note = (object: string, what: string): void => void damages.set(object, { what, snapshots: new Set() });
  for (const key of slots.damaged) note(key, 'no whole key slot');
  for (const key of index.damaged) note(key, 'does not open');

  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of store.list(packsPrefix, { signal })) {
    const id = findId(key);
    if (id !== undefined && key === packKey(id)) sizes.set(id, sizeBytes);
  }
  for (const { id, sizeBytes } of index.packs) {
    const found = sizes.get(id);
    if (found === undefined) note(packKey(id), 'is not there');
    else if (found !== sizeBytes) note(packKey(id), `has ${found} bytes, not ${sizeBytes}`);
  }
  const readBytes = await provePacks(parts, sizes, percent, note, options);

  let blobs = 0;
  const ids = await snapshots.list();
  for (const id of ids) {
    try {
      for await (const chunk of listChunks(core, await snapshots.get(id, signal), signal)) {
        blobs++;
        const found = index.find(chunk);
        if (found) damages.get(packKey(found.pack.id))?.snapshots.add(id);
        else {
          const { message } = index.absentFault(chunk);
          const entry = damages.get(message) ?? { what: '', snapshots: new Set() };
          damages.set(message, entry);
          entry.snapshots.add(id);
        }
      }
    } catch (error) {
      if (isFault(error, 'repository.snapshot_absent')) continue; // forgotten meanwhile
      if (!isFault(error) || error.kind !== 'corrupt') throw error;
      // Often an object that is known to be damaged already, met again as a map that cannot be read.
      const object = typeof error.details['object'] === 'string' ? error.details['object'] : snapshotKey(id);
      if (!damages.has(object)) note(object, error.message);
      damages.get(object)?.snapshots.add(id);
    }
  }
  return {
    objects: slots.slots + index.objectCount + sizes.size + ids.length,
    blobs,
    readBytes,
    damages: [...damages].map(damageLine),
  };
}

function damageLine([object, { what, snapshots }]: [
  string,
  { readonly what: string; readonly snapshots: ReadonlySet<string> },
]): string {
  const hit = snapshots.size === 0 ? 'No snapshot needs it.' : `Needed by ${[...snapshots].join(', ')}.`;
  return what === '' ? `${object} ${hit}` : `${object}: ${what}. ${hit}`;
}

async function provePacks(
  { core, store }: CheckParts,
  sizes: ReadonlyMap<string, number>,
  percent: number,
  note: (object: string, what: string) => void,
  options: TransferOptions,
): Promise<number> {
  const { signal } = options;
  const chosen = [...sizes].filter(() => percent >= 100 || Math.random() * 100 < percent);
  const progress = countProgress(
    'verify',
    chosen.reduce((sum, [, size]) => sum + size, 0),
    options,
  );
  let readBytes = 0;
  await eachLimited(chosen, core.threads + 1, async ([packId, size]) => {
    const proof = async (): Promise<number> => {
      const bytes = ownBytes(await store.get(packKey(packId), { maxBytes: maxPackBytes, signal }));
      return core.run(provePack, { packId, bytes }, { signal, transfer: [bytes.buffer] });
    };
    const chunks = await orDamage(proof(), (fault) => note(packKey(packId), fault.message));
    if (chunks !== undefined) readBytes += size;
    progress(size);
  });
  return readBytes;
}

/** Every chunk that the snapshot stands on: maps and content, some more than once. */
async function* listChunks(
  core: RepositoryCore,
  record: SnapshotRecord,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (record.kind === 'tree') {
    yield* listTreeChunks(core.source, record, signal);
    return;
  }
  const { leaves } = decodeRoot(record);
  for (const [number, leaf] of leaves.entries()) {
    if (leaf === undefined) continue;
    yield leaf;
    for (const slots of await readLeaves(core, record, number, [leaf], signal)) {
      for (let slot = 0; slot < slotsPerLeaf; slot++) {
        const id = slotId(slots, slot);
        if (id) yield id;
      }
    }
  }
}

async function* rounds(ids: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let round: Uint8Array[] = [];
  for await (const id of ids) {
    round.push(id);
    if (round.length < idsPerRound) continue;
    yield round;
    round = [];
  }
  if (round.length > 0) yield round;
}

async function orDamage<T>(work: Promise<T>, note: (fault: Fault) => void): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error, 'storage.missing')) return undefined; // deleted since it was listed
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    note(error);
    return undefined;
  }
}

function checkPercent(percent: number): void {
  if (percent >= 0 && percent <= 100) return;
  throw new Fault('invalid', 'repository.bad_percent', `${percent} is no percentage.`);
}
