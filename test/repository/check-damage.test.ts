import { randomBytes } from 'node:crypto';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { CheckSummary, Damage, Repository } from '../../src/repository/contract.ts';
import { decodeIndex } from '../../src/repository/index/format.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { openObject, sealObject } from '../../src/repository/seal/crypto.ts';
import { openKeyRing } from '../../src/repository/seal/keys.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { startInlinePool } from '../kit/inline-pool.ts';
import { changeStore, copyStore, createFolder, listKeys, testProjectId, testProviderKey } from '../kit/repositories.ts';
import { createSeeded, seed } from '../kit/seeded.ts';

/**
 * Every kind of object × eight mutations: a check of all bytes names the object, and exactly the snapshots and ranges that cannot be read any more
 * without it. What is damaged in the bank counts, whatever this machine remembers of it.
 */
const chance = createSeeded('repository/check-damage');
const KiB = 1024;
const slot = 256 * KiB;
/** `KARRI_TEST_ROUNDS=200` for the full count. */
const rounds = Number(process.env.KARRI_TEST_ROUNDS ?? 10);

const folder = createFolder();
afterAll(() => folder[Symbol.dispose]());

interface World {
  readonly store: ObjectStore;
  readonly volumes: readonly string[];
  readonly trees: readonly string[];
  readonly forgotten: string;
}

