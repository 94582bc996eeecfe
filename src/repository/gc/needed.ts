import type { ObjectStore } from '../../storage/object-store.ts';
import { freeBytes } from '../free-bytes.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkMarks } from '../index/chunk-marks.ts';
import type { IndexRecord } from '../index/format.ts';
import { findId, indexesPrefix, indexKey } from '../layout.ts';
import type { BadPacks } from '../packs/bad-packs.ts';

export interface IndexObject {
  readonly id: string;
  /** Ids of the packs that it names. */
  readonly packs: readonly string[];
  readonly records: number;
}

export interface NeededParts {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly bad: BadPacks;
  readonly marks: ChunkMarks;
  /** Packs in the bank. */
  readonly present: { has(packId: string): boolean };
  /** Packs on which the verdict is passed. */
  readonly deleting: ReadonlySet<string>;
}

export interface Needed {
  /** Packs that are named for a marked chunk which no better pack holds, whether they are there or not. */
  readonly packs: ReadonlySet<string>;
  readonly objects: readonly IndexObject[];
  /** Keys of index objects that do not open. */
  readonly damaged: readonly string[];
}

/** Reads every index object there is: what needs which pack, and what names it. Ticks off every marked chunk that is named. */
export async function findNeeded(parts: NeededParts, signal: AbortSignal | undefined): Promise<Needed> {
  const { store, index, marks } = parts;
  const packs = new Set<string>();
  const objects = new Map<string, IndexObject>();
  const damaged = new Set<string>();
  for (let isComplete = false; !isComplete; ) {
    isComplete = true;
    for await (const { key } of store.list(indexesPrefix, { signal })) {
      const id = findId(key);
      if (id === undefined || objects.has(id) || damaged.has(key)) continue;
      const decoded = await index.readObject(id, signal);
      if (decoded === 'missing')
        isComplete = false; // its successor may not be in this list
      else if (decoded === 'damaged') damaged.add(indexKey(id));
      else {
        const named = decoded.packs.map((pack) => pack.id);
        objects.set(id, { id, packs: named, records: decoded.recordCount });
        for (const record of decoded.records()) {
          const pack = named[record.pack] ?? '';
          if (marks.see(record.id) && !packs.has(pack) && !hasBetter(parts, record, pack)) packs.add(pack);
        }
        freeBytes(decoded.recordBytes);
      }
    }
  }
  return { packs, objects: [...objects.values()], damaged: [...damaged] };
}

/**
 * Whether the chunk lies in another pack as well that is to be kept for it: a good one without a verdict. A pack with a verdict gives way to any such pack: of two runs
 * that each know one verdict alone, the one that knows the later knows the earlier too, so they never each delete what the other relies on.
 * Of two packs without a verdict, the one with the lower id is on its way out.
 */
function hasBetter({ index, bad, present, deleting }: NeededParts, { id }: IndexRecord, packId: string): boolean {
  const givesWay = bad.ids.has(packId) || deleting.has(packId) || !present.has(packId);
  return index
    .findAll(id)
    .some(
      ({ place, pack }) =>
        pack.id !== packId &&
        index.isNamed(place.pack) &&
        present.has(pack.id) &&
        !bad.ids.has(pack.id) &&
        !deleting.has(pack.id) &&
        (givesWay || pack.id > packId),
    );
}
