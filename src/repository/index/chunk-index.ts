import { closeSync } from 'node:fs';
import { MiB } from '../../base/bytes.ts';
import { Fault, isFault } from '../../base/faults.ts';
import { createLimit } from '../../base/limit.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { abortable } from '../abortable.ts';
import { freeBytes } from '../free-bytes.ts';
import { findId, indexesPrefix, indexKey } from '../layout.ts';
import { maxObjectBytes, openObject, randomId, sealObject } from '../seal/crypto.ts';
import type { KeyRing } from '../seal/keys.ts';
import type { WholeSnapshots } from '../snapshots/whole-snapshots.ts';
import { type ChunkTable, createGeneration, isSettled, type TableView } from './chunk-table.ts';
import { type DecodedIndex, decodeIndex, encodeIndex } from './format.ts';
import type { PackTable } from './pack-table.ts';
import { chooseMerge, type OpenRun, type Runs } from './runs.ts';
import { absentFault, createLoaded, type FoundChunk, type Loaded } from './state.ts';
import { listRecords, type NewPack, UnsavedPacks } from './unsaved-packs.ts';

export interface ChunkIndexOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly threads: number;
  readonly runs: Runs;
  readonly whole: WholeSnapshots;
}

/** How many chunks running tasks may add before the main thread can grow the table: 4096 a task, two tasks a thread. */
const slackPerThread = 8192;
/** 12 MiB. Older generations are let go once their chunks are in runs, so a write of any length needs a few of them. */
const maxGenerationSlots = 2 ** 18;
const saveAfterBytes = 256 * MiB;
/** Some 65 536 records, sealed. */
const runTargetBytes = 2.5 * MiB;
const runsAtOnce = 4;
const loadsAtOnce = 16;

/**
 * What is in which pack. Loads index objects at the first use, later those that are new, and forgets what those said that are gone; takes in the packs
 * of this process as they become durable, and writes index objects for them. What index objects say lies in runs (run-format.ts), so memory
 * does not grow with the repository, and a run is there again the next time. Main thread; the table inside is shared with the workers.
 */
