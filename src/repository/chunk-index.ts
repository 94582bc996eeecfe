import { MiB } from '../base/bytes.ts';
import { Fault, isFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { ChunkMarks } from './chunk-marks.ts';
import { ChunkPlaces } from './chunk-places.ts';
import { type ChunkPlace, ChunkTable, createGeneration } from './chunk-table.ts';
import { maxObjectBytes, openObject, randomId, sealObject } from './crypto.ts';
import { eachLimited } from './each-limited.ts';
import {
  type DecodedIndex,
  decodeIndex,
  encodeIndex,
  type IndexRecord,
  maxIndexRecords,
  type PackEntry,
} from './index-format.ts';
import type { KeyRing } from './keys.ts';
import { findId, indexesPrefix, indexKey } from './layout.ts';
import type { PackedBlock } from './pack-format.ts';

export interface ChunkIndexOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly threads: number;
}

/** A finished pack as it came from a worker. */
export interface NewPack extends PackEntry {
  readonly number: number;
  readonly blocks: readonly PackedBlock[];
}

/** How many chunks running tasks may add before the main thread can grow the table: 4096 a task, two tasks a thread. */
const slackPerThread = 8192;
const saveAfterBytes = 256 * MiB;
const indexLoads = 4;

export interface FoundChunk {
  readonly place: ChunkPlace;
  readonly pack: PackEntry;
}

/**
 * What is in which pack. Loads every index object at open, later the ones that are new, and forgets what those said that are gone; takes in the packs of
 * this process as they become durable, and writes index objects for them. Main thread; the table inside is shared with the workers.
 */
export class ChunkIndex {
  readonly table: ChunkTable;
  readonly generations: SharedArrayBuffer[];
  /** One number: how many packs have a number. Workers take numbers from it too. */
  readonly packNumbers = new Int32Array(new SharedArrayBuffer(4));
  /** Told of each new generation, before any task may need it. */
  onGrow: (generation: SharedArrayBuffer) => void = () => undefined;
  /** Index objects that do not open. What they named is stored again by the next protect; `check` reports them. */
  readonly damaged = new Set<string>();
  /** Grows whenever packs that were trusted are trusted no more. */
  distrustCount = 0;
  readonly #options: ChunkIndexOptions;
  readonly #places: ChunkPlaces;
  readonly #packs = new Map<number, PackEntry>();
  readonly #numbersById = new Map<string, number>();
  /** Index object → the packs that it names. */
  readonly #objects = new Map<string, readonly number[]>();
  /** Pack → how many index objects name it; none when it was stored just now. */
  readonly #names = new Map<number, number>();
  #unsaved: NewPack[] = [];
  #unsavedBytes = 0;
  #saving: Promise<unknown> = Promise.resolve();

  private constructor(options: ChunkIndexOptions, expectedChunks: number) {
    this.#options = options;
    this.generations = [createGeneration(2 * expectedChunks + 4 * slackPerThread * options.threads)];
    this.table = new ChunkTable(this.generations);
    this.#places = new ChunkPlaces(this.table, (chunks) => this.ensureRoom(chunks + slackPerThread * options.threads));
  }

  static async open(options: ChunkIndexOptions): Promise<ChunkIndex> {
    let bytes = 0;
    for await (const { sizeBytes } of options.store.list(indexesPrefix)) bytes += sizeBytes;
    // A record has 56 bytes, some 40 once it is compressed.
    const index = new ChunkIndex(options, Math.ceil(bytes / 40));
    await index.refresh(undefined);
    return index;
  }

