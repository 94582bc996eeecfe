import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { decodeIndex } from '../../src/repository/index/format.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { deriveKey, openObject } from '../../src/repository/seal/crypto.ts';
import { openKeyedHash } from '../../src/repository/seal/keyed-hash.ts';
import { type KeyRing, openKeyRing } from '../../src/repository/seal/keys.ts';
import { emptySlots, encodeLeaf, slotBytes } from '../../src/repository/volume/map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { startInlinePool } from './inline-pool.ts';
import { changeStore, listKeys, testProjectId, testProviderKey } from './repositories.ts';
import { type ProcessStore, Turns } from './turns.ts';

export type Step =
  | { readonly do: 'protect'; readonly subject: number; readonly slots: readonly number[] }
  /** Of a source that is as it was in some snapshot, and says so. */
  | { readonly do: 'protect again' | 'forget' | 'undelete'; readonly which: number }
  | { readonly do: 'collect' | 'restart' };

/** How many collections it takes until what nobody needs is gone: suspect, quarantine, verdict, deletion, and again for a second and third copy. */
const quietGenerations = 12;

/** Every other process would sooner look for each new pack by itself than have all of them listed, as in a bank of a million packs. */
const listIsDear = 0.001;

/** One 256 KiB slot of each kind; the last one of a volume is cut short. */
function contentOf(slots: readonly number[]): Buffer {
  const bytes = Buffer.concat(slots.map((slot) => Buffer.alloc(slotBytes, slot + 1)));
  return bytes.subarray(0, bytes.length - slotBytes + 1000);
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One bank, what the world was told of it, and whether that is true. */
export class GcWorld {
  readonly store = createMemoryStore();
  /** Promised, and not forgotten since. */
  readonly published = new Map<string, Buffer>();
  readonly forgotten = new Map<string, Buffer>();
  readonly turns: Turns;
  readonly #folder = mkdtempSync(join(tmpdir(), 'karri-gc-'));
  /** Opened once and never told anything again: a reader with an old index. */
  #oldReader: Repository | undefined;
  #folders = 0;
  #deletions = 0;
  #seenDeletions = 0;

  constructor() {
    // Only what takes something away can break a promise.
    const counted = changeStore(this.store, {
      delete: async (keys) => {
        if (keys.some((key) => /^(packs|indexes)\//.test(key))) this.#deletions++;
        await this.store.delete(keys);
      },
    });
    this.turns = new Turns(counted);
  }

  /** Every process keeps its cache in a folder of its own, as if it were on a machine of its own. */
  createFolder(): string {
    const folder = join(this.#folder, String(this.#folders++));
    mkdirSync(folder);
    return folder;
  }

  open(store: ObjectStore = this.store, scratchFolder = this.createFolder(), packsPerList = 1000): Promise<Repository> {
    return openRepository(
      { store, projectId: testProjectId, providerKey: testProviderKey, create: true, log: silentLog, threads: 1, scratchFolder },
      startInlinePool,
      packsPerList,
    );
  }

  async lookAfterDeletions(): Promise<void> {
    if (this.#deletions === this.#seenDeletions) return;
    this.#seenDeletions = this.#deletions;
    await this.look();
  }

  /** Reads everything that was promised. */
  async look(): Promise<void> {
    const reader = await this.open();
    this.#oldReader ??= await this.open();
    for (const one of [reader, this.#oldReader]) {
      for (const [id, bytes] of this.published) {
        assert((await one.readVolume(id, 0, bytes.length, {})).equals(bytes), `snapshot ${id} does not read as it was`);
      }
    }
    await reader.close();
  }

  /** Everybody has gone home: what nobody needs goes within some quiet generations, and nothing else does. */
  async settle(): Promise<void> {
    await this.look();
    const janitor = await this.open();
    for (let n = 0; n < quietGenerations; n++) await janitor.runGc(await janitor.planGc({}), {});
    await janitor.close();
    await this.look();
    const reader = await this.open();
    const live = await reader.listSnapshots();
    for (const id of this.published.keys()) assert(live.includes(id), `snapshot ${id} is not listed`);
    assert.deepEqual((await reader.check(100, {})).damages, []);
    const contents: Buffer[] = [];
    for (const id of live) {
      const { sizeBytes } = await reader.getVolume(id, {});
      contents.push(await reader.readVolume(id, 0, sizeBytes, {}));
    }
    await reader.close();
    await this.#expectExactly(contents);
    assert.deepEqual(await listKeys(this.store, 'forgotten/'), []);
    assert((await listKeys(this.store, 'gc/')).length <= 3, 'records of old collections stay');
  }

  /** The stored set is the reachable set: each chunk in one pack, each pack with a chunk that is needed, each index naming what is there. */
  async #expectExactly(contents: readonly Buffer[]): Promise<void> {
    const keys = await openKeyRing({
      store: this.store,
      projectId: testProjectId,
      providerKey: testProviderKey,
      create: false,
      log: silentLog,
    });
    const places = await namedPlaces(this.store, keys);
    const needed = new Set<string>();
    for (const id of await chunkIds(keys, contents)) needed.add([...(places.get(id) ?? [])].sort().at(-1) ?? `none for ${id}`);
    const packs = (await listKeys(this.store, 'packs/')).map((key) => key.slice(-32));
    assert.deepEqual(packs.sort(), [...needed].sort());
    assert.deepEqual([...new Set([...places.values()].flatMap((some) => [...some]))].sort(), packs);
  }

  async close(): Promise<void> {
    await this.#oldReader?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Ids of the chunks that volumes of these contents stand on. */
async function chunkIds(keys: KeyRing, contents: readonly Buffer[]): Promise<Set<string>> {
  const hash = await openKeyedHash(deriveKey(keys.writing, 'chunk id'));
  const ids = new Set<string>();
  for (const bytes of contents) {
    const slots = emptySlots();
    for (let at = 0; at < bytes.length; at += slotBytes) {
      const id = hash.digest(bytes.subarray(at, at + slotBytes));
      id.copy(slots, (at / slotBytes) * 32);
      ids.add(id.toString('hex'));
    }
    ids.add(hash.digest(encodeLeaf(slots) ?? Buffer.alloc(0)).toString('hex'));
  }
  return ids;
}

/** Chunk id → packs, as the index objects say. */
async function namedPlaces(store: ObjectStore, keys: KeyRing): Promise<Map<string, Set<string>>> {
  const places = new Map<string, Set<string>>();
  for (const key of await listKeys(store, 'indexes/')) {
    const opened = openObject(keys.all, testProjectId, 'index', key.slice('indexes/'.length), await store.get(key));
    const index = opened && decodeIndex(opened.plain);
    for (const record of index?.records() ?? []) {
      const id = Buffer.from(record.id).toString('hex');
      places.set(id, (places.get(id) ?? new Set()).add(index?.packs[record.pack]?.id ?? ''));
    }
  }
  return places;
}

/** A process that works on the world's bank and may die and be started again. */
export class GcProcess {
  readonly #world: GcWorld;
  readonly #number: number;
  readonly #folder: string;
  #view: ProcessStore;
  #repository: Repository | undefined;

  constructor(world: GcWorld, number: number) {
    this.#world = world;
    this.#number = number;
    this.#folder = world.createFolder();
    this.#view = world.turns.createView(number);
  }

  /** Dies at its n-th call from now on. */
  dieAfter(calls: number, takesEffect: boolean): void {
    this.#view.dieAfter(calls, takesEffect);
  }

  /** Runs the step; a death, and that it was too late to have something back, are outcomes like any other. */
  async run(step: Step): Promise<void> {
    try {
      await this.#do(step);
    } catch (error) {
      if (!this.#view.isDead() && !isAllowed(step, error)) throw error;
    }
    if (this.#view.isDead() || step.do === 'restart') await this.#restart();
  }

  async #restart(): Promise<void> {
    await this.close();
    this.#view = this.#world.turns.createView(this.#number);
  }

  async close(): Promise<void> {
    await this.#repository?.close();
    this.#repository = undefined;
  }

  async #do(step: Step): Promise<void> {
    this.#repository ??= await this.#world.open(this.#view, this.#folder, this.#number % 2 === 0 ? listIsDear : undefined);
    const repository = this.#repository;
    const { published, forgotten } = this.#world;
    if (step.do === 'protect') {
      const bytes = contentOf(step.slots);
      const subject = `s${step.subject}`;
      const { id } = await again(() => repository.writeVolume({ stream: once(bytes), sizeBytes: bytes.length }, { subject }));
      published.set(id, bytes);
    } else if (step.do === 'protect again') {
      const [since, bytes] = pick(published, step.which);
      if (since === undefined || bytes === undefined) return;
      const path = join(this.#folder, 'source');
      writeFileSync(path, bytes);
      const { id } = await again(() => repository.writeVolume({ path, changed: { since, extents: [] } }, { subject: 's0' }));
      published.set(id, bytes);
    } else if (step.do === 'forget') {
      const [id, bytes] = pick(published, step.which);
      if (id === undefined || bytes === undefined) return;
      published.delete(id); // promised no more, whatever becomes of it
      await repository.forget(id);
      forgotten.set(id, bytes);
    } else if (step.do === 'undelete') {
      const [id, bytes] = pick(forgotten, step.which);
      if (id === undefined || bytes === undefined) return;
      forgotten.delete(id);
      await repository.undelete(id);
      published.set(id, bytes);
    } else if (step.do === 'collect') {
      await repository.runGc(await repository.planGc({}), {});
    }
  }
}

function pick(snapshots: ReadonlyMap<string, Buffer>, which: number): [id?: string, bytes?: Buffer] {
  return [...snapshots][which % Math.max(1, snapshots.size)] ?? [];
}

/** A step that is told to be run again is. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || error.retry !== 'now' || tries === 5) throw error;
    }
  }
}

function isAllowed(step: Step, error: unknown): boolean {
  if (step.do === 'undelete') return isFault(error, 'repository.snapshot_gone') || isFault(error, 'repository.snapshot_absent');
  // The snapshot that the source was the same as has been forgotten.
  return step.do === 'protect again' && isFault(error, 'repository.snapshot_absent');
}