export class ChunkIndex {
  /** Told of each new view, before any task may need it; resolves when every thread works with it. */
  onView: (view: TableView) => Promise<void> = async () => undefined;
  /** Index objects that do not open. What they named is stored again by the next protect; `check` reports them. */
  readonly damaged = new Set<string>();
  /** Grows whenever packs that were trusted are trusted no more. */
  distrustCount = 0;
  readonly #options: ChunkIndexOptions;
  #loaded: Loaded;
  readonly #unsaved = new UnsavedPacks((packs, signal) => this.#write(packs, signal));
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: ChunkIndexOptions) {
    this.#options = options;
    this.#loaded = createLoaded(4 * slackPerThread * this.#options.threads);
  }

  get table(): ChunkTable {
    return this.#loaded.table;
  }

  /** One number: how many packs have a number. Workers take numbers from it too. */
  get packNumbers(): Int32Array {
    return this.#loaded.packs.numbers;
  }

  /** What threads that are started now have to know. */
  get view(): TableView {
    const { generations, runs, packs, releases } = this.#loaded;
    return { generations, runs: runs.map(({ view }) => view), distrusted: packs.flags, releases };
  }

  /** Everything is let go; the next use loads it again. The threads have ended, and nothing is left to be saved. */
  unload(): void {
    for (const { view } of this.#loaded.runs) closeSync(view.fd);
    this.#loaded = createLoaded(4 * slackPerThread * this.#options.threads);
    this.damaged.clear();
    this.#unsaved.clear();
  }

  /** Loads what there is, unless that was done. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#loaded.isOpen) await this.refresh(signal);
  }

  /** Loads the index objects that were written since, by whomever, and forgets those that are gone. */
  refresh(signal: AbortSignal | undefined): Promise<void> {
    return this.#change(() => this.#refresh(signal), signal);
  }

  /** Puts the index objects of this process into a run, so that their chunks need no memory any more, and nobody reads them again. */
  fold(signal: AbortSignal | undefined): Promise<void> {
    return this.#change(() => this.#fold(signal), signal);
  }

  /** One change at a time. */
  #change(work: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const changed = this.#changing.then(work);
    this.#changing = changed.catch(() => undefined); // whoever called for it has the rejection
    return abortable(changed, signal);
  }

  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    const loaded = this.#loaded;
    for (;;) {
      const before = [...loaded.objects.keys()];
      const listed = new Map<string, number>();
      for await (const { key, sizeBytes } of this.#options.store.list(indexesPrefix, { signal })) {
        const id = findId(key);
        if (id !== undefined) listed.set(id, sizeBytes);
      }
      if (!loaded.isOpen) await this.#openCache(listed);
      await this.#dropRuns((run) => Atomics.load(run.view.damaged, 0) !== 0);
      // What was deleted since it was listed has a successor that the list may not show yet.
      if (!(await this.#load(listed, signal))) continue;
      this.#forgetObjects(before.filter((id) => !listed.has(id)));
      for (const key of this.damaged) if (!listed.has(findId(key) ?? '')) this.damaged.delete(key);
      await this.#fold(signal);
      if (loaded.again.size > 0) continue;
      if (!loaded.isOpen) await this.#options.whole.load();
      loaded.isOpen = true;
      return;
    }
  }

  /** Takes in what earlier processes kept, the largest runs first, as far as it is still so. */
  async #openCache(listed: ReadonlyMap<string, number>): Promise<void> {
    const loaded = this.#loaded;
    const found = await this.#options.runs.openAll(loaded.packs);
    found.sort((a, b) => b.recordCount - a.recordCount);
    for (const run of found) {
      const fresh = run.objects.filter(({ id, sizeBytes }) => listed.get(id) === sizeBytes && !loaded.objects.has(id));
      this.#adopt(run, fresh);
    }
    await this.#dropUnused();
  }

  /** The run holds the records of these objects, which are in the bank. */
  #adopt(run: OpenRun, objects: OpenRun['objects']): void {
    const loaded = this.#loaded;
    loaded.runs.push(run);
    for (const { id, packs } of objects) {
      loaded.again.delete(id);
      this.#nameObject(
        id,
        packs.map((pack) => run.view.packNumbers[pack] ?? 0),
      );
    }
  }

  /** Runs of which nothing is left, or nothing that another one does not have. */
  async #dropUnused(): Promise<void> {
    const covered = new Set<string>();
    await this.#dropRuns(({ objects }) => {
      const fresh = objects.filter(({ id }) => this.#loaded.objects.has(id) && !covered.has(id));
      for (const { id } of fresh) covered.add(id);
      return fresh.length === 0;
    });
  }

  /** What they held is read again, unless another run holds it as well. */
  async #dropRuns(isToDrop: (run: OpenRun) => boolean): Promise<void> {
    const loaded = this.#loaded;
    const dropped = loaded.runs.filter(isToDrop);
    if (dropped.length === 0) return;
    loaded.runs = loaded.runs.filter((run) => !dropped.includes(run));
    const held = new Set([...loaded.runs.flatMap(({ objects }) => objects), ...loaded.unfolded].map(({ id }) => id));
    for (const run of dropped) {
      for (const { id } of run.objects) if (loaded.objects.has(id) && !held.has(id)) loaded.again.add(id);
      loaded.retired.push(run);
      await this.#options.runs.discard(run);
    }
  }

  /** Reads the index objects that no run holds; false when one of them was gone. */
  async #load(listed: ReadonlyMap<string, number>, signal: AbortSignal | undefined): Promise<boolean> {
    const { objects, again } = this.#loaded;
    const runLimit = createLimit(runsAtOnce);
    const loadLimit = createLimit(loadsAtOnce);
    const groups: { ids: string[]; bytes: number }[] = [];
    for (const [id, bytes] of listed) {
      if (objects.has(id) && !again.has(id)) continue;
      const group = groups.at(-1);
      if (group === undefined || group.bytes + bytes > runTargetBytes) groups.push({ ids: [id], bytes });
      else {
        group.ids.push(id);
        group.bytes += bytes;
      }
    }
    // All of them have ended before this one does: nothing is changed behind the back of the next change.
    const loads = await Promise.allSettled(
      groups.map(({ ids }) => runLimit(() => this.#loadGroup(ids, (load) => loadLimit(load), signal))),
    );
    return loads.every((load) => {
      if (load.status === 'rejected') throw load.reason;
      return load.value;
    });
  }

  async #loadGroup(
    ids: readonly string[],
    limit: <T>(load: () => Promise<T>) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { runs, log } = this.#options;
    const loaded = this.#loaded;
    const found = await Promise.all(ids.map(async (id) => ({ id, bytes: await limit(() => this.#get(id, signal)) })));
    const there = found.flatMap(({ id, bytes }) => (bytes ? [{ id, bytes }] : []));
    const { run, damaged } = there.length > 0 ? await runs.make(there, loaded.packs, signal) : { run: undefined, damaged: [] };
    if (run) this.#adopt(run, run.objects);
    for (const { id, bytes } of there) {
      freeBytes(bytes);
      const key = indexKey(id);
      if (!damaged.includes(id)) this.damaged.delete(key);
      else {
        if (!this.damaged.has(key))
          log.warn('An index object is damaged; what it names is stored again when it is met.', { key });
        this.damaged.add(key);
        this.#forgetObjects([id]);
      }
    }
    return there.length === ids.length;
  }

  /** Undefined when the object is gone. */
  #get(id: string, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    return this.#options.store.get(indexKey(id), { maxBytes: maxObjectBytes, signal }).catch((error: unknown) => {
      if (isFault(error, 'storage.missing')) return undefined;
      if (isFault(error) && error.kind === 'corrupt') return Buffer.alloc(0);
      throw error;
    });
  }

  /** What an index object says, straight from the bank. */
  async readObject(id: string, signal: AbortSignal | undefined): Promise<DecodedIndex | 'missing' | 'damaged'> {
    const { keys, projectId } = this.#options;
    const bytes = await this.#get(id, signal);
    if (bytes === undefined) return 'missing';
    const opened = openObject(keys.all, projectId, 'index', id, bytes);
    return (opened && decodeIndex(opened.plain)) ?? 'damaged';
  }

  async #fold(signal: AbortSignal | undefined): Promise<void> {
    const loaded = this.#loaded;
    const { runs } = this.#options;
    const { unfolded } = loaded;
    if (unfolded.length > 0) {
      const { run } = await runs.make(unfolded, loaded.packs, signal);
      if (run) this.#adopt(run, []);
      loaded.unfolded = loaded.unfolded.slice(unfolded.length);
    }
    await this.#dropUnused();
    for (let sources = chooseMerge(loaded.runs); sources.length > 1; sources = chooseMerge(loaded.runs)) {
      const merged = await runs.merge(sources, (id) => loaded.objects.has(id), loaded.packs, signal);
      if (merged) {
        loaded.runs = [...loaded.runs.filter((run) => !sources.includes(run)), merged];
        loaded.retired.push(...sources);
      } else await this.#dropRuns((run) => Atomics.load(run.view.damaged, 0) !== 0);
    }
    const waiting = new Set(loaded.unfolded.flatMap(({ packs }) => [...packs]));
    const isKept = (pack: number): boolean => loaded.packs.isSettled(pack) && !waiting.has(pack);
    loaded.generations = loaded.generations.filter(
      (generation) => !loaded.frozen.has(generation) || !isSettled(generation, isKept),
    );
    // Most lookups that find something find it in the largest.
    loaded.runs.sort((a, b) => b.recordCount - a.recordCount);
    this.#publish();
  }

  /** Tells all threads, and lets go of what none of them uses once they know. */
  #publish(): void {
    const loaded = this.#loaded;
    const { view } = this;
    const retired = loaded.retired.splice(0);
    const older = new Set(view.generations.slice(0, -1));
    loaded.table.show(view);
    void this.onView(view).then(() => {
      for (const run of retired) closeSync(run.view.fd);
      loaded.frozen = older;
    });
  }

  /** Whether the chunk need not be stored: it is in the bank in a pack that may be relied on, or on its way there. */
  has(id: Uint8Array): boolean {
    return this.#open.table.has(id);
  }

  /** The chunk's best place and pack; undefined when no index names it and no durable pack of this process holds it. */
  find(id: Uint8Array): FoundChunk | undefined {
    return this.findAll(id)[0];
  }

  /** Every place, the best one first: one in a trusted pack where there is such a one. */
  findAll(id: Uint8Array): FoundChunk[] {
    const { table, packs } = this.#open;
    return table.find(id).flatMap((place) => {
      const pack = packs.get(place.pack);
      return pack ? [{ place, pack }] : [];
    });
  }

  get #open(): Loaded {
    if (this.#loaded.isOpen) return this.#loaded;
    throw new Fault('internal', 'repository.index_not_loaded', 'A chunk was looked up before the index was loaded.');
  }

  /** Whether a run was found damaged by a lookup, which then counts for nothing until the next refresh. */
  get isImpaired(): boolean {
    return this.#loaded.runs.some(({ view }) => Atomics.load(view.damaged, 0) !== 0);
  }

  /** Whether an index object in the bank names the pack. */
  isNamed(number: number): boolean {
    return this.#loaded.packs.isNamed(number);
  }

  /** From now on nobody stores less because of what lies in these packs. Ids that are not known are passed over. */
  distrust(packIds: Iterable<string>): void {
    const { packs } = this.#loaded;
    let lost = false;
    for (const id of packIds) {
      const number = packs.find(id);
      if (number !== undefined && packs.distrust(number)) lost = true;
    }
    if (lost) this.distrustCount++;
  }

  /** Whether every chunk of the snapshot is known to be there, as it was when it was written. Costs as much as there are index objects. */
  isWhole(snapshot: string): boolean {
    this.#options.whole.check(this.#ground);
    return this.#options.whole.has(snapshot);
  }

  /** Every chunk of the snapshot was found to be there, just now. */
  async addWhole(snapshot: string): Promise<void> {
    this.#options.whole.check(this.#ground);
    await this.#options.whole.add(snapshot, this.#ground);
  }

  get #ground(): { readonly objects: readonly string[]; readonly distrusted: readonly string[] } {
    const { objects, packs } = this.#loaded;
    return { objects: [...objects.keys()], distrusted: packs.listDistrusted() };
  }

  /** Index objects that were met, damaged ones included. */
  get objectCount(): number {
    return this.#loaded.objects.size + this.damaged.size;
  }

  /** How many records index objects have, at most. */
  get recordCount(): number {
    return this.#loaded.runs.reduce((sum, { recordCount }) => sum + recordCount, 0);
  }

  /** Every pack that an index names or that this process has stored. */
  get packs(): PackTable {
    return this.#loaded.packs;
  }

  /** Index object → numbers of the packs that it names. */
  get objects(): ReadonlyMap<string, Uint32Array> {
    return this.#loaded.objects;
  }

  /** Called before tasks are handed out: makes sure that all running ones together cannot fill the table. */
  ensureRoom(): void {
    const loaded = this.#loaded;
    const chunks = slackPerThread * this.#options.threads;
    const { taken, capacity } = loaded.table.newest;
    if (taken + chunks <= capacity * 0.75) return;
    loaded.generations = [
      ...loaded.generations,
      createGeneration(Math.max(2 * chunks, Math.min(2 * capacity, maxGenerationSlots))),
    ];
    this.#publish();
  }

  /** The pack is durable: its chunks can be read, and belong into the next index object. */
  addPack(pack: NewPack): void {
    this.#loaded.packs.addFresh(pack.number, pack); // not its chunks: those stay only until they are saved
    this.#unsaved.add(pack);
  }

  /** The pack never became durable: nobody may rely on its chunks. */
  dropPack(pack: NewPack): void {
    this.#loaded.packs.drop(pack.number);
  }

  /** Whether so much lies unnamed in the bank that a restarted writer would be sorry. */
  get wantsSaving(): boolean {
    return this.#unsaved.sizeBytes >= saveAfterBytes;
  }

  /**
   * Names every durable pack in an index object; returns the bytes written. One at a time: when it returns, all packs that were durable
   * before the call are named. What could not be written stays for the next call.
   */
  save(signal: AbortSignal | undefined): Promise<number> {
    return this.#unsaved.save(signal);
  }

  async #write(packs: readonly NewPack[], signal: AbortSignal | undefined): Promise<number> {
    const { store, keys, projectId, log } = this.#options;
    const id = randomId();
    const sealed = sealObject(keys.writing, projectId, 'index', id, encodeIndex(packs, listRecords(packs)));
    await store.put(indexKey(id), sealed, { ifAbsent: true, ...(signal && { signal }) });
    const numbers = Uint32Array.from(packs, ({ number }) => number);
    this.#nameObject(id, numbers);
    const { unfolded } = this.#loaded;
    unfolded.push({ id, bytes: sealed, packs: numbers });
    if (unfolded.reduce((sum, { bytes }) => sum + bytes.length, 0) > runTargetBytes) {
      this.fold(undefined).catch((error: unknown) => {
        // Nothing is lost but memory; the next write tries again, and fails if that fails too.
        log.warn('What was stored could not be noted beside the repository.', { reason: String(error) });
      });
    }
    return sealed.length;
  }

  #nameObject(id: string, packs: Uint32Array): void {
    const { objects, packs: table } = this.#loaded;
    if (objects.has(id)) return;
    objects.set(id, packs);
    table.addNames(packs);
  }

  #forgetObjects(ids: readonly string[]): void {
    const loaded = this.#loaded;
    let lost = false;
    for (const id of ids) {
      const packs = loaded.objects.get(id);
      if (packs && loaded.packs.removeNames(packs)) lost = true;
      loaded.objects.delete(id);
      loaded.again.delete(id);
    }
    if (lost) this.distrustCount++;
  }

  /** For a chunk that cannot be found though something refers to it. */
  absentFault(id: Uint8Array): Fault {
    return absentFault(id, this.damaged, this.#options.store.description);
  }
}
