import type { ObjectStore } from '../../storage/object-store.ts';
import type { Damage, LostRange } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { DecodedIndex } from '../index/format.ts';
import { findId, findPackId, indexesPrefix, indexKey, packKey, snapshotKey } from '../layout.ts';
import type { BadPacks } from '../packs/bad-packs.ts';
import { packDamaged } from '../packs/open-batch.ts';
import type { KeyRing } from '../seal/keys.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { DamageList } from './damages.ts';
import type { BrokenPack } from './pack-proof.ts';
import { rangeOf, type StandingChunk, type WalkedMap } from './walk.ts';

export interface CheckParts {
  readonly core: RepositoryCore;
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
  readonly index: ChunkIndex;
  readonly snapshots: Snapshots;
  readonly bad: BadPacks;
}

/** Stands for an index object that is gone: nobody knows its name any more. */
const lostIndex = indexKey('*');

/** What is known so far of the objects that snapshots stand on, and who is hit by what is wrong with them. */
export class Inspection {
  readonly damages = new DamageList();
  readonly broken = new Map<string, BrokenPack>();
  /** Packs that whole index objects name. */
  readonly named = new Set<string>();
  /** Packs that chunks were found in. */
  readonly needed = new Set<string>();
  indexObjects = 0;
  chunks = 0;
  /** Keys of index objects that do not open. */
  readonly damagedIndexes: string[] = [];
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  /** Reads every index object from the bank, whatever is remembered of it here. */
  async readIndexes(signal: AbortSignal | undefined, onObject: (index: DecodedIndex) => Promise<void>): Promise<void> {
    const { store, index } = this.#parts;
    const seen = new Set<string>();
    for (let isComplete = false; !isComplete; ) {
      isComplete = true;
      for await (const { key } of store.list(indexesPrefix, { signal })) {
        const id = findId(key);
        if (id === undefined || key !== indexKey(id) || seen.has(id)) continue;
        const decoded = await index.readObject(id, signal);
        if (decoded === 'missing') {
          isComplete = false; // its successor may not be in this list
          continue;
        }
        seen.add(id);
        if (decoded === 'damaged') {
          this.damages.add(key, 'index', 'does not open');
          this.damagedIndexes.push(key);
        } else {
          for (const pack of decoded.packs) this.named.add(pack.id);
          await onObject(decoded);
        }
      }
    }
    this.indexObjects = seen.size;
  }

  breakPack(id: string, broken: BrokenPack): void {
    this.broken.set(id, broken);
    this.damages.add(packKey(id), 'pack', broken.what);
    this.#parts.core.noteDamage(packDamaged(id, broken.what));
  }

  /** Looks where the map and all that it names lie. Says whether anything of it is on damaged ground. */
  async lookAtMap(snapshot: string, map: WalkedMap): Promise<boolean> {
    let isHit = await this.#look(snapshot, map.id, map.part);
    if (map.fault && !isHit) {
      const { object, what } = map.fault.details;
      const pack = typeof object === 'string' && findPackId(object) !== undefined ? object : undefined;
      if (pack) this.damages.add(pack, 'pack', String(what));
      else this.damages.add(snapshotKey(snapshot), 'snapshot', map.fault.message);
      this.damages.hit(pack ?? snapshotKey(snapshot), snapshot, await map.part());
      isHit = true;
    }
    for (const chunk of map.chunks) if (await this.lookAtChunk(snapshot, chunk)) isHit = true;
    return isHit;
  }

  lookAtChunk(snapshot: string, chunk: StandingChunk): Promise<boolean> | boolean {
    return this.#look(snapshot, chunk.id, () => rangeOf(chunk));
  }

  #look(snapshot: string, id: Uint8Array, part: () => Promise<LostRange> | LostRange): Promise<boolean> | boolean {
    this.chunks++;
    let places = 0;
    let brokenPlaces: string[] | undefined;
    let isReadable = false;
    for (const { place, pack } of this.#parts.index.findAll(id)) {
      if (!this.named.has(pack.id)) continue;
      places++;
      const broken = this.broken.get(pack.id);
      if (broken === undefined) {
        this.needed.add(pack.id);
        return false;
      }
      brokenPlaces ??= [];
      brokenPlaces.push(packKey(pack.id));
      isReadable ||= broken.blocks !== 'all' && !broken.blocks.has(place.blockOffset);
    }
    return this.#hit(snapshot, places === 0 ? this.#blamedIndexes() : (brokenPlaces ?? []), isReadable ? undefined : part);
  }

  async #hit(
    snapshot: string,
    objects: readonly string[],
    part: (() => Promise<LostRange> | LostRange) | undefined,
  ): Promise<boolean> {
    const lost = await part?.();
    for (const object of objects) this.damages.hit(object, snapshot, lost);
    return true;
  }

  /** A chunk that no index names was named by one of these. */
  #blamedIndexes(): readonly string[] {
    if (this.damagedIndexes.length > 0) return this.damagedIndexes;
    this.damages.add(lostIndex, 'index', 'an index object is gone');
    return [lostIndex];
  }

  /** Damage that costs something, or that nobody can explain; beside it the packs that are damaged and needed by nothing. */
  finish(): { readonly damages: readonly Damage[]; readonly replaced: readonly string[] } {
    const all = this.damages.list();
    const isReplaced = ({ kind, hits }: Damage): boolean => kind === 'pack' && hits.length === 0;
    return { damages: all.filter((one) => !isReplaced(one)), replaced: all.filter(isReplaced).map(({ object }) => object) };
  }
}
