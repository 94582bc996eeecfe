import { describe, expect, test } from 'vitest';
import { KiB } from '../../../src/base/bytes.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { GcPlan, Repository } from '../../../src/repository/contract.ts';
import { snapshotKey } from '../../../src/repository/layout.ts';
import { openRepository } from '../../../src/repository/repository.ts';
import { createMemoryStore } from '../../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { startInlinePool } from '../../kit/inline-pool.ts';
import { changeStore, createFolder, listKeys, testProjectId, testProviderKey } from '../../kit/repositories.ts';
import { createSeeded } from '../../kit/seeded.ts';

const chance = createSeeded('repository/gc/trust');
const bytes = chance.bytes(256 * KiB);
const others = chance.bytes(256 * KiB);

/** `packsPerList`: below one, each new pack is looked for by itself. */
function open(store: ObjectStore, scratchFolder: string, packsPerList?: number): Promise<Repository> {
  return openRepository(
    { store, projectId: testProjectId, providerKey: testProviderKey, create: true, log: silentLog, threads: 1, scratchFolder },
    startInlinePool,
    packsPerList,
  );
}

async function protect(repository: Repository, content: Buffer, subject = 's'): Promise<string> {
  const once = async function* () {
    yield content;
  };
  return (await repository.writeVolume({ stream: once(), sizeBytes: content.length }, { subject })).id;
}

const collect = async (repository: Repository, times = 1): Promise<void> => {
  for (let n = 0; n < times; n++) await repository.runGc(await repository.planGc({}), {});
};

/** Collects until a verdict is passed; gives a plan of the run after it, which deletes. */
async function passVerdict(repository: Repository): Promise<GcPlan> {
  for (let n = 0; n < 10; n++) {
    const plan = await repository.planGc({});
    if (plan.deletes.packs > 0) return plan;
    await repository.runGc(plan, {});
  }
  throw new Error('No verdict was passed.');
}

/** Another machine stores it; then the pack is gone, and the index object is not. Gives the pack's key. */
async function storeAndLose(store: ObjectStore, scratchFolder: string, content: Buffer): Promise<string> {
  const before = await listKeys(store, 'packs/');
  const other = await open(store, scratchFolder);
  await protect(other, content);
  await other.close();
  const [lost = ''] = (await listKeys(store, 'packs/')).filter((key) => !before.includes(key));
  await store.delete([lost]);
  return lost;
}

async function isReadable(store: ObjectStore, id: string, content: Buffer): Promise<boolean> {
  using folder = createFolder();
  const reader = await open(store, folder.path);
  try {
    return (await reader.readVolume(id, 0, content.length, {})).equals(content);
  } finally {
    await reader.close();
  }
}

