import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import type { ObjectStore } from '../../../../src/storage/object-store.ts';
import { createRetryingStore } from '../../../../src/storage/retrying.ts';
import { openTestS3 } from '../../../kit/banks.ts';
import type { S3Fault, S3Request } from '../../../kit/s3-faults.ts';
import { startS3Server } from '../../../kit/s3-server.ts';
import { storeKeys } from '../../../kit/store-keys.ts';

const server = await startS3Server();
const plain = await openTestS3(server);
const hasty = await openTestS3(server, { timeout_seconds: 0.5 });
const retries = { log: silentLog, attempts: 4, firstDelayMs: 1, maxDelayMs: 5 };
const retrying = createRetryingStore(plain, retries);
const kept = ['kept/a', 'kept/b', 'kept/c'];
afterAll(async () => {
  await plain.close();
  await hasty.close();
  await server.close();
});

beforeEach(async () => {
  server.setFaults(undefined);
  await plain.delete(await storeKeys(plain));
  for (const key of kept) await plain.put(key, Buffer.from(`bytes of ${key}`));
});

/** The fault for the next `times` requests of the operation; returns how many it has hit. */
function inject(operation: S3Request['operation'], fault: S3Fault, times = Number.POSITIVE_INFINITY): () => number {
  let hit = 0;
  server.setFaults((request) => {
    if (request.operation !== operation || hit >= times) return undefined;
    hit++;
    return fault;
  });
  return () => hit;
}

const operations: Readonly<Record<string, { readonly wire: S3Request['operation']; run(store: ObjectStore): Promise<unknown> }>> =
  {
    put: { wire: 'put', run: (store) => store.put('new', Buffer.from('new bytes')) },
    'put with ifAbsent': { wire: 'put', run: (store) => store.put('new', Buffer.from('new bytes'), { ifAbsent: true }) },
    get: { wire: 'get', run: async (store) => expect((await store.get('kept/b')).toString()).toBe('bytes of kept/b') },
    'get of a range': {
      wire: 'get',
      run: async (store) => expect((await store.get('kept/b', { range: { offset: 9, length: 6 } })).toString()).toBe('kept/b'),
    },
    stat: { wire: 'head', run: async (store) => expect(await store.stat('kept/b')).toEqual({ sizeBytes: 15 }) },
    list: { wire: 'list', run: async (store) => expect(await storeKeys(store, 'kept/')).toEqual(kept) },
    delete: { wire: 'delete', run: (store) => store.delete(['kept/c']) },
    'delete of many': { wire: 'multi-delete', run: (store) => store.delete(['kept/b', 'kept/c']) },
  };

const after: Readonly<Record<string, readonly string[]>> = {
  put: [...kept, 'new'],
  'put with ifAbsent': [...kept, 'new'],
  delete: ['kept/a', 'kept/b'],
  'delete of many': ['kept/a'],
};

const passing: Readonly<Record<string, { readonly fault: S3Fault; readonly code: string }>> = {
  '500 InternalError': { fault: { kind: 'status', status: 500, code: 'InternalError' }, code: 'storage.failed' },
  '503 SlowDown': { fault: { kind: 'status', status: 503, code: 'SlowDown' }, code: 'storage.throttled' },
  '429 TooManyRequests': { fault: { kind: 'status', status: 429, code: 'TooManyRequests' }, code: 'storage.throttled' },
  'no answer': { fault: { kind: 'silence' }, code: 'storage.unreachable' },
  'a reply that is lost after success': { fault: { kind: 'lost-reply' }, code: 'storage.unreachable' },
  'a reset in the middle of the body': { fault: { kind: 'reset-mid-body' }, code: 'storage.unreachable' },
  'an error document under status 200': { fault: { kind: 'error-in-200' }, code: 'storage.failed' },
};

for (const [name, { fault, code }] of Object.entries(passing)) {
  describe(name, () => {
    for (const [operation, { wire, run }] of Object.entries(operations)) {
      // A HEAD, a DELETE and a LIST have no body that could break; and the answers to DELETE and HEAD none that could lie.
      if (fault.kind === 'reset-mid-body' && !['put', 'get', 'multi-delete'].includes(wire)) continue;
      if (fault.kind === 'error-in-200' && wire === 'delete') continue;

      test(`${operation} is tried again and finishes`, async () => {
        const silent = fault.kind === 'silence';
        const hits = inject(wire, fault, silent ? 1 : 2);
        await run(silent ? createRetryingStore(hasty, retries) : retrying);
        expect(hits()).toBe(silent ? 1 : 2);
        server.setFaults(undefined);
        expect(await storeKeys(plain)).toEqual(after[operation] ?? kept);
      });

      // Four silences of every call would take half a minute and tell nothing more.
      if (fault.kind === 'silence' && operation !== 'get') continue;
      test(`${operation} fails with the true reason when it does not pass`, async () => {
        const hits = inject(wire, fault);
        const store = fault.kind === 'silence' ? createRetryingStore(hasty, retries) : retrying;
        await expect(run(store)).rejects.toMatchObject({ code, kind: 'unavailable' });
        expect(hits()).toBe(4);
      });
    }
  });
}

