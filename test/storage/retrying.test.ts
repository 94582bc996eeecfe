import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/base/log.ts';
import { silentLog } from '../../src/base/log.ts';
import { storeFault } from '../../src/storage/faults.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createRetryingStore } from '../../src/storage/retrying.ts';
import { createFlakyStore, type Trouble } from '../kit/flaky-store.ts';
import { storeKeys } from '../kit/store-keys.ts';

const quick = { log: silentLog, attempts: 3, firstDelayMs: 1, maxDelayMs: 1 };

function flaky(store: ObjectStore, choose: (operation: string, call: number) => Trouble): ObjectStore {
  return createRetryingStore(createFlakyStore(store, choose), quick);
}

describe('a retrying store', () => {
  test('tries again until a call succeeds, and tells the log', async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
    const store = createRetryingStore(
      createFlakyStore(createMemoryStore(), (_, call) => (call <= 2 ? 'before' : undefined)),
      { ...quick, log },
    );
    await store.put('a', Buffer.from('x'));
    expect(await storeKeys(store)).toEqual(['a']);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('call 1 (put) was cut off');
  });

  test('gives up with the last fault as it came', async () => {
    let calls = 0;
    const store = flaky(createMemoryStore(), () => {
      calls++;
      return 'before';
    });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'storage.unreachable', message: 'call 3 (get) was cut off' });
    expect(calls).toBe(3);
  });

  test('does not try again what no retry mends', async () => {
    let calls = 0;
    const refusing: ObjectStore = {
      ...createFlakyStore(createMemoryStore(), () => undefined),
      get: () => {
        calls++;
        return Promise.reject(storeFault('storage.refused', 'no'));
      },
    };
    await expect(createRetryingStore(refusing, quick).get('a')).rejects.toMatchObject({ code: 'storage.refused' });
    expect(calls).toBe(1);
  });

  test('ends at once when its signal aborts between two tries', async () => {
    const controller = new AbortController();
    const store = createRetryingStore(
      createFlakyStore(createMemoryStore(), () => {
        controller.abort();
        return 'before';
      }),
      { ...quick, firstDelayMs: 60_000, maxDelayMs: 60_000 },
    );
    await expect(store.get('a', { signal: controller.signal })).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('takes a put with ifAbsent whose answer was lost for the success it was', async () => {
    const bank = createMemoryStore();
    await flaky(bank, (_, call) => (call === 1 ? 'after' : undefined)).put('key', [Buffer.from('mi'), Buffer.from('ne')], {
      ifAbsent: true,
    });
    expect((await bank.get('key')).toString()).toBe('mine');
  });

  test('still calls a lost race lost', async () => {
    const bank = createMemoryStore();
    await bank.put('key', Buffer.from('other'));
    const store = flaky(bank, (_, call) => (call === 1 ? 'before' : undefined));
    await expect(store.put('key', Buffer.from('mine'), { ifAbsent: true })).rejects.toMatchObject({ code: 'storage.exists' });
    expect((await bank.get('key')).toString()).toBe('other');
  });

  test('calls a race lost at the first try without reading, equal bytes or not', async () => {
    const bank = createMemoryStore();
    await bank.put('key', Buffer.from('mine'));
    await expect(flaky(bank, () => undefined).put('key', Buffer.from('mine'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'storage.exists',
    });
  });

  test('goes on with a listing after the last key it gave: none missing, none twice', async () => {
    const bank = createMemoryStore();
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const key of keys) await bank.put(key, Buffer.from(key));
    // More troubles than attempts for one call: each entry has its own.
    expect(await storeKeys(flaky(bank, (_, call) => (call % 3 === 0 ? undefined : 'before')))).toEqual(keys);
    expect(
      await storeKeys(
        flaky(bank, (_, call) => (call % 2 === 0 ? 'after' : undefined)),
        '',
        { startAfter: 'b' },
      ),
    ).toEqual(['c', 'd', 'e']);
  });
});