let scratch = 0;
/** `maker`: the project that may make its repository here; whoever may not mends nothing when it opens one. */
async function withInline<T>(store: ObjectStore, work: (repository: Repository) => Promise<T>, maker?: string): Promise<T> {
  const projectId = maker ?? testProjectId;
  const scratchFolder = folder.file(`scratch-${scratch++}`);
  const options = {
    store,
    projectId,
    providerKey: testProviderKey,
    create: maker !== undefined,
    log: silentLog,
    threads: 1,
    scratchFolder,
  };
  const repository = await openRepository(options, startInlinePool);
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

/** Two volumes and two trees with several snapshots, one of them forgotten, garbage collected three times, and a mark on a pack that nobody needs. */
async function makeWorld(projectId: string, name: string): Promise<World> {
  const store = createMemoryStore();
  const volumes: string[] = [];
  const trees: string[] = [];
  let forgotten = '';
  const files = ['a', 'b'].map((volume) => folder.file(`${name}-${volume}`, chance.bytes(2 * slot + 100)));
  const tree = folder.file(`${name}-tree`);
  mkdirSync(join(tree, 'below'), { recursive: true });
  writeFileSync(join(tree, 'below/large'), chance.bytes(1200 * KiB));
  writeFileSync(join(tree, 'sparse'), chance.bytes(80 * KiB));
  truncateSync(join(tree, 'sparse'), 900 * KiB);
  const protect = (work: (repository: Repository) => Promise<{ readonly id: string }>): Promise<string> =>
    withInline(store, async (repository) => (await work(repository)).id, projectId);
  for (const [at, path] of files.entries())
    volumes.push(await protect((repository) => repository.writeVolume({ path }, { subject: `volume ${at}` })));
  trees.push(await protect((repository) => repository.writeTree({ path: tree }, { subject: 'tree' })));
  await withInline(
    store,
    async (repository) => {
      forgotten = (await repository.writeVolume({ path: files[0] ?? '' }, { subject: 'forgotten' })).id;
      const other = (await repository.writeVolume({ path: files[1] ?? '' }, { subject: 'forgotten' })).id;
      await repository.forget(forgotten);
      await repository.forget(other);
      for (let n = 0; n < 3; n++) await repository.runGc(await repository.planGc({ graceGenerations: 20 }), {});
    },
    projectId,
  );
  // Knows of the last collection: so that one cannot go unnoticed.
  writeFileSync(join(tree, 'new'), chance.bytes(300));
  trees.push(await protect((repository) => repository.writeTree({ path: tree }, { subject: 'tree' })));
  const writing = (await openKeyRing({ store, projectId, providerKey: testProviderKey, create: false, log: silentLog })).writing;
  for (const id of ['ab'.repeat(16), 'cd'.repeat(16)])
    await store.put(`bad/${id}`, sealObject(writing, projectId, 'bad', id, Buffer.from('{"format":1}')));
  return { store, volumes, trees, forgotten };
}

let world: World;
let foreign: World;
beforeAll(async () => {
  world = await makeWorld(testProjectId, 'own');
  foreign = await makeWorld('another', 'foreign');
});

type Mutate = (
  bytes: Buffer,
  other: { readonly sibling: Buffer; readonly older: Buffer; readonly foreign: Buffer },
) => Buffer | undefined;

const mutations: Readonly<Record<string, Mutate>> = {
  'a bit flipped': (bytes) => {
    const at = Math.floor(chance.fraction() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(chance.fraction() * 8));
    return bytes;
  },
  'cut short': (bytes) => bytes.subarray(0, Math.floor(chance.fraction() * bytes.length)),
  zeros: (bytes) => Buffer.alloc(bytes.length),
  empty: () => Buffer.alloc(0),
  deleted: () => undefined,
  'swapped with a sibling': (_bytes, { sibling }) => sibling,
  'rolled back to what was written before it': (_bytes, { older }) => older,
  'replayed from another project': (_bytes, { foreign: bytes }) => bytes,
};

/** Rounds in which everything is read as well, to compare: as many as can tell something new. */
const reads = { keys: 1, packs: rounds / 3, indexes: 2, snapshots: 1, forgotten: 1, gc: 1, bad: 1 } as const;
const kinds = Object.keys(reads) as (keyof typeof reads)[];

describe.each(kinds)('%s', (kind) => {
  test.each(Object.keys(mutations))('%s', async (name) => {
    const keys = await listKeys(world.store, `${kind}/`);
    for (let round = 0; round < rounds; round++) {
      const key = keys[round % keys.length] ?? '';
      const store = await copyStore(world.store);
      const others = keys.filter((other) => other !== key);
      const sibling = await store.get(others[Math.floor(chance.fraction() * others.length)] ?? key);
      const foreignKeys = await listKeys(foreign.store, `${kind}/`);
      const replayed = await foreign.store.get(foreignKeys[round % foreignKeys.length] ?? '');
      const older = await store.get(keys[(keys.indexOf(key) + keys.length - 1) % keys.length] ?? key);
      const bytes = mutations[name]?.(Buffer.from(await store.get(key)), { sibling, older, foreign: replayed });
      await store.delete([key]);
      if (bytes) await store.put(key, bytes);
      const hint = `${key}, seed ${seed}`;
      await withInline(store, async (repository) => {
        // What was damaged is what a check of the structure and all bytes says, and nothing else is.
        const found = await repository.check(100, {});
        await expectNamed(repository, found, key, { isGone: bytes === undefined, isRead: round < reads[kind], hint });
      });
    }
  });
});

async function expectNamed(
  repository: Repository,
  { damages, replaced }: CheckSummary,
  key: string,
  { isGone, isRead, hint }: { readonly isGone: boolean; readonly isRead: boolean; readonly hint: string },
): Promise<void> {
  const kind = key.split('/')[0] ?? '';
  const ids = [...world.volumes, ...world.trees];
  const [damage, ...more] = damages;
  if (kind === 'bad' && isGone) {
    expect(damages, hint).toEqual([]); // of a pack that is not there: there is nothing to warn of
    return;
  }
  if (kind === 'packs' && replaced.length > 0) {
    expect([replaced, damages], hint).toEqual([[key], []]);
    for (const id of ids) await expectReads(repository, id, undefined, hint);
    return;
  }
  if (kind === 'snapshots' && isGone)
    await expect(repository.verifySnapshot(idOf(key), 100, {}), hint).rejects.toMatchObject({
      code: 'repository.snapshot_absent',
    });
  if (kind === 'snapshots' && isGone && idOf(key) === world.trees[1]) {
    expect(damages, hint).toEqual([]); // no garbage collection has seen it: only who knows its name misses it
    return;
  }
  expect(more, hint).toEqual([]);
  expect(damage?.object, hint).toMatch(isGone && kind !== 'packs' ? patternOf(key) : new RegExp(`^${key}$`));
  if (damage === undefined) return;
  if (kind === 'keys' || kind === 'gc' || kind === 'bad') expect(damage.hits, hint).toEqual([]);
  if (kind === 'forgotten' && !isGone) expect(damage.hits, hint).toMatchObject([{ snapshot: idOf(key), isLost: true }]);
  if (kind === 'snapshots' && !isGone) expect(damage.hits, hint).toMatchObject([{ snapshot: idOf(key), isLost: true }]);
  if (kind === 'packs' || kind === 'indexes') {
    expect(damage.hits.map(({ snapshot }) => snapshot).sort(), hint).toEqual(await needing(key, ids));
  }
  for (const id of isRead ? ids : [])
    if (kind !== 'snapshots' || idOf(key) !== id) await expectReads(repository, id, damage, hint);
}

/** Of what is gone a check knows no more than that. */
function patternOf(key: string): RegExp {
  const [kind, first = '', last = ''] = key.split('/');
  if (kind === 'forgotten') return new RegExp(`^${key}$`);
  if (kind === 'indexes') return /^indexes\/\*$/;
  if (kind === 'keys') return new RegExp(`^keys/${first}/\\*$`);
  if (kind === 'gc') return new RegExp(`^gc/${first.slice(0, 8)}-\\*$`);
  return new RegExp(`\\*${last.slice(-16)}$`);
}

function idOf(key: string): string {
  const [, subject, id] = key.split('/');
  return `${subject}-${id}`;
}

/** Snapshots that need the pack or the index object, by a walk of the test's own: every chunk that a restore asks for. */
async function needing(key: string, ids: readonly string[]): Promise<string[]> {
  const known = needs.get(key) ?? (await findNeeding(key, ids));
  needs.set(key, known);
  return known;
}

const needs = new Map<string, string[]>();

async function findNeeding(key: string, ids: readonly string[]): Promise<string[]> {
  const ring = await openKeyRing({
    store: world.store,
    projectId: testProjectId,
    providerKey: testProviderKey,
    create: false,
    log: silentLog,
  });
  const packs = new Set<string>();
  if (key.startsWith('packs/')) packs.add(key);
  else {
    const opened = openObject(ring.all, testProjectId, 'index', key.slice('indexes/'.length), await world.store.get(key));
    for (const { id } of (opened && decodeIndex(opened.plain)?.packs) ?? []) packs.add(`packs/${id.slice(0, 2)}/${id}`);
  }
  const needed: string[] = [];
  for (const id of ids) {
    const store = await copyStore(world.store);
    const asked = new Set<string>();
    const watched = changeStore(store, {
      get(key, options) {
        asked.add(key);
        return store.get(key, options);
      },
    });
    await withInline(watched, async (repository) => {
      asked.clear();
      await readAll(repository, id);
    });
    if ([...packs].some((pack) => asked.has(pack))) needed.push(id);
  }
  return needed.sort();
}

/** What cannot be read is what the damage lists, to the byte; everything else reads as it was. */
async function expectReads(repository: Repository, id: string, damage: Damage | undefined, hint: string): Promise<void> {
  const hit = damage?.hits.find(({ snapshot }) => snapshot === id);
  const told = (hit?.ranges ?? []).flatMap(({ path, untilPath, offset, length }) =>
    untilPath === undefined ? [`${path} ${offset}+${length}`] : [`behind ${path}`],
  );
  expect(hit?.moreRanges ?? 0).toBe(0);
  const pieces = world.trees.includes(id) ? await treePieces(repository, id) : await volumePieces(repository, id);
  expect(told, hint).toEqual(pieces);
}

async function volumePieces(repository: Repository, id: string): Promise<string[]> {
  const size = 2 * slot + 100;
  const slots = Array.from({ length: 3 }, (_, n) => ({ offset: n * slot, length: Math.min(slot, size - n * slot) }));
  const lost: { offset: number; length: number }[] = [];
  for (const { offset, length } of slots) {
    if (!(await isLost(async () => repository.readVolume(id, offset, length, {})))) continue;
    const last = lost.at(-1);
    if (last && last.offset + last.length === offset) last.length += length;
    else lost.push({ offset, length });
  }
  return lost.map(({ offset, length }) => ` ${offset}+${length}`);
}

async function treePieces(repository: Repository, id: string): Promise<string[]> {
  if (await isLost(() => repository.listTree(id, { folder: Buffer.alloc(0), limit: 10 }, {}))) return ['behind '];
  const lost: string[] = [];
  for (const path of id === world.trees[0] ? ['below/large', 'sparse'] : ['below/large', 'new', 'sparse']) {
    const file = await repository.getFile(id, Buffer.from(path), {});
    const step = 4 * KiB;
    let last: { offset: number; end: number } | undefined;
    const end = (): void => void (last && lost.push(`${path} ${last.offset}+${last.end - last.offset}`));
    // A whole file is read first: most are well.
    const all = { offset: 0, length: file.sizeBytes };
    if (!(await isLost(() => drain(file.read(all, {}))))) continue;
    for (let offset = 0; offset < file.sizeBytes; offset += step) {
      const length = Math.min(step, file.sizeBytes - offset);
      // Chunks are cut at any byte: a step that touches a lost one is narrowed down to the byte.
      if (!(await isLost(() => drain(file.read({ offset, length }, {}))))) continue;
      const from = await firstLost(file, offset, length);
      if (last && from <= last.end) last.end = await lastLost(file, offset, length);
      else {
        end();
        last = { offset: from, end: await lastLost(file, offset, length) };
      }
    }
    end();
  }
  return lost;
}

type File = Awaited<ReturnType<Repository['getFile']>>;

async function firstLost(file: File, offset: number, length: number): Promise<number> {
  if (await isLost(() => drain(file.read({ offset, length: 1 }, {})))) return offset;
  let [whole, lost] = [offset, offset + length - 1];
  while (lost - whole > 1) {
    const middle = (whole + lost) >> 1;
    if (await isLost(() => drain(file.read({ offset, length: middle - offset + 1 }, {})))) lost = middle;
    else whole = middle;
  }
  return lost;
}

async function lastLost(file: File, offset: number, length: number): Promise<number> {
  const stop = offset + length;
  if (await isLost(() => drain(file.read({ offset: stop - 1, length: 1 }, {})))) return stop;
  let [lost, whole] = [offset, stop];
  while (whole - lost > 1) {
    const middle = (whole + lost) >> 1;
    if (await isLost(() => drain(file.read({ offset: middle, length: stop - middle }, {})))) lost = middle;
    else whole = middle;
  }
  return whole;
}

async function drain(pieces: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of pieces) expect(piece.length).toBeGreaterThan(0);
}

async function isLost(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return false;
  } catch (error) {
    if (isFault(error) && error.kind === 'corrupt') return true;
    throw error;
  }
}

async function readAll(repository: Repository, id: string): Promise<void> {
  const target = folder.file(`restored-${randomBytes(8).toString('hex')}`);
  if (world.trees.includes(id)) await repository.restoreTree(id, { path: target }, {});
  else await repository.restoreVolume(id, { path: target, overwrite: false }, {});
}
