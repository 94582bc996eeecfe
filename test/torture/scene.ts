import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { KiB } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository, RepositoryOptions } from '../../src/repository/contract.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { startInlinePool } from '../kit/inline-pool.ts';
import { copyStore, listKeys, testProjectId, testProviderKey } from '../kit/repositories.ts';
import { createSeeded, type Seeded } from '../kit/seeded.ts';
import { describeTree, differences } from '../kit/tree-compare.ts';

/** What a snapshot has to give when it is restored: the bytes of a volume, or what the file system told of a tree. */
export type Promised = { readonly bytes: Buffer } | { readonly lines: readonly string[] };

// As `karri` itself does: V8 would collect all garbage for every few repositories that are opened.
setFlagsFromString('--external-memory-accounted-in-global-limit');

/** In memory where the machine has such a folder: what is tried here is the order of requests, and disks would take most of the time. */
export const memoryFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** How many collections it takes until what nobody needs is gone: suspect, quarantine, verdict, deletion, and again for further copies. */
const quietGenerations = 12;

/** What a rotation puts in the place of the provider key. */
export const nextProviderKey = Buffer.alloc(32, 5);

export type Subject = 'volume' | 'tree' | 'other';

type Parts = Pick<Scene, 'promised' | 'once' | 'owners' | 'store' | 'older' | 'forgotten' | 'doomed' | 'folder' | 'sources'>;

/**
 * A bank with snapshots in every state that there is, and what was promised of them; the sources of the next snapshots lie beside it. Everything
 * follows from the seed.
 */
export class Scene {
  /** Snapshot → what it has to give. */
  readonly promised: Map<string, Promised>;
  /** The same of every snapshot there ever was. */
  readonly once: ReadonlyMap<string, Promised>;
  /** Key of an object → the subject whose protect has written it; collections write for all. */
  readonly owners: ReadonlyMap<string, Subject>;
  readonly store: ObjectStore;
  /** How the bank was some time ago. */
  readonly older: ObjectStore;
  /** Forgotten, and not collected so far. */
  readonly forgotten: string;
  /** Promised, and forgotten when something is. */
  readonly doomed: string;
  readonly folder: string;
  readonly sources: Sources;
  /** What was found to be sound; of all clones. */
  readonly #seen: Set<string>;

  private constructor(parts: Parts, seen: Set<string>) {
    this.promised = parts.promised;
    this.once = parts.once;
    this.owners = parts.owners;
    this.store = parts.store;
    this.older = parts.older;
    this.forgotten = parts.forgotten;
    this.doomed = parts.doomed;
    this.folder = parts.folder;
    this.sources = parts.sources;
    this.#seen = seen;
  }

  /** @param generations how many collections have run since the first snapshot was forgotten */
  static async make(seed: number, generations: number, options: Partial<RepositoryOptions> = {}): Promise<Scene> {
    const chance = createSeeded('scene', seed);
    const folder = mkdtempSync(join(memoryFolder, 'karri-torture-'));
    const sources = new Sources(chance, folder);
    const store = createMemoryStore();
    const promised = new Map<string, Promised>();
    const owners = new Map<string, Subject>();
    const repository = await openInline(store, mkdtempSync(join(folder, 'maker-')), options);
    const protect = async (subject: Subject): Promise<string> => {
      const before = new Set(await listKeys(store));
      const [id, promise] = await sources.protect(repository, subject);
      promised.set(id, promise);
      for (const key of await listKeys(store)) if (!before.has(key)) owners.set(key, subject);
      return id;
    };
    const collected = await protect('other');
    const doomed = await protect('volume');
    await protect('tree');
    await repository.forget(collected);
    const older = await copyStore(store);
    for (let n = 0; n < generations; n++) await repository.runGc(await repository.planGc({}), {});
    sources.change();
    await protect('volume');
    await protect('tree');
    const forgotten = await protect('other');
    await repository.forget(forgotten);
    await repository.close();
    sources.change();
    const once = new Map(promised);
    for (const id of [collected, forgotten]) promised.delete(id);
    return new Scene({ promised, once, owners, store, older, forgotten, doomed, folder, sources }, new Set());
  }

