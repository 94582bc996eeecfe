import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB } from '../../src/base/bytes.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { copyStore, createFolder, createMortalStore, listKeys, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

// Two full packs and some: the death comes before, between and after packs, index and snapshot.
const chance = createSeeded('crash/volume-write');
const before = Buffer.concat([chance.bytes(700_001), Buffer.alloc(MiB)]);
const after = Buffer.concat([before, chance.bytes(34 * MiB)]);
const folder = createFolder();
const beforePath = folder.file('before', before);
const afterPath = folder.file('after', after);
afterAll(() => folder[Symbol.dispose]());

describe('a store that dies after write n', () => {
  let base: ObjectStore;
  let first: string;
  let writes = 0;

  beforeAll(async () => {
    base = createMemoryStore();
    first = await withRepository(
      base,
      async (repository) => (await repository.writeVolume({ path: beforePath }, { subject: 's' })).id,
    );
    const counting = createMortalStore(await copyStore(base), Number.POSITIVE_INFINITY);
    await withRepository(counting, (repository) => repository.writeVolume({ path: afterPath }, { subject: 's' }));
    writes = counting.writes;
  });

  test('every prefix of the writes is a sound repository', async () => {
    // Two packs in full, up to two at the end, index, snapshot.
    expect(writes).toBeGreaterThanOrEqual(4);
    for (let n = 0; n < writes; n++) {
      const store = await copyStore(base);
      const died = withRepository(createMortalStore(store, n), (repository) =>
        repository.writeVolume({ path: afterPath }, { subject: 's' }),
      );
      // Which of several packs is written last is chance: with more writes than were counted the run may even succeed.
      await died.then(
        () => expect(n).toBeGreaterThanOrEqual(4),
        (error: unknown) => expect(error).toMatchObject({ code: 'storage.unreachable' }),
      );
      const keysAfterDeath = await listKeys(store, 'packs/');
      await withRepository(store, async (repository) => {
        await repository.restoreVolume(first, { path: folder.file(`first-${n}`), overwrite: false }, {});
        expect(readFileSync(folder.file(`first-${n}`)).equals(before)).toBe(true);
        expect((await repository.check(100, {})).damages).toEqual([]);
        const again = await repository.writeVolume({ path: afterPath }, { subject: 's' });
        await repository.restoreVolume(again.id, { path: folder.file(`again-${n}`), overwrite: false }, {});
        expect(readFileSync(folder.file(`again-${n}`)).equals(after)).toBe(true);
      });
      expect(await listKeys(store, 'packs/')).toEqual(expect.arrayContaining(keysAfterDeath));
    }
  });
});

test('a death while the repository is made leaves one that can be made', async () => {
  for (const n of [0, 1]) {
    const store = createMemoryStore();
    await expect(withRepository(createMortalStore(store, n), () => Promise.resolve())).rejects.toMatchObject({
      code: 'storage.unreachable',
    });
    const id = await withRepository(
      store,
      async (repository) => (await repository.writeVolume({ path: beforePath }, { subject: 's' })).id,
    );
    await withRepository(store, (repository) =>
      repository.restoreVolume(id, { path: folder.file(`made-${n}`), overwrite: false }, {}),
    );
    expect(readFileSync(folder.file(`made-${n}`)).equals(before)).toBe(true);
  }
});