  /** Loads the index objects that were written since, by whomever, and forgets those that are gone. */
  async refresh(signal: AbortSignal | undefined): Promise<void> {
    for (let isComplete = false; !isComplete; ) {
      isComplete = true;
      const before = [...this.#objects.keys()];
      const listed = new Set<string>();
      await eachLimited(this.#options.store.list(indexesPrefix, { signal }), indexLoads, async ({ key }) => {
        const id = findId(key);
        if (id === undefined) return;
        listed.add(id);
        // What was deleted since it was listed has a successor that the list may not show.
        if (!this.#objects.has(id) && !(await this.#load(id, signal))) isComplete = false;
      });
      if (!isComplete) continue;
      this.#forgetObjects(before.filter((id) => !listed.has(id)));
      for (const key of this.damaged) if (!listed.has(findId(key) ?? '')) this.damaged.delete(key);
    }
  }

  /** Whether the chunk need not be stored: it is in the bank in a pack that may be relied on, or on its way there. */
  has(id: Uint8Array): boolean {
    return this.table.has(id);
  }

  /** The chunk's best place and pack; undefined when no index names it and no durable pack of this process holds it. */
  find(id: Uint8Array): FoundChunk | undefined {
    return this.findAll(id)[0];
  }

  /** At most two places, the best one first: one in a trusted pack where there is such a one. */
  findAll(id: Uint8Array): FoundChunk[] {
    return this.#places.find(id).flatMap((place) => {
      const pack = this.#packs.get(place.pack);
      return pack ? [{ place, pack }] : [];
    });
  }

  /** A set of chunks that are known here. */
  createMarks(): ChunkMarks {
    return new ChunkMarks(this.#places);
  }

  /** Whether an index object in the bank names the pack. */
  isNamed(number: number): boolean {
    return this.#names.has(number);
  }

  isTrusted(number: number): boolean {
    return !this.#places.isDistrusted(number);
  }

  /** From now on nobody stores less because of what lies in these packs. Ids that are not known are passed over. */
  distrust(packIds: Iterable<string>): void {
    const fresh = new Set<number>();
    for (const id of packIds) {
      const number = this.#numbersById.get(id);
      if (number !== undefined && this.isTrusted(number)) fresh.add(number);
    }
    if (fresh.size === 0) return;
    this.#places.distrust(fresh);
    this.distrustCount++;
  }

  /** Index objects that were met, damaged ones included. */
  get objectCount(): number {
    return this.#objects.size + this.damaged.size;
  }

  /** Whether the pack of that number is in the bank. */
  isDurable(number: number): boolean {
    return this.#packs.has(number);
  }

  /** Every pack that an index names or that this process has stored. */
  get packs(): Iterable<PackEntry> {
    return this.#packs.values();
  }

  /** Called before tasks are handed out: makes sure that all running ones together cannot fill the table. */
  ensureRoom(chunks = slackPerThread * this.#options.threads): void {
    const { taken, capacity } = this.table.newest;
    if (taken + chunks <= capacity * 0.75) return;
    const generation = createGeneration(Math.max(2 * capacity, 2 * chunks));
    this.generations.push(generation);
    this.table.addGeneration(generation);
    this.onGrow(generation);
  }

  /** The pack is durable: its chunks can be read, and belong into the next index object. */
  addPack(pack: NewPack): void {
    const { id, keyId, sizeBytes } = pack;
    this.#packs.set(pack.number, { id, keyId, sizeBytes }); // not its chunks: those stay only until they are saved
    this.#numbersById.set(pack.id, pack.number);
    this.#unsaved.push(pack);
    this.#unsavedBytes += pack.sizeBytes;
  }

  /** The pack never became durable: nobody may rely on its chunks. */
  dropPack(pack: NewPack): void {
    for (const { chunks } of pack.blocks) for (const { id } of chunks) this.table.drop(id, pack.number);
  }

  /** Whether so much lies unnamed in the bank that a restarted writer would be sorry. */
  get wantsSaving(): boolean {
    return this.#unsavedBytes >= saveAfterBytes;
  }

  /**
   * Names every durable pack in an index object; returns the bytes written. One at a time: when it returns, all packs that were durable
   * before the call are named. What could not be written stays for the next call.
   */
  save(signal: AbortSignal | undefined): Promise<number> {
    const saved = this.#saving.then(() => this.#saveUnsaved(signal));
    this.#saving = saved.catch(() => undefined); // whoever called for it has the rejection
    return saved;
  }

  async #saveUnsaved(signal: AbortSignal | undefined): Promise<number> {
    let written = 0;
    while (this.#unsaved.length > 0) {
      const packs = this.#takeBatch();
      try {
        written += await this.#write(packs, signal);
      } catch (error) {
        this.#unsaved = [...packs, ...this.#unsaved];
        throw error;
      } finally {
        this.#unsavedBytes = this.#unsaved.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      }
    }
    return written;
  }

  /** As many packs as fit into one object; one pack's chunks are never split. */
  #takeBatch(): NewPack[] {
    let records = 0;
    const end = this.#unsaved.findIndex(({ blocks }, at) => {
      for (const { chunks } of blocks) records += chunks.length;
      return at > 0 && records > maxIndexRecords;
    });
    return this.#unsaved.splice(0, end === -1 ? this.#unsaved.length : end);
  }

  async #write(packs: readonly NewPack[], signal: AbortSignal | undefined): Promise<number> {
    const { store, keys, projectId } = this.#options;
    const records: IndexRecord[] = packs.flatMap(({ blocks }, pack) =>
      blocks.flatMap((block) =>
        block.chunks.map(({ id, offset, length }) => ({
          id,
          pack,
          blockOffset: block.offset,
          blockLength: block.length,
          rawLength: block.rawLength,
          chunkOffset: offset,
          chunkLength: length,
        })),
      ),
    );
    const id = randomId();
    const sealed = sealObject(keys.writing, projectId, 'index', id, encodeIndex(packs, records));
    await store.put(indexKey(id), sealed, { ifAbsent: true, ...(signal && { signal }) });
    this.#nameObject(
      id,
      packs.map(({ number }) => number),
    );
    return sealed.length;
  }

  /** False when the object is gone. */
  async #load(id: string, signal: AbortSignal | undefined): Promise<boolean> {
    const index = await this.readObject(id, signal);
    if (index === 'missing') return false;
    if (this.#objects.has(id)) return true;
    const key = indexKey(id);
    if (index === 'damaged') {
      if (!this.damaged.has(key))
        this.#options.log.warn('An index object is damaged; what it names is stored again when it is met.', { key });
      this.damaged.add(key);
      return true;
    }
    this.damaged.delete(key);
    this.ensureRoom(index.recordCount + slackPerThread * this.#options.threads);
    const numbers = index.packs.map((pack) => this.#numberOf(pack));
    this.#nameObject(id, numbers);
    for (const record of index.records()) this.#places.add(record.id, { ...record, pack: numbers[record.pack] ?? 0 });
    return true;
  }

  /** What an index object says, straight from the bank. */
  async readObject(id: string, signal: AbortSignal | undefined): Promise<DecodedIndex | 'missing' | 'damaged'> {
    const { store, keys, projectId } = this.#options;
    const bytes = await store.get(indexKey(id), { maxBytes: maxObjectBytes, signal }).catch((error: unknown) => {
      if (isFault(error, 'storage.missing')) return undefined;
      if (isFault(error) && error.kind === 'corrupt') return Buffer.alloc(0);
      throw error;
    });
    if (bytes === undefined) return 'missing';
    const opened = openObject(keys.all, projectId, 'index', id, bytes);
    return (opened && decodeIndex(opened.plain)) ?? 'damaged';
  }

  #nameObject(id: string, packs: readonly number[]): void {
    this.#objects.set(id, packs);
    for (const pack of packs) this.#names.set(pack, (this.#names.get(pack) ?? 0) + 1);
  }

  #forgetObjects(ids: readonly string[]): void {
    const nameless = new Set<number>();
    for (const id of ids) {
      for (const pack of this.#objects.get(id) ?? []) {
        const names = (this.#names.get(pack) ?? 1) - 1;
        if (names > 0) this.#names.set(pack, names);
        else {
          this.#names.delete(pack);
          nameless.add(pack);
        }
      }
      this.#objects.delete(id);
    }
    if (nameless.size === 0) return;
    this.#places.remove(nameless);
    this.distrustCount++;
    for (const number of nameless) {
      const id = this.#packs.get(number)?.id;
      this.#packs.delete(number);
      if (id !== undefined) this.#numbersById.delete(id);
    }
  }

  #numberOf(pack: PackEntry): number {
    const known = this.#numbersById.get(pack.id);
    if (known !== undefined) return known;
    const number = Atomics.add(this.packNumbers, 0, 1);
    this.#packs.set(number, pack);
    this.#numbersById.set(pack.id, number);
    return number;
  }

  /** For a chunk that cannot be found though something refers to it. */
  absentFault(id: Uint8Array): Fault {
    const name = Buffer.from(id).toString('hex').slice(0, 16);
    const where = this.#options.store.description;
    if (this.damaged.size > 0) {
      return new Fault(
        'corrupt',
        'repository.index_damaged',
        `Chunk ${name} cannot be found: ${[...this.damaged].join(', ')} in ${where} is damaged.`,
        {
          help: 'Put the object back from a copy of the bank; a new protect of the same source stores what is missing again.',
        },
      );
    }
    return new Fault(
      'corrupt',
      'repository.chunk_absent',
      `Chunk ${name} is named by no index in ${where}: an index object is lost.`,
      {
        help: 'Put lost objects under "indexes/" back from a copy of the bank; a new protect of the same source stores what is missing again.',
      },
    );
  }
}
