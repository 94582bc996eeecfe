import { expect, test } from 'vitest';
import { KiB } from '../../../src/base/bytes.ts';
import { createMemoryStore } from '../../../src/storage/memory-store.ts';
import { createFolder, listKeys, withRepository } from '../../kit/repositories.ts';
import { createSeeded } from '../../kit/seeded.ts';

const chance = createSeeded('repository/gc/plan');

test('while a lost index leaves it unclear what is needed, the plan names the snapshots that are hit, and nothing is collected', async () => {
  using folder = createFolder();
  const store = createMemoryStore();
  const [whole, hit] = await withRepository(store, async (repository) => {
    const first = await repository.writeVolume({ path: folder.file('a', chance.bytes(300 * KiB)) }, { subject: 'a' });
    const before = await listKeys(store, 'indexes/');
    const shared = chance.bytes(512 * KiB);
    const second = await repository.writeVolume({ path: folder.file('b', shared) }, { subject: 'b' });
    expect((await repository.planGc({})).damages).toEqual([]);
    const lost = (await listKeys(store, 'indexes/')).filter((key) => !before.includes(key));
    // The map of this one can be read afterwards; its chunks cannot be found.
    const third = await repository.writeVolume(
      { path: folder.file('c', Buffer.concat([shared, chance.bytes(KiB)])) },
      { subject: 'c' },
    );
    await store.delete(lost);
    return [first.id, [second.id, third.id]] as const;
  });
  await withRepository(store, async (repository) => {
    const plan = await repository.planGc({});
    const named = (id: string): boolean => plan.damages.some((damage) => damage.includes(id));
    expect([named(whole), ...hit.map(named)]).toEqual([false, true, true]);
    expect(plan.work.record.snapshots).toEqual([whole.slice(-16)]);
    const before = await listKeys(store);
    await expect(repository.runGc(plan, {})).rejects.toMatchObject({ code: 'repository.gc_refused' });
    expect(await listKeys(store)).toEqual(before);
  });
});
