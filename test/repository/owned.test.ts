import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KiB } from '../../src/base/bytes.ts';
import type { Purpose, Repository, SnapshotSummary } from '../../src/repository/contract.ts';
import { copySnapshot } from '../../src/repository/copy/copy.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createFolder, listKeys, openTestRepository, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('repository/owned');
const one = { threads: 1 };
const owner = { id: 'checkpoint-1', sinceMs: 1_900_000_000_000 };
const subject = 'Host::Block#disk';
const other = { projectId: '0ther000000000000000000000000bad', providerKey: Buffer.alloc(32, 7) };

type Write = (repository: Repository, purpose: Purpose) => Promise<SnapshotSummary>;

/** Each writes something else every time, unless what is there is taken. */
const kinds: [string, (folder: string) => Write][] = [
  [
    'a volume',
    (folder) => (repository, purpose) => {
      const path = join(folder, 'disk.img');
      writeFileSync(path, chance.bytes(600 * KiB));
      return repository.writeVolume({ path }, { subject, purpose });
    },
  ],
  [
    'a tree',
    (folder) => (repository, purpose) => {
      const path = join(folder, 'tree');
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'file'), chance.bytes(50 * KiB));
      return repository.writeTree({ path }, { subject, purpose });
    },
  ],
];

const snapshotsIn = (store: ObjectStore) => listKeys(store, 'snapshots/');

describe.each(kinds)('%s that is written for an owner', (_kind, make) => {
  test('is there once, however often the same part is written, also by another process', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    const write = make(folder.path);
    const first = await withRepository(store, (repository) => write(repository, { owner, part: 'step 1' }), one);
    const keys = await listKeys(store);
    await withRepository(store, async (repository) => {
      expect(await write(repository, { owner, part: 'step 1' })).toEqual(first);
      expect(await listKeys(store)).toEqual(keys);
      const second = await write(repository, { owner, part: 'step 2' });
      const stranger = await write(repository, { owner: { ...owner, id: 'checkpoint-2' }, part: 'step 1' });
      expect(new Set([first.digest, second.digest, stranger.digest]).size).toBe(3);
      const time = owner.sinceMs.toString(16).padStart(12, '0');
      for (const { id } of [first, second, stranger]) expect(id.split('-')[1]?.startsWith(time)).toBe(true);

      await repository.forgetOwned(subject, owner);
      expect(await repository.listSnapshots()).toEqual([stranger.id]);
      expect(new Set(await repository.listForgotten())).toEqual(new Set([first.id, second.id]));
      await repository.forgetOwned(subject, owner);
      expect((await write(repository, { owner, part: 'step 1' })).id).not.toBe(first.id);
    });
  });

  test('is written again when it is to be anew, or what is there is not whole', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    const write = make(folder.path);
    const purpose = { owner, part: 'step' };
    const first = await withRepository(store, (repository) => write(repository, purpose), one);
    const second = await withRepository(store, (repository) => write(repository, { ...purpose, anew: true }), one);
    expect(await withRepository(store, (repository) => repository.listSnapshots(), one)).toEqual([second.id]);
    expect(second.digest).not.toBe(first.digest);

    await store.delete(await listKeys(store, 'packs/'));
    const third = await withRepository(store, (repository) => write(repository, purpose), one);
    expect(await withRepository(store, (repository) => repository.listSnapshots(), one)).toEqual([third.id]);
    expect(third.storedBytes).toBeGreaterThan(0);

    const [key = ''] = await snapshotsIn(store);
    await store.delete([key]);
    await store.put(key, Buffer.from('damaged'));
    const fourth = await withRepository(store, (repository) => write(repository, purpose), one);
    await withRepository(store, async (repository) => {
      expect(await repository.listSnapshots()).toEqual([fourth.id]);
      expect((await repository.verifySnapshot(fourth.id, 100, {})).damages).toEqual([]);
    });
  });

  test('is copied once for each owner and part', async () => {
    using folder = createFolder();
    const [north, south] = [createMemoryStore(), createMemoryStore()];
    const from = await openTestRepository(north, one);
    const to = await openTestRepository(south, { ...other, ...one });
    const { id } = await make(folder.path)(from, { owner, part: 'step' });
    const copyOwner = { ...owner, id: 'copy' };
    const first = await copySnapshot(from, id, to, { purpose: { owner: copyOwner, part: 'step' } });
    const keys = await listKeys(south);
    expect(await copySnapshot(from, id, to, { purpose: { owner: copyOwner, part: 'step' } })).toEqual(first);
    expect(await listKeys(south)).toEqual(keys);
    await to.forgetOwned(subject, copyOwner);
    expect(await to.listSnapshots()).toEqual([]);
    expect(await from.listSnapshots()).toEqual([id]);
    await from.close();
    await to.close();
  });
});
