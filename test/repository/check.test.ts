import { beforeAll, describe, expect, test } from 'vitest';
import { MiB } from '../../src/base/bytes.ts';
import { damageLine } from '../../src/repository/check/damages.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { copyStore, createFolder, listKeys, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('repository/check');
let sound: ObjectStore;
/** Two subjects that share nothing: what is damaged for one leaves the other whole. */
let ids: string[];
let packs: string[][];

beforeAll(async () => {
  sound = createMemoryStore();
  using folder = createFolder();
  ids = [];
  packs = [];
  for (const subject of ['a', 'b']) {
    const before = await listKeys(sound, 'packs/');
    const path = folder.file(subject, chance.bytes(MiB));
    ids.push((await withRepository(sound, (repository) => repository.writeVolume({ path }, { subject }), { threads: 1 })).id);
    packs.push((await listKeys(sound, 'packs/')).filter((key) => !before.includes(key)));
  }
});

async function broken(change: (store: ObjectStore, pack: string) => Promise<void>): Promise<ObjectStore> {
  const store = await copyStore(sound);
  await change(store, packs[0]?.[0] ?? '');
  return store;
}

const flipLast = async (store: ObjectStore, key: string): Promise<void> => {
  const bytes = Buffer.from(await store.get(key));
  bytes[bytes.length - 200] = (bytes[bytes.length - 200] ?? 0) ^ 1;
  await store.delete([key]);
  await store.put(key, bytes);
};

describe('a sound repository', () => {
  test('has no damage; all bytes are read when they are asked for', async () => {
    await withRepository(sound, async (repository) => {
      const structure = await repository.check(0, {});
      expect(structure).toMatchObject({ damages: [], readBytes: 0, objects: 2 + 2 + 2 + 2 });
      const all = await repository.check(100, {});
      expect(all.readBytes).toBeGreaterThan(2 * MiB);
      const one = await repository.verifySnapshot(ids[0] ?? '', 100, {});
      expect(one).toMatchObject({ damages: [], blobs: 4 + 1 });
      expect(one.readBytes).toBeGreaterThan(MiB);
      const none = await repository.verifySnapshot(ids[0] ?? '', 0, {});
      expect(none).toMatchObject({ damages: [], readBytes: 0 });
    });
  });

  test('refuses what is no percentage', async () => {
    await withRepository(sound, async (repository) => {
      await expect(repository.check(101, {})).rejects.toMatchObject({ code: 'repository.bad_percent' });
      await expect(repository.verifySnapshot(ids[0] ?? '', Number.NaN, {})).rejects.toMatchObject({
        code: 'repository.bad_percent',
      });
    });
  });
});

describe('damage is named with the object and who needs it, and leaves the others alone', () => {
  test.each<[string, number, RegExp, (store: ObjectStore, pack: string) => Promise<void>]>([
    ['a lost pack', 0, /is not there/, (store, pack) => store.delete([pack])],
    [
      'a cut pack',
      0,
      /has \d+ bytes, not \d+/,
      async (store, pack) => {
        const bytes = await store.get(pack);
        await store.delete([pack]);
        await store.put(pack, bytes.subarray(0, 1000));
      },
    ],
    ['a flipped bit', 100, /directory does not open|block at byte \d+ does not open/, flipLast],
  ])('%s', async (_name, percent, what, change) => {
    const store = await broken(change);
    await withRepository(store, async (repository) => {
      const damages = (await repository.check(percent, {})).damages.map(damageLine);
      expect(damages).toHaveLength(1);
      expect(damages[0]).toContain(packs[0]?.[0]);
      expect(damages[0]).toMatch(what);
      expect(damages[0]).toContain(ids[0]);
      expect(damages[0]).not.toContain(ids[1]);
      expect((await repository.verifySnapshot(ids[1] ?? '', 100, {})).damages).toEqual([]);
      if (percent > 0) return;
      const verified = await repository.verifySnapshot(ids[0] ?? '', percent, {});
      expect(verified.damages).toMatchObject([{ object: packs[0]?.[0], hits: [{ snapshot: ids[0] }] }]);
    });
  });
});
