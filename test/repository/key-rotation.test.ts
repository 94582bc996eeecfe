import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import { destroyKeys } from '../../src/repository/seal/destroy.ts';
import { type KeyRing, openKeyRing } from '../../src/repository/seal/keys.ts';
import { type RewrapSummary, rewrapKeys } from '../../src/repository/seal/rotate.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { changeStore, copyStore, listKeys } from '../kit/repositories.ts';

const oldKey = randomBytes(32);
const newKey = randomBytes(32);
const projectId = 'p';
const log = silentLog;
let before: KeyRing;
let sound: ObjectStore;

/** Two root keys, as after a race of two makers, and some data. */
beforeAll(async () => {
  sound = createMemoryStore();
  const other = createMemoryStore();
  for (const store of [sound, other]) await openWith(store, oldKey, true);
  for (const key of await listKeys(other)) await sound.put(key, await other.get(key));
  await sound.put(`packs/ab/${'ab'.repeat(16)}`, Buffer.from('data'));
  before = await openWith(sound, oldKey);
  expect(before.all.size).toBe(2);
});

function openWith(store: ObjectStore, providerKey: Buffer, create = false): Promise<KeyRing> {
  return openKeyRing({ store, projectId, providerKey, create, log });
}

const rotate = (store: ObjectStore, from = oldKey, to = newKey): Promise<RewrapSummary> =>
  rewrapKeys({ store, projectId, oldKey: from, newKey: to, log });

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );

/** Puts and deletes, one key at a time, until it has done so many; then every call fails. */
function createStopping(store: ObjectStore, changes: number): ObjectStore {
  let done = 0;
  const alive = (): void => {
    if (done > changes) throw new Fault('unavailable', 'storage.unreachable', 'The store stopped.', { retry: 'never' });
  };
  const change = async (work: () => Promise<void>): Promise<void> => {
    done++;
    alive();
    await work();
  };
  return changeStore(store, {
    put: (key, body, options) => change(() => store.put(key, body, options)),
    delete: (keys, options) => change(() => store.delete(keys, options)),
    async get(key, options) {
      alive();
      return store.get(key, options);
    },
    list(prefix, options) {
      alive();
      return store.list(prefix, options);
    },
  });
}

