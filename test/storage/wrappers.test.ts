import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { bankConformance } from '../../src/plugin/conformance/bank.ts';
import { createLimitedStore } from '../../src/storage/limited.ts';
import { createMeasuredStore, type StoreCall } from '../../src/storage/measured.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createPrefixedStore } from '../../src/storage/prefixed.ts';
import { createReadOnlyStore } from '../../src/storage/read-only.ts';
import { createRetryingStore } from '../../src/storage/retrying.ts';
import { testLaws } from '../kit/laws.ts';
import { storeKeys } from '../kit/store-keys.ts';

function stillClock() {
  let ms = 0;
  return { now: () => 0, monotonic: () => ms++ };
}

testLaws(
  'all wrappers together keep the laws of a bank',
  bankConformance(
    async () =>
      createMeasuredStore(
        createPrefixedStore(createRetryingStore(createLimitedStore(createMemoryStore(), 2), { log: silentLog }), 'a/b/'),
        stillClock(),
        () => undefined,
      ),
    { objects: 50 },
  ),
);

describe('a prefixed store', () => {
  test('sees only its own folder, and cannot leave it', async () => {
    const bank = createMemoryStore();
    const one = createPrefixedStore(bank, 'projects/one/');
    await bank.put('projects/one-more/x', Buffer.from('other'));
    await one.put('x', Buffer.from('mine'));
    expect(await storeKeys(one)).toEqual(['x']);
    expect(await storeKeys(bank)).toEqual(['projects/one-more/x', 'projects/one/x']);
    await expect(one.get('../one-more/x')).rejects.toMatchObject({ code: 'storage.bad_key' });
  });

  test('takes no prefix that is not a folder', () => {
    for (const prefix of ['', '/', 'a', '/a/', 'a//', '../a/'])
      expect(() => createPrefixedStore(createMemoryStore(), prefix)).toThrow();
  });
});

describe('a limited store', () => {
  test('never has more calls under way than its width', async () => {
    let running = 0;
    let most = 0;
    const bank = createMemoryStore();
    const counted = Object.assign(Object.create(bank), {
      get: async (key: string) => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        return bank.get(key);
      },
    });
    await bank.put('a', Buffer.from('x'));
    const store = createLimitedStore(counted, 3);
    await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
    expect(most).toBe(3);
  });

  test('lets other calls pass between two entries of a listing', async () => {
    const bank = createMemoryStore();
    for (const key of ['a', 'b']) await bank.put(key, Buffer.from(key));
    const store = createLimitedStore(bank, 1);
    const read: string[] = [];
    for await (const { key } of store.list('')) read.push((await store.get(key)).toString());
    expect(read).toEqual(['a', 'b']);
  });
});

describe('a measured store', () => {
  test('tells operation, bytes and fault of every call', async () => {
    const calls: StoreCall[] = [];
    const store = createMeasuredStore(createMemoryStore(), stillClock(), (call) => calls.push(call));
    await store.put('a', [Buffer.from('12'), Buffer.from('3')]);
    await store.get('a', { range: { offset: 1, length: 2 } });
    await store.get('b').catch(() => undefined);
    await storeKeys(store);
    await store.delete(['a']);
    expect(calls.map(({ operation, sentBytes, receivedBytes, fault }) => [operation, sentBytes, receivedBytes, fault])).toEqual([
      ['put', 3, 0, undefined],
      ['get', 0, 2, undefined],
      ['get', 0, 0, 'storage.missing'],
      ['list', 0, 0, undefined],
      ['delete', 0, 0, undefined],
    ]);
    expect(calls.every((call) => call.durationMs === 1)).toBe(true);
  });
});

describe('a read-only store', () => {
  test('reads, and refuses to change anything', async () => {
    const bank = createMemoryStore();
    await bank.put('a', Buffer.from('x'));
    const store = createReadOnlyStore(bank);
    expect((await store.get('a')).toString()).toBe('x');
    expect(await store.stat('a')).toEqual({ sizeBytes: 1 });
    await expect(store.put('b', Buffer.from('x'))).rejects.toMatchObject({ code: 'storage.refused' });
    await expect(store.delete(['a'])).rejects.toMatchObject({ code: 'storage.refused' });
    expect(await storeKeys(store)).toEqual(['a']);
  });
});
