import { afterAll, describe, expect, test } from 'vitest';
import { isFault } from '../../../src/base/faults.ts';
import { bankConformance } from '../../../src/plugin/conformance/bank.ts';
import { formatBankReport, probeBank } from '../../../src/plugin/conformance/bank-probe.ts';
import { storeFault } from '../../../src/storage/faults.ts';
import { createMemoryStore } from '../../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../../src/storage/object-store.ts';
import { openTestS3 } from '../../kit/banks.ts';
import { startS3Server } from '../../kit/s3-server.ts';
import { storeKeys } from '../../kit/store-keys.ts';

/** A memory store with some calls replaced. */
function broken(change: (bank: ObjectStore) => Partial<ObjectStore>): ObjectStore {
  const bank = createMemoryStore();
  const plain: ObjectStore = {
    description: 'a broken bank',
    abilities: bank.abilities,
    put: (key, body, options) => bank.put(key, body, options),
    get: (key, options) => bank.get(key, options),
    stat: (key, options) => bank.stat(key, options),
    list: (prefix, options) => bank.list(prefix, options),
    delete: (keys, options) => bank.delete(keys, options),
    close: () => bank.close(),
  };
  return { ...plain, ...change(bank) };
}

async function* without(bank: ObjectStore, prefix: string, drop: (key: string) => boolean) {
  for await (const entry of bank.list(prefix)) if (!drop(entry.key)) yield entry;
}

/** What a bank may do wrong, and the law that must see it. */
const wrongs: Readonly<Record<string, { readonly store: () => ObjectStore; readonly law: string }>> = {
  'a listing that lags behind': {
    law: 'what was put is listed at once',
    store: () => broken((bank) => ({ list: (prefix) => without(bank, prefix, (key) => key.endsWith('object-4')) })),
  },
  'a first byte that flips': {
    law: 'what was put is read at once, in full',
    store: () =>
      broken((bank) => ({
        get: async (key, options) => {
          const bytes = await bank.get(key, options);
          if (bytes.length > 0) bytes[0] = (bytes[0] ?? 0) ^ 1;
          return bytes;
        },
      })),
  },
  'ranges cut short without a word': {
    law: 'a range beyond the end is the fault storage.short',
    store: () =>
      broken((bank) => ({
        get: async (key, { range, ...options } = {}) =>
          (await bank.get(key, options)).subarray(range?.offset, range && range.offset + range.length),
      })),
  },
  'an end of the listing after the first 1000': {
    law: 'a listing of 1010 objects is complete and in the order of bytes',
    store: () =>
      broken((bank) => ({
        list: async function* (prefix, options) {
          let left = 1000;
          for await (const entry of bank.list(prefix, options)) if (left-- > 0) yield entry;
        },
      })),
  },
  'a conditional put that is none': {
    law: 'of 20 who put with ifAbsent at once, one wins',
    store: () => broken((bank) => ({ put: (key, body) => bank.put(key, body) })),
  },
  'a delete that minds missing keys': {
    law: 'deleting takes away what is there and forgives what is not',
    store: () =>
      broken((bank) => ({
        delete: async (keys) => {
          for (const key of keys) if (!(await bank.stat(key))) throw storeFault('storage.missing', key);
          await bank.delete(keys);
        },
      })),
  },
  'keys that are not looked at': {
    law: 'what is no key is refused',
    store: () => broken((bank) => ({ stat: async (key, options) => (key.includes('..') ? undefined : bank.stat(key, options)) })),
  },
  'a signal that is ignored': {
    law: 'a call whose signal has aborted ends as cancelled',
    store: () => broken((bank) => ({ get: (key) => bank.get(key) })),
  },
};

describe('the laws of a bank see', () => {
  test.each(Object.entries(wrongs))('%s', async (_, { law: name, store }) => {
    const law = bankConformance(async () => store()).find((one) => one.name === name);
    expect(law, name).toBeDefined();
    await expect(law?.run()).rejects.toSatisfy(
      (error) => isFault(error, 'conformance.broken') || isFault(error, 'storage.missing'),
    );
  });
});

describe('a probe', () => {
  test('of a good bank finds it fit and leaves nothing there', async () => {
    const bank = createMemoryStore();
    const report = await probeBank(bank);
    expect(report.findings.map(({ outcome }) => outcome)).toEqual(Array(8).fill('yes'));
    expect(formatBankReport(report)).toContain('It is fit as a bank.');
    expect(await storeKeys(bank)).toEqual([]);
  });

  test('of a bank without conditional put says what is done instead', async () => {
    const report = await probeBank(createMemoryStore({ conditionalPut: false }));
    expect(report.fit).toBe(true);
    expect(report.findings.find(({ name }) => name.startsWith('conditional put'))).toMatchObject({
      outcome: 'no',
      therefore: 'not used: names are unique instead',
    });
  });

  test('of a bank that breaks a law finds it not fit, and goes on to the end', async () => {
    const report = await probeBank(wrongs['a conditional put that is none']!.store());
    expect(report.findings.filter(({ outcome }) => outcome === 'broken').map(({ name }) => name)).toEqual([
      'conditional put holds under a race',
    ]);
    expect(report.findings).toHaveLength(8);
    expect(formatBankReport(report)).toContain('NOT fit');
  });

  const server = startS3Server();
  afterAll(async () => (await server).close());

  test('of an S3 bank tells what only S3 knows, and leaves nothing there', async () => {
    const store = await openTestS3(await server);
    const report = await probeBank(store);
    const found = Object.fromEntries(report.findings.map(({ name, outcome }) => [name, outcome]));
    expect(found).toMatchObject({
      'a wrong Content-MD5 is refused': 'yes',
      'a wrong x-amz-checksum-sha256 is refused': 'no',
      'bodies may be sent unsigned': 'yes',
      'many keys are deleted in one call': 'yes',
      'the bucket keeps old versions': 'no',
      'object lock': 'no',
      'the clock of the bank agrees with ours': 'yes',
    });
    expect(await storeKeys(store)).toEqual([]);
    await store.close();
  });
});