describe('another provider key', () => {
  test('opens everything afterwards, the old one nothing, and no data was touched', async () => {
    const store = await copyStore(sound);
    expect(await rotate(store)).toEqual({ rootKeys: 2, writtenSlots: 4, deletedSlots: 4, keptSlots: [] });
    const after = await openWith(store, newKey);
    expect(after).toEqual(before);
    expect(await codeOf(openWith(store, oldKey))).toBe('repository.wrong_key');
    expect(await listKeys(store, 'packs/')).toEqual(await listKeys(sound, 'packs/'));
    expect((await listKeys(store, 'keys/')).length).toBe(4);
  });

  test('a store that stops after change k, for all k: one of the two keys opens everything, and a second run ends it', async () => {
    const outcomes: string[] = [];
    for (let k = 0; ; k++) {
      const store = await copyStore(sound);
      const outcome = await codeOf(rotate(createStopping(store, k)));
      const [old, young] = [await codeOf(openWith(store, oldKey)), await codeOf(openWith(store, newKey))];
      outcomes.push(`${old} ${young}`);
      // Never a part of the keys: that would look as if snapshots were damaged.
      for (const opened of [old, young]) expect(['fine', 'repository.wrong_key']).toContain(opened);
      expect([old, young]).toContain('fine');
      for (const [key, opened] of [
        [oldKey, old],
        [newKey, young],
      ] as const) {
        if (opened === 'fine') expect(await openWith(store, key)).toEqual(before);
      }
      await rotate(store);
      expect(await openWith(store, newKey)).toEqual(before);
      expect(await codeOf(openWith(store, oldKey))).toBe('repository.wrong_key');
      if (outcome === 'fine') break;
    }
    expect(outcomes).toHaveLength(9); // four slots written, four deleted
    expect(outcomes[0]).toBe('fine repository.wrong_key');
    expect(outcomes).toContain('fine fine');
    expect(outcomes.at(-1)).toBe('repository.wrong_key fine');
  });

  test('a bank that keeps what it has: told by name, and the old key still opens', async () => {
    const store = await copyStore(sound);
    const locked = changeStore(store, {
      async delete() {
        throw new Fault('forbidden', 'storage.refused', 'It is locked until next year.');
      },
    });
    const { keptSlots, deletedSlots } = await rotate(locked);
    expect(deletedSlots).toBe(0);
    expect(keptSlots).toHaveLength(4);
    for (const key of await listKeys(sound, 'keys/')) expect(keptSlots.join()).toContain(`${key}: It is locked`);
    expect(await openWith(store, oldKey)).toEqual(before);
    expect(await openWith(store, newKey)).toEqual(before);
    // One that says it has deleted and has not is no better.
    expect((await rotate(changeStore(store, { delete: async () => undefined }))).keptSlots.join()).toContain('it is still there');
  });

  test('a slot that is not what was written is told before anything goes', async () => {
    const store = await copyStore(sound);
    const forgetful = changeStore(store, { put: async () => undefined });
    expect(await codeOf(rotate(forgetful))).toBe('repository.slot_unwritten');
    expect(await openWith(store, oldKey)).toEqual(before);
    expect(await listKeys(store)).toEqual(await listKeys(sound));
  });

  test.each([
    ['a key that opens nothing', () => rotate(sound, randomBytes(32), newKey), 'repository.wrong_key'],
    ['the same key', () => rotate(sound, oldKey, oldKey), 'repository.same_key'],
    ['a short key', () => rotate(sound, oldKey, randomBytes(16)), 'repository.wrong_key'],
    ['no repository', () => rotate(createMemoryStore()), 'repository.absent'],
  ])('%s: said before anything is written', async (_name, work, code) => {
    const keys = await listKeys(sound);
    expect(await codeOf(work())).toBe(code);
    expect(await listKeys(sound)).toEqual(keys);
  });
});

describe('destroyed keys', () => {
  const destroy = (store: ObjectStore, providerKey = oldKey): Promise<number> =>
    destroyKeys({ store, projectId, providerKey, log });

  test('nobody opens the repository, and nobody makes a new key there', async () => {
    const store = await copyStore(sound);
    expect(await destroy(store)).toBe(4);
    for (const create of [false, true]) expect(await codeOf(openWith(store, oldKey, create))).toBe('repository.destroyed');
    expect(await listKeys(store, 'keys/')).toEqual(['keys/destroyed']);
    expect(await codeOf(rotate(store))).toBe('repository.destroyed');
  });

  test('a store that stops after change k, for all k: openable or destroyed, and a second run ends it', async () => {
    for (let k = 0; k < 5; k++) {
      const store = await copyStore(sound);
      expect(await codeOf(destroy(createStopping(store, k)))).toBe('storage.unreachable');
      expect(await codeOf(openWith(store, oldKey, true))).toBe(k === 0 ? 'fine' : 'repository.destroyed');
      await destroy(store);
      expect(await listKeys(store, 'keys/')).toEqual(['keys/destroyed']);
    }
  });

  test('a bank that keeps its slots: said that nothing is destroyed', async () => {
    const store = changeStore(await copyStore(sound), { delete: async () => undefined });
    expect(await codeOf(destroy(store))).toBe('repository.not_destroyed');
  });

  test('a wrong key destroys nothing', async () => {
    const store = await copyStore(sound);
    expect(await codeOf(destroy(store, newKey))).toBe('repository.wrong_key');
    expect(await listKeys(store)).toEqual(await listKeys(sound));
  });
});

test('lost keys are told and not replaced: a new one would hide that everything is lost', async () => {
  const store = await copyStore(sound);
  await store.delete(await listKeys(store, 'keys/'));
  for (const create of [false, true]) expect(await codeOf(openWith(store, oldKey, create))).toBe('repository.keys_lost');
  expect(await listKeys(store, 'keys/')).toEqual([]);
});