describe('a pack that is named and not there', () => {
  test('is found by the first write on a machine, and what it held is stored again', async () => {
    using here = createFolder();
    using there = createFolder();
    const store = createMemoryStore();
    const writer = await open(store, here.path);
    await protect(writer, bytes);
    await writer.close();
    await store.delete(await listKeys(store, 'packs/'));
    const other = await open(store, there.path, 0.001);
    expect(await isReadable(store, await protect(other, bytes, 'again'), bytes)).toBe(true);
    await other.close();
  });

  test('is looked for when its index object is new, and nothing else is', async () => {
    using here = createFolder();
    using there = createFolder();
    const store = createMemoryStore();
    const asked: string[] = [];
    const counted = changeStore(store, {
      list: (prefix, options) => {
        if (prefix === 'packs/') asked.push(prefix);
        return store.list(prefix, options);
      },
      stat: (key, options) => {
        asked.push(key);
        return store.stat(key, options);
      },
    });
    const first = await open(counted, here.path, 0.001);
    await protect(first, bytes);
    await protect(first, bytes); // takes note of what the one before has stored
    await first.close();
    asked.length = 0;
    const lost = await storeAndLose(store, there.path, others);

    // What the first one saw is known to those that come after it on the same machine, and what the second missed is not forgotten.
    const second = await open(counted, here.path, 0.001);
    await protect(second, bytes);
    await second.close();
    expect(asked).toEqual([lost]);
    const third = await open(counted, here.path, 0.001);
    expect(await isReadable(store, await protect(third, others, 'again'), others)).toBe(true);
    expect(asked).toEqual([lost, lost]);
    await third.close();
  });

  test('is not relied on before it was looked for', async () => {
    using here = createFolder();
    using there = createFolder();
    const store = createMemoryStore();
    const writer = await open(store, here.path);
    const late = async function* () {
      await storeAndLose(store, there.path, others);
      await store.delete(await listKeys(store, 'snapshots/'));
      await writer.check(0, {}); // loads what is new of the index, and meets no damage
      yield others;
    };
    const { id } = await writer.writeVolume({ stream: late(), sizeBytes: others.length }, { subject: 's' });
    expect(await isReadable(store, id, others)).toBe(true);
    await writer.close();
  });

  test('is found, unless it is new, once as many writes have begun as listing all packs takes requests', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    let lists = 0;
    const counted = changeStore(store, {
      list: (prefix, options) => {
        if (prefix === 'packs/') lists++;
        return store.list(prefix, options);
      },
    });
    const counts: number[] = [];
    await (await open(store, folder.path)).close(); // makes the repository
    for (let n = 0; n < 10; n++) {
      const writer = await open(counted, folder.path, 0.25); // one pack, four requests
      await protect(writer, bytes);
      await writer.close();
      counts.push(lists);
    }
    expect(counts).toEqual([0, 0, 0, 1, 1, 1, 1, 2, 2, 2]);
  });

  test('is found after a sleep that was too long to see the verdict on it', async () => {
    using here = createFolder();
    using there = createFolder();
    const memory = createMemoryStore();
    const collector = await open(memory, there.path);
    let slept = false;
    const store = changeStore(memory, {
      async put(key, body, options) {
        if (key.startsWith('indexes/') && !slept) {
          slept = true;
          await collect(collector, 8); // nothing names the pack yet
          expect(await listKeys(memory, 'packs/')).toEqual([]);
        }
        await memory.put(key, body, options);
      },
    });
    const writer = await open(store, here.path, 0.001);
    await expect(protect(writer, bytes)).rejects.toMatchObject({ code: 'repository.pack_lost', retry: 'now' });
    expect(await isReadable(memory, await protect(writer, bytes), bytes)).toBe(true);
    await writer.close();
    await collector.close();
  });
});

describe('a verdict', () => {
  test('is handed on while the pack is there, as a run that sleeps may still delete it', async () => {
    using here = createFolder();
    using there = createFolder();
    const store = createMemoryStore();
    const collector = await open(store, here.path);
    const forgotten = await protect(collector, bytes);
    const snapshot = await store.get(snapshotKey(forgotten));
    await collector.forget(forgotten);
    const sleeping = await passVerdict(collector);
    // Somebody has it back, and dies before he looks whether that was too late.
    await store.put(snapshotKey(forgotten), snapshot);
    await collect(collector, 6);
    const writer = await open(store, there.path);
    const id = await protect(writer, bytes, 'again');
    await collector.runGc(sleeping, {});
    expect(await isReadable(store, id, bytes)).toBe(true);
    await writer.close();
    await collector.close();
  });

  test('that was passed during a write counts, although the pack is still there', async () => {
    using here = createFolder();
    using there = createFolder();
    const memory = createMemoryStore();
    const collector = await open(memory, here.path);
    await collector.forget(await protect(collector, bytes));
    let sleeping: GcPlan | undefined;
    const store = changeStore(memory, {
      async put(key, body, options) {
        if (key.startsWith('snapshots/')) sleeping ??= await passVerdict(collector);
        await memory.put(key, body, options);
      },
    });
    const writer = await open(store, there.path);
    await expect(protect(writer, bytes)).rejects.toMatchObject({ code: 'repository.pack_lost', retry: 'now' });
    const id = await protect(writer, bytes);
    expect(sleeping?.deletes.packs).toBe(1);
    if (sleeping) await collector.runGc(sleeping, {});
    expect(await isReadable(memory, id, bytes)).toBe(true);
    await writer.close();
    await collector.close();
  });
});
