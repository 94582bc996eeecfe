import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { SnapshotSummary } from '../../src/repository/contract.ts';
import { openKeyRing } from '../../src/repository/seal/keys.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createFolder, listKeys, withRepository } from '../kit/repositories.ts';

const providerKey = randomBytes(32);
const options = { projectId: 'p', providerKey, create: true, log: silentLog };

test('the key is made once and found again', async () => {
  const store = createMemoryStore();
  const made = await openKeyRing({ ...options, store });
  const found = await openKeyRing({ ...options, store, create: false });
  expect(found.writing).toEqual(made.writing);
  expect(made.writing.secret).toHaveLength(32);
  expect(await listKeys(store)).toHaveLength(2);
});

test('a slot whose twin is missing gets another by whoever may make keys', async () => {
  const store = createMemoryStore();
  const made = await openKeyRing({ ...options, store });
  await store.delete((await listKeys(store)).slice(0, 1));
  await openKeyRing({ ...options, store, create: false });
  expect(await listKeys(store)).toHaveLength(1);
  await openKeyRing({ ...options, store });
  const [left, ...twins] = await listKeys(store);
  expect(twins).toHaveLength(1);
  for (const gone of [left ?? '', ...twins]) {
    const other = createMemoryStore();
    for (const key of await listKeys(store)) if (key !== gone) await other.put(key, await store.get(key));
    expect((await openKeyRing({ ...options, store: other, create: false })).writing).toEqual(made.writing);
  }
});

test('without one and without leave to make it', async () => {
  const store = createMemoryStore();
  await expect(openKeyRing({ ...options, store, create: false })).rejects.toMatchObject({
    code: 'repository.absent',
    kind: 'not-found',
  });
  expect(await listKeys(store)).toEqual([]);
});

test.each([
  ['another key', { providerKey: randomBytes(32) }],
  ['another project', { projectId: 'q' }],
  ['a key of another length', { providerKey: randomBytes(31) }],
])('%s is said to be wrong, and nothing new is made', async (_name, other) => {
  const store = createMemoryStore();
  await openKeyRing({ ...options, store });
  await expect(openKeyRing({ ...options, ...other, store })).rejects.toMatchObject({
    code: 'repository.wrong_key',
    kind: 'invalid',
  });
  expect(await listKeys(store)).toHaveLength(2);
});

test('all slots damaged is damage, not a wrong key', async () => {
  const store = createMemoryStore();
  await openKeyRing({ ...options, store });
  for (const key of await listKeys(store)) {
    const bytes = Buffer.from(await store.get(key));
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    await store.delete([key]);
    await store.put(key, bytes);
  }
  await expect(openKeyRing({ ...options, store })).rejects.toMatchObject({ code: 'repository.key_damaged', kind: 'corrupt' });
});

test('two makers at once leave two keys; both agree on the writing one, and what either wrote before is read', async () => {
  const [a, b] = [createMemoryStore(), createMemoryStore()];
  using folder = createFolder();
  const bytes = randomBytes(500_000);
  const path = folder.file('v', bytes);
  const written: SnapshotSummary[] = [];
  for (const store of [a, b])
    written.push(await withRepository(store, (repository) => repository.writeVolume({ path }, { subject: 's' })));
  // The two met in one bank after each had written under its own key.
  for (const key of await listKeys(b)) await a.put(key, await b.get(key));
  await withRepository(a, async (repository) => {
    for (const { id } of written) {
      const target = folder.file(id);
      await repository.restoreVolume(id, { path: target, overwrite: false }, {});
      expect((await repository.verifySnapshot(id, 100, {})).damages).toEqual([]);
      const changed = { since: id, extents: [] };
      const next = await repository.writeVolume({ path, changed }, { subject: 's' });
      await repository.restoreVolume(next.id, { path: folder.file(next.id), overwrite: false }, {});
    }
    expect((await repository.check(100, {})).damages).toEqual([]);
  });
});