  /** The same scene with a bank of its own. */
  async clone(): Promise<Scene> {
    return new Scene({ ...this, store: await copyStore(this.store), promised: new Map(this.promised) }, this.#seen);
  }

  /** The same scene with its bank in another store, which is empty. */
  async moveTo(store: ObjectStore): Promise<Scene> {
    for (const key of await listKeys(this.store)) await store.put(key, await this.store.get(key));
    return new Scene({ ...this, store, promised: new Map(this.promised) }, new Set());
  }

  /** A folder that no process has used so far, as on another machine. */
  createFolder(): string {
    return mkdtempSync(join(this.folder, 'process-'));
  }

  /** With the provider key, or with the next one when that has taken its place. */
  open(store = this.store, scratchFolder = this.createFolder(), options: Partial<RepositoryOptions> = {}): Promise<Repository> {
    return openInline(store, scratchFolder, options).catch((error: unknown) => {
      if (!isFault(error, 'repository.wrong_key')) throw error;
      return openInline(store, scratchFolder, { ...options, providerKey: nextProviderKey });
    });
  }

  /**
   * Restores everything that was promised, as a process that knows nothing would, and has everything checked. Objects never change, so a bank with the same
   * objects need not be looked at twice.
   * @param isRotating some key slots are those of the other key still, and named
   */
  async look({ isRotating = false } = {}): Promise<void> {
    const state = `${await this.#describe()} ${[...this.promised.keys()].join()}`;
    if (this.#seen.has(state)) return;
    const scratch = this.createFolder();
    const repository = await this.open(this.store, scratch);
    try {
      const listed = new Set(await repository.listSnapshots());
      for (const [id, promise] of this.promised) {
        assert(listed.has(id), `snapshot ${id} is not listed`);
        await restoreAndCompare(repository, id, promise, join(scratch, id));
      }
      const { damages } = await repository.check(100, {});
      assert.deepEqual(isRotating ? damages.filter(({ kind }) => kind !== 'key') : damages, []);
    } finally {
      await repository.close();
      rmSync(scratch, { recursive: true });
    }
    this.#seen.add(state);
  }

  /** Forgets everything and collects until all is quiet: what is left then is left for good. */
  async expectNoOrphans(): Promise<void> {
    const state = `${await this.#describe()} collected`;
    if (this.#seen.has(state)) return;
    const repository = await this.open();
    for (const id of await repository.listSnapshots()) await repository.forget(id);
    for (let n = 0; n < quietGenerations; n++) await repository.runGc(await repository.planGc({}), {});
    await repository.close();
    const left = (await listKeys(this.store)).filter((key) => !/^(keys|gc)\//.test(key));
    assert.deepEqual(left, [], 'garbage stays');
    this.#seen.add(state);
  }

  async #describe(): Promise<string> {
    return (await listKeys(this.store)).join();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** @throws when what is restored differs from what was promised; faults of the restore pass through */
export async function restoreAndCompare(repository: Repository, id: string, promise: Promised, path: string): Promise<void> {
  rmSync(path, { recursive: true, force: true });
  if ('bytes' in promise) {
    await repository.restoreVolume(id, { path, overwrite: false }, {});
    assert(readFileSync(path).equals(promise.bytes), `volume ${id} has wrong bytes`);
  } else {
    await repository.restoreTree(id, { path }, {});
    assert.deepEqual(differences(promise.lines, describeTree(path)), [], `tree ${id} differs`);
  }
  rmSync(path, { recursive: true });
}

/** A volume and a tree that are protected again and again, and change in between. */
export class Sources {
  readonly volume: string;
  readonly tree: string;
  /** A volume that shares one slot with the other. */
  readonly other: string;
  readonly #chance: Seeded;
  #bytes: Buffer;
  #changes = 0;

  constructor(chance: Seeded, folder: string) {
    this.#chance = chance;
    this.volume = join(folder, 'volume');
    this.tree = join(folder, 'tree');
    this.other = join(folder, 'other');
    this.#bytes = Buffer.concat([chance.bytes(256 * KiB), Buffer.alloc(300 * KiB), chance.bytes(10_000 + upTo(chance, 400_000))]);
    writeFileSync(this.volume, this.#bytes);
    writeFileSync(this.other, Buffer.concat([this.#bytes.subarray(0, 256 * KiB), chance.bytes(50_000)]));
    mkdirSync(join(this.tree, 'folder/empty'), { recursive: true });
    for (let n = 0; n < 6; n++) writeFileSync(join(this.tree, 'folder', `small-${n}`), chance.bytes(upTo(chance, 3000)));
    writeFileSync(join(this.tree, 'large'), chance.bytes(70_000 + upTo(chance, 200_000)));
    symlinkSync('folder/small-1', join(this.tree, 'link'));
    linkSync(join(this.tree, 'large'), join(this.tree, 'same'));
  }

  change(): void {
    this.#changes++;
    const { bytes } = this.#chance;
    const grown = upTo(this.#chance, 2) === 0 ? bytes(upTo(this.#chance, 300_000)) : Buffer.alloc(0);
    this.#bytes = Buffer.concat([this.#bytes, grown]);
    bytes(1000).copy(this.#bytes, upTo(this.#chance, this.#bytes.length - 1000));
    writeFileSync(this.volume, this.#bytes);
    writeFileSync(join(this.tree, 'folder', `small-${this.#changes}`), bytes(2000));
    writeFileSync(join(this.tree, `new-${this.#changes}`), bytes(upTo(this.#chance, 80_000)));
  }

  async protect(repository: Repository, subject: Subject): Promise<[string, Promised]> {
    if (subject === 'tree') {
      const { id } = await repository.writeTree({ path: this.tree }, { subject });
      return [id, { lines: describeTree(this.tree) }];
    }
    const path = this[subject];
    const { id } = await repository.writeVolume({ path }, { subject });
    return [id, { bytes: readFileSync(path) }];
  }

  /** What a snapshot of `other` has to give. */
  get otherPromise(): Promised {
    return { bytes: readFileSync(this.other) };
  }
}

export function upTo(chance: Seeded, count: number): number {
  return Math.floor(chance.fraction() * count);
}

/** A repository whose tasks run on the spot. */
export function openInline(
  store: ObjectStore,
  scratchFolder: string,
  options: Partial<RepositoryOptions> = {},
): Promise<Repository> {
  const always = { store, projectId: testProjectId, providerKey: testProviderKey, create: true, log: silentLog, threads: 1 };
  return openRepository({ ...always, scratchFolder, ...options }, startInlinePool);
}
