import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { copySnapshot } from '../../src/repository/copy/copy.ts';
import { healFrom } from '../../src/repository/copy/heal.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { startInlinePool } from '../kit/inline-pool.ts';
import { createFolder, listKeys, testProjectId, testProviderKey } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';
import { describeTree } from '../kit/tree-compare.ts';

const chance = createSeeded('repository/heal');
const slot = 256 * 1024;
const folder = createFolder();
afterAll(() => folder[Symbol.dispose]());

// Of a file that has just been written it is unknown whether it changes again, and the node says so: then the next protect makes another node of it.
beforeAll(() => void vi.useFakeTimers({ toFake: ['Date'], now: systemClock.now() + 60_000 }));
afterAll(() => void vi.useRealTimers());

let count = 0;
/** Every time on another machine: nothing is remembered. */
async function withInline<T>(store: ObjectStore, work: (repository: Repository) => Promise<T>): Promise<T> {
  const options = { store, projectId: testProjectId, providerKey: testProviderKey, log: silentLog };
  const scratchFolder = folder.file(`scratch-${count++}`);
  const repository = await openRepository({ ...options, create: true, threads: 1, scratchFolder }, startInlinePool);
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

const writeVolume = (store: ObjectStore, path: string): Promise<string> =>
  withInline(store, async (repository) => (await repository.writeVolume({ path }, { subject: 'volume' })).id);
const writeTree = (store: ObjectStore, path: string): Promise<string> =>
  withInline(store, async (repository) => (await repository.writeTree({ path }, { subject: 'tree' })).id);

async function change(store: ObjectStore, key: string, work: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const bytes = work(Buffer.from(await store.get(key)));
  await store.delete([key]);
  if (bytes) await store.put(key, bytes);
}

const flip =
  (at: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
const lose = (): undefined => undefined;

const damage = (store: ObjectStore, percent = 100): Promise<string[]> =>
  withInline(store, async (repository) => (await repository.check(percent, {})).damages.map(({ object }) => object));

async function expectVolume(store: ObjectStore, id: string, bytes: Buffer): Promise<void> {
  await withInline(store, async (repository) => {
    const path = folder.file(`restored-${count++}`);
    await repository.restoreVolume(id, { path, overwrite: false }, {});
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
}

async function expectTree(store: ObjectStore, id: string, source: string): Promise<void> {
  await withInline(store, async (repository) => {
    const path = folder.file(`restored-${count++}`);
    await repository.restoreTree(id, { path }, {});
    expect(describeTree(path)).toEqual(describeTree(source));
  });
}

function makeVolume(): { readonly path: string; readonly bytes: Buffer } {
  const bytes = chance.bytes(3 * slot + 77);
  return { path: folder.file(`volume-${count++}`, bytes), bytes };
}

function makeTree(): string {
  const path = folder.file(`tree-${count++}`);
  mkdirSync(join(path, 'below'), { recursive: true });
  writeFileSync(join(path, 'below/large'), chance.bytes(1500 * 1024));
  for (let n = 0; n < 40; n++) writeFileSync(join(path, `small-${n}`), chance.bytes(1000 + n));
  return path;
}

describe('the next protect', () => {
  test.each([
    ['a flipped bit in a chunk', flip(1000)],
    ['a flipped bit in the directory', (bytes: Buffer) => flip(bytes.length - 60)(bytes)],
    ['half a pack', (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
    ['a lost pack', lose],
  ])('stores again what %s took, and the snapshot before is whole again', async (_name, mutate) => {
    const store = createMemoryStore();
    const { path, bytes } = makeVolume();
    const tree = makeTree();
    const volumeId = await writeVolume(store, path);
    const treeId = await writeTree(store, tree);
    const packs = await listKeys(store, 'packs/');
    for (const key of packs) await change(store, key, mutate);
    expect(await damage(store)).toEqual(packs);
    expect(await listKeys(store, 'bad/')).toEqual(packs.map((key) => `bad/${key.slice(-32)}`).sort());
    expect(await damage(store, 0)).toEqual(packs); // known without reading everything again
    await writeVolume(store, path);
    await writeTree(store, tree);
    expect(await damage(store)).toEqual([]);
    await expectVolume(store, volumeId, bytes);
    await expectTree(store, treeId, tree);
    await withInline(store, async (repository) => {
      for (let n = 0; n < 6; n++) await repository.runGc(await repository.planGc({ graceGenerations: 1 }), {});
      expect(await repository.check(100, {})).toMatchObject({ damages: [], replaced: [] });
    });
    expect(await listKeys(store, 'bad/')).toEqual([]);
    await expectVolume(store, volumeId, bytes);
  });

  test('never takes a chunk for stored that lies in a pack which was reported, although the index names it', async () => {
    const store = createMemoryStore();
    const { path, bytes } = makeVolume();
    await writeVolume(store, path);
    const [pack = ''] = await listKeys(store, 'packs/');
    await withInline(store, async (writer) => {
      await change(store, pack, flip(1000));
      await damage(store); // by another process, while this one is open
      const again = await writer.writeVolume({ path }, { subject: 'volume', readEverything: true });
      expect(again.reusedBytes).toBe(0);
      expect(again.storedBytes).toBeGreaterThan(bytes.length);
    });
  });

  test('a mark on a pack that is put back whole goes with the next check', async () => {
    const store = createMemoryStore();
    const { path } = makeVolume();
    await writeVolume(store, path);
    const [pack = ''] = await listKeys(store, 'packs/');
    const whole = await store.get(pack);
    await change(store, pack, flip(5000));
    expect(await damage(store)).toEqual([pack]);
    await change(store, pack, () => whole);
    expect(await damage(store, 0)).toEqual([]);
    expect(await listKeys(store, 'bad/')).toEqual([]);
    expect(
      (await withInline(store, (repository) => repository.writeVolume({ path }, { subject: 'volume', readEverything: true })))
        .reusedBytes,
    ).toBeGreaterThan(0);
  });
});

describe('repair', () => {
  test.each([
    ['lost', lose],
    ['damaged', flip(70)],
  ])('makes %s index objects again from the packs, and nothing is sent again', async (_name, mutate) => {
    const store = createMemoryStore();
    const { path, bytes } = makeVolume();
    const tree = makeTree();
    const volumeId = await writeVolume(store, path);
    const treeId = await writeTree(store, tree);
    const packs = await listKeys(store, 'packs/');
    for (const key of await listKeys(store, 'indexes/')) await change(store, key, mutate);
    expect(await damage(store, 0)).not.toEqual([]);
    const repaired = await withInline(store, (repository) => repository.repair({}));
    expect(repaired).toMatchObject({ indexedPacks: packs.length, leftPacks: [], keySlots: 0 });
    expect(await damage(store)).toEqual([]);
    expect(await listKeys(store, 'packs/')).toEqual(packs);
    await expectVolume(store, volumeId, bytes);
    await expectTree(store, treeId, tree);
    expect(await withInline(store, (repository) => repository.repair({}))).toMatchObject({ indexedPacks: 0, rescuedBytes: 0 });
  });

  test('a damaged index object stays while a pack cannot be named without it', async () => {
    const store = createMemoryStore();
    await writeVolume(store, makeVolume().path);
    const [pack = ''] = await listKeys(store, 'packs/');
    const [index = ''] = await listKeys(store, 'indexes/');
    await change(store, pack, (bytes) => flip(bytes.length - 60)(bytes));
    await change(store, index, flip(70));
    const repaired = await withInline(store, (repository) => repository.repair({}));
    expect(repaired).toMatchObject({ indexedPacks: 0, leftPacks: [pack], removedIndexes: [] });
    expect(await listKeys(store, 'indexes/')).toEqual([index]);
  });

  test('key slots are written again, and damaged ones go', async () => {
    const store = createMemoryStore();
    await writeVolume(store, makeVolume().path);
    const [first = '', second = ''] = await listKeys(store, 'keys/');
    await change(store, first, flip(40));
    expect(await damage(store, 0)).toEqual([first]);
    expect(await withInline(store, (repository) => repository.repair({}))).toMatchObject({ keySlots: 1 });
    expect(await damage(store, 0)).toEqual([]);
    const slots = await listKeys(store, 'keys/');
    expect(slots).toHaveLength(2);
    expect([slots.includes(first), slots.includes(second)]).toEqual([false, true]);
  });

  test('what can still be read of a damaged pack is stored anew, so that no more than the damage is lost', async () => {
    const store = createMemoryStore();
    const path = folder.file(`volume-${count++}`, chance.bytes(10 * slot));
    const id = await writeVolume(store, path);
    const [pack = ''] = await listKeys(store, 'packs/');
    await change(store, pack, flip(1000)); // the first block: neighbours are sealed together, up to a mebibyte
    expect(await damage(store)).toEqual([pack]);
    const { rescuedBytes } = await withInline(store, (repository) => repository.repair({}));
    expect(rescuedBytes).toBeGreaterThan(2 * slot);
    await change(store, pack, lose);
    await withInline(store, async (repository) => {
      const { damages } = await repository.check(100, {});
      expect(damages).toMatchObject([
        { object: pack, hits: [{ snapshot: id, isLost: false, ranges: [{ path: '', offset: 0, length: 4 * slot }] }] },
      ]);
      const salvaged = await repository.restoreVolume(
        id,
        { path: folder.file(`salvaged-${count++}`), overwrite: false },
        { salvage: true },
      );
      expect(salvaged.damaged.map(({ offset, length }) => [offset, length])).toEqual([0, 1, 2, 3].map((n) => [n * slot, slot]));
    });
  });
});

describe('a copy in another bank', () => {
  /** The copy and its original, and which of them is damaged. */
  test.each([
    ['the original', 'volume', flip(1000)],
    ['the original', 'volume', lose],
    ['the copy', 'volume', lose],
    ['the original', 'tree', flip(1000)],
    ['the original', 'tree', lose],
    ['the copy', 'tree', lose],
  ] as const)('heals %s of a %s, without its source', async (which, kind, mutate) => {
    const [from, to] = [createMemoryStore(), createMemoryStore()];
    const { path, bytes } = makeVolume();
    const tree = makeTree();
    const original = await (kind === 'volume' ? writeVolume(from, path) : writeTree(from, tree));
    const copy = await withInline(from, (source) =>
      withInline(to, async (target) => (await copySnapshot(source, original, target, {})).id),
    );
    const [hurt, sound, id] = which === 'the copy' ? [to, from, copy] : [from, to, original];
    for (const key of await listKeys(hurt, 'packs/')) await change(hurt, key, mutate);
    expect(await damage(hurt)).not.toEqual([]);
    const summary = await withInline(hurt, (damaged) => withInline(sound, (other) => healFrom(damaged, other, {})));
    expect(summary).toMatchObject({ healed: [id], unhealed: [] });
    expect(summary.storedBytes).toBeGreaterThan(0);
    expect(await damage(hurt)).toEqual([]);
    if (kind === 'volume') await expectVolume(hurt, id, bytes);
    else await expectTree(hurt, id, tree);
  });

  test('says which snapshots it does not have, and which are damaged there too', async () => {
    const [from, to] = [createMemoryStore(), createMemoryStore()];
    const { path } = makeVolume();
    const copied = await writeVolume(from, path);
    await withInline(from, (source) => withInline(to, (target) => copySnapshot(source, copied, target, {})));
    const tree = await writeTree(from, makeTree());
    for (const store of [from, to]) for (const key of await listKeys(store, 'packs/')) await change(store, key, lose);
    const { healed, unhealed } = await withInline(from, (damaged) => withInline(to, (other) => healFrom(damaged, other, {})));
    expect(healed).toEqual([]);
    expect(unhealed).toHaveLength(2);
    expect(unhealed).toEqual(
      expect.arrayContaining([
        { snapshot: tree, reason: 'the other repository has no copy of it' },
        { snapshot: copied, reason: expect.stringMatching(/^Pack packs\/.* is not there\.$/) },
      ]),
    );
  });
});
