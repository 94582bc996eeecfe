import type { Json } from '../../base/canonical-json.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { RepositoryCore, WriteSession } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import {
  decodeLeaf,
  decodeRoot,
  digestInput,
  digestText,
  encodeLeaf,
  encodeRoot,
  type LeafSlots,
  leafSpanBytes,
  slotBytes,
  slotCountOf,
  slotId,
} from '../volume/map.ts';
import { areStored, identify, storeMap } from '../volume/tasks.ts';
import type { ChunkCopy } from './chunks.ts';

const idBytes = 32;
/** 16 GiB of volume, 2 MiB of each map that is looked at. */
const leavesPerWindow = 64;

export interface CopyRun {
  readonly from: RepositoryCore;
  readonly to: RepositoryCore;
  /** Of the repository that is written to. */
  readonly session: WriteSession;
  readonly chunks: ChunkCopy;
  readonly record: SnapshotRecord;
  /** A snapshot that was copied before, and its copy: where the original is equal to the record, the copy has the ids. A hint. */
  readonly earlier: { readonly original: SnapshotRecord; readonly copy: SnapshotRecord } | undefined;
}

export interface CopiedContent {
  readonly root: Json;
  /** Of the content as it lies in the repository that was written to. */
  readonly digest: string;
}

type LeafIds = readonly (Buffer | undefined)[];

/** @throws {Fault} corrupt, naming the object, for whatever of the snapshot cannot be read */
export async function copyVolume(run: CopyRun): Promise<CopiedContent> {
  const { from, to, session, record } = run;
  const { sizeBytes } = record;
  const leaves = decodeRoot(record).leaves;
  const digest = (core: RepositoryCore, keyId: string, ids: LeafIds): Promise<string> =>
    core.run(identify, { plain: digestInput(sizeBytes, ids), keyId }, { signal: session.signal }).then(digestText);
  if ((await digest(from, record.keyId, leaves)) !== record.digest) throw digestDiffers(record);
  const copied = new Array<Buffer | undefined>(leaves.length).fill(undefined);
  for (let first = 0; first < leaves.length; first += leavesPerWindow) await copyWindow(run, leaves, copied, first);
  return { root: encodeRoot({ leaves: copied }), digest: await digest(to, to.writingKeyId, copied) };
}

/** Fills in the ids of the copied leaves from `first` on. */
async function copyWindow(run: CopyRun, leaves: LeafIds, copied: (Buffer | undefined)[], first: number): Promise<void> {
  const { from, to, session, chunks, record } = run;
  const earlier = await readEarlier(run, leaves, first);
  const fresh: number[] = [];
  for (let number = first; number < Math.min(first + leavesPerWindow, leaves.length); number++) {
    const taken = earlier.taken.get(number);
    if (leaves[number] !== undefined && taken === undefined) fresh.push(number);
    else session.countReused(Math.min(leafSpanBytes, record.sizeBytes - number * leafSpanBytes));
    copied[number] = taken;
  }
  const maps = await readSlots(from, record, leaves, fresh, session.signal);
  const ids: Uint8Array[] = [];
  const lengths: number[] = [];
  const places: Buffer[] = [];
  for (const [number, slots] of maps) {
    const { original, copy } = earlier.slots.get(number) ?? {};
    for (let slot = 0; slot < slotCountOf(record.sizeBytes, number); slot++) {
      const place = slots.subarray(slot * idBytes, (slot + 1) * idBytes);
      const length = Math.min(slotBytes, record.sizeBytes - number * leafSpanBytes - slot * slotBytes);
      const id = slotId(slots, slot);
      const known = copy && slotId(copy, slot);
      if (id === undefined) session.countReused(length);
      else if (known && original && slotId(original, slot)?.equals(id) && to.source.has(known)) {
        place.set(known);
        session.countReused(length);
      } else {
        ids.push(id);
        lengths.push(length);
        places.push(place);
      }
    }
  }
  const found = await chunks.resolve(Buffer.concat(ids), lengths);
  places.forEach((place, at) => void place.set(found.subarray(at * idBytes, (at + 1) * idBytes)));
  await eachLimited(maps, to.threads * 2, async ([number, slots]) => {
    const plain = encodeLeaf(slots);
    if (plain) copied[number] = Buffer.from(await session.run(storeMap, { plain }));
  });
}

interface EarlierLeaves {
  /** Leaves that are as they were: their ids in the copy, of which every chunk is stored. */
  readonly taken: ReadonlyMap<number, Buffer>;
  /** Of the others, slot by slot. */
  readonly slots: ReadonlyMap<number, { readonly original: LeafSlots; readonly copy: LeafSlots }>;
}

async function readEarlier({ from, to, session, earlier }: CopyRun, leaves: LeafIds, first: number): Promise<EarlierLeaves> {
  const taken = new Map<number, Buffer>();
  const slots = new Map<number, { original: LeafSlots; copy: LeafSlots }>();
  if (earlier === undefined) return { taken, slots };
  const { original, copy } = earlier;
  try {
    const originals = decodeRoot(original).leaves;
    const copies = decodeRoot(copy).leaves;
    const numbers = leaves
      .slice(first, first + leavesPerWindow)
      .map((_, at) => first + at)
      .filter((number) => leaves[number] && originals[number] && copies[number]);
    const copySlots = await readSlots(to, copy, copies, numbers, session.signal);
    const changed: number[] = [];
    await eachLimited(copySlots, to.threads * 2, async ([number, ids]) => {
      const leaf = copies[number];
      const isSame = leaf !== undefined && leaves[number]?.equals(originals[number] ?? leaf);
      if (isSame && (await to.run(areStored, { slots: ids }, { signal: session.signal }))) taken.set(number, leaf);
      else changed.push(number);
    });
    for (const [number, ids] of await readSlots(from, original, originals, changed, session.signal))
      slots.set(number, { original: ids, copy: copySlots.get(number) ?? Buffer.alloc(ids.length) });
  } catch (error) {
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    to.log.warn('An earlier copy cannot be compared with; what it has is read again.', {
      snapshot: copy.id,
      reason: error.message,
    });
  }
  return { taken, slots };
}

/** Memory of their own: the caller writes into them. */
async function readSlots(
  core: RepositoryCore,
  record: SnapshotRecord,
  leaves: LeafIds,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<Map<number, LeafSlots>> {
  const ids = numbers.map((number) => leaves[number] ?? Buffer.alloc(idBytes));
  const plains = await core.source.fetch(Buffer.concat(ids), { signal });
  return new Map(
    numbers.map((number, at) => [
      number,
      decodeLeaf(plains[at] ?? Buffer.alloc(0), slotCountOf(record.sizeBytes, number), record.id),
    ]),
  );
}

function digestDiffers({ id }: SnapshotRecord): Fault {
  return new Fault(
    'corrupt',
    'repository.snapshot_damaged',
    `The map of snapshot ${id} is not the one its digest was taken of.`,
    {
      details: { snapshot: id },
      help: 'Copy another snapshot; a new protect of the same source makes a sound one.',
    },
  );
}