describe('answers that are wrong', () => {
  test('a body with less than its range is not taken for the object', async () => {
    const hits = inject('get', { kind: 'short-body' }, 1);
    expect((await retrying.get('kept/a', { range: { offset: 0, length: 10 } })).toString()).toBe('bytes of k');
    expect(hits()).toBe(1);
    inject('get', { kind: 'short-body' });
    await expect(plain.get('kept/a', { range: { offset: 0, length: 10 } })).rejects.toMatchObject({ code: 'storage.failed' });
  });

  test('an object that was cut short in the bank is the fault storage.short, and not tried again', async () => {
    const before = server.requests.length;
    await expect(retrying.get('kept/a', { range: { offset: 10, length: 10 } })).rejects.toMatchObject({
      code: 'storage.short',
      kind: 'corrupt',
      details: { wanted_bytes: 10, got_bytes: 5 },
    });
    expect(server.requests.length).toBe(before + 1);
  });

  test('a page of a listing that comes twice is noticed', async () => {
    const keys = Array.from({ length: 1500 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
    await Promise.all(keys.map((key) => plain.put(key, Buffer.alloc(0))));
    let lists = 0;
    server.setFaults((request) => (request.operation === 'list' && ++lists === 2 ? { kind: 'repeated-page' } : undefined));
    expect(await storeKeys(retrying, 'many/')).toEqual(keys);
    inject('list', { kind: 'repeated-page' });
    await expect(storeKeys(retrying, 'many/')).rejects.toMatchObject({
      code: 'storage.failed',
      message: expect.stringContaining('after'),
    });
  });

  test('an error document does not make a listing empty', async () => {
    inject('list', { kind: 'error-in-200' });
    await expect(storeKeys(plain)).rejects.toMatchObject({ code: 'storage.failed' });
  });

  test('a body that drips ends when nothing moves for too long, and comes whole when it does', async () => {
    await plain.put('drops', Buffer.from('0123456789'));
    inject('get', { kind: 'slow-drip', bytes: 4, everyMs: 20 });
    expect((await hasty.get('drops')).toString()).toBe('0123456789');
    inject('get', { kind: 'slow-drip', bytes: 1, everyMs: 150 });
    await expect(hasty.get('drops')).rejects.toMatchObject({ code: 'storage.unreachable' });
  });
});

describe('refusals', () => {
  test.each(['put', 'get', 'stat', 'list', 'delete'])('a 403 ends %s at once, says so, and changes nothing', async (name) => {
    const { wire, run } = operations[name]!;
    const hits = inject(wire, { kind: 'status', status: 403, code: 'AccessDenied' });
    await expect(run(retrying)).rejects.toMatchObject({ code: 'storage.refused', retry: 'never' });
    expect(hits()).toBe(1);
    server.setFaults(undefined);
    expect(await storeKeys(plain)).toEqual(kept);
  });

  test('clocks too far apart are named, both', async () => {
    inject('put', { kind: 'status', status: 403, code: 'RequestTimeTooSkewed' });
    const told = expect.stringMatching(/Its clock says \d{4}-.*Z, ours \d{4}-.*Z/);
    await expect(plain.put('new', Buffer.alloc(1))).rejects.toMatchObject({ code: 'storage.refused', message: told });
  });

  test('a full bank is the fault storage.full', async () => {
    inject('put', { kind: 'status', status: 403, code: 'QuotaExceeded' });
    await expect(retrying.put('new', Buffer.alloc(1))).rejects.toMatchObject({ code: 'storage.full', retry: 'never' });
  });

  test('another region is named', async () => {
    inject('list', { kind: 'status', status: 301, code: 'PermanentRedirect' });
    await expect(storeKeys(plain)).rejects.toMatchObject({
      code: 'storage.refused',
      message: expect.stringContaining('us-east-1'),
    });
  });

  test('a bucket that is gone is not a bank without objects', async () => {
    inject('list', { kind: 'status', status: 404, code: 'NoSuchBucket' });
    await expect(plain.stat('nothing')).rejects.toMatchObject({ code: 'storage.no_bank' });
    await expect(storeKeys(plain)).rejects.toMatchObject({ code: 'storage.no_bank' });
  });
});
