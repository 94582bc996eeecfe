import { randomBytes } from 'node:crypto';
import { MiB } from '../../base/bytes.ts';
import { sleep } from '../../base/clock.ts';
import { isFault } from '../../base/faults.ts';
import { newId } from '../../base/ids.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { demand, demandFault } from './law.ts';

// The bodies of the laws of `bank.ts`. Each returns the reason where it has nothing to say of this bank.

/** A bank as a law sees it: the store, and a folder in it that is the law's own. */
export interface Bank {
  readonly store: ObjectStore;
  readonly folder: string;
  key(name: string): string;
}

/** Runs the task with a fresh folder of the bank and deletes everything in it, whatever happened. */
export async function inScratch<T>(store: ObjectStore, task: (bank: Bank) => Promise<T>): Promise<T> {
  const folder = `karri-check/${newId()}`;
  const [outcome] = await Promise.allSettled([task({ store, folder, key: (name) => `${folder}/${name}` })]);
  const [cleaning] = await Promise.allSettled([removeAll(store, `${folder}/`)]);
  // What went wrong first is the news; a bank that is broken is often not cleaned either.
  if (outcome.status === 'rejected') throw outcome.reason;
  if (cleaning.status === 'rejected') throw cleaning.reason;
  return outcome.value;
}

async function removeAll(store: ObjectStore, prefix: string): Promise<void> {
  const left = await listKeys(store, prefix);
  if (left.length > 0) await store.delete(left);
}

async function listKeys(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.list(prefix, after === undefined ? {} : { startAfter: after })) keys.push(entry.key);
  return keys;
}

async function demandContent(store: ObjectStore, key: string, wanted: Buffer): Promise<void> {
  const got = await store.get(key);
  demand(got.equals(wanted), `${key} gave ${got.length} bytes that are not the ${wanted.length} put`);
}

function demandSame(got: readonly string[], wanted: readonly string[], what: string): void {
  const at = wanted.findIndex((key, index) => key !== got[index]);
  demand(
    got.length === wanted.length && at < 0,
    `${what}: ${got.length} keys instead of ${wanted.length}${at < 0 ? '' : `, ${got[at]} instead of ${wanted[at]}`}`,
  );
}

export async function readAfterWrite({ store, key }: Bank): Promise<undefined> {
  for (let round = 0; round < 5; round++) {
    const body = randomBytes(1000 + round);
    await store.put(key(`object-${round}`), body);
    await demandContent(store, key(`object-${round}`), body);
  }
}

export async function listAfterWrite({ store, folder, key }: Bank): Promise<undefined> {
  const wanted: string[] = [];
  for (let round = 0; round < 5; round++) {
    await store.put(key(`object-${round}`), randomBytes(10));
    wanted.push(key(`object-${round}`));
    demandSame(await listKeys(store, `${folder}/`), wanted, 'after a put the listing gave');
  }
  for await (const entry of store.list(`${folder}/`))
    demand(entry.sizeBytes === 10, `${entry.key} is listed with ${entry.sizeBytes} bytes`);
}

export async function putAgain({ store, folder, key }: Bank): Promise<undefined> {
  const body = randomBytes(5000);
  await store.put(key('twice'), body);
  await store.put(key('twice'), body);
  await demandContent(store, key('twice'), body);
  demandSame(await listKeys(store, `${folder}/`), [key('twice')], 'after two puts of one key the listing gave');
}

export async function emptyBody({ store, key }: Bank): Promise<undefined> {
  await store.put(key('empty'), Buffer.alloc(0));
  await demandContent(store, key('empty'), Buffer.alloc(0));
  demand((await store.stat(key('empty')))?.sizeBytes === 0, 'stat of an empty object does not say 0 bytes');
}

export async function arrayBody({ store, key }: Bank): Promise<undefined> {
  const whole = randomBytes(300_000);
  await store.put(key('parts'), [
    whole.subarray(0, 7),
    whole.subarray(7, 7),
    whole.subarray(7, 200_000),
    whole.subarray(200_000),
  ]);
  await demandContent(store, key('parts'), whole);
  await store.put(key('no-parts'), []);
  await demandContent(store, key('no-parts'), Buffer.alloc(0));
}

export async function bigBody({ store, key }: Bank): Promise<undefined> {
  const body = randomBytes(17 * MiB + 3);
  await store.put(key('big'), body);
  await demandContent(store, key('big'), body);
}

export async function ranges({ store, key }: Bank): Promise<undefined> {
  const body = randomBytes(100_000);
  await store.put(key('object'), body);
  for (const [offset, length] of [
    [0, 1],
    [0, 100_000],
    [40_000, 20_000],
    [99_999, 1],
    [90_000, 10_000],
  ] as const) {
    const got = await store.get(key('object'), { range: { offset, length } });
    demand(got.equals(body.subarray(offset, offset + length)), `the range ${offset}+${length} gave other bytes`);
  }
}

export async function rangePastEnd({ store, key }: Bank): Promise<undefined> {
  await store.put(key('object'), randomBytes(1000));
  for (const offset of [900, 1000, 5000]) {
    await demandFault(
      store.get(key('object'), { range: { offset, length: 200 } }),
      'storage.short',
      `get of ${offset}+200 of 1000 bytes`,
    );
  }
}

export async function missing({ store, key }: Bank): Promise<undefined> {
  await demandFault(store.get(key('nothing')), 'storage.missing', 'get of a missing object');
  await demandFault(
    store.get(key('nothing'), { range: { offset: 0, length: 1 } }),
    'storage.missing',
    'get of a range of a missing object',
  );
  await store.put(key('folder/object'), randomBytes(1));
  await demandFault(store.get(key('folder')), 'storage.missing', 'get of a folder');
  demand((await store.stat(key('folder'))) === undefined, 'stat takes a folder for an object');
}

export async function stat({ store, key }: Bank): Promise<undefined> {
  await store.put(key('object'), randomBytes(12_345));
  demand((await store.stat(key('object')))?.sizeBytes === 12_345, 'stat does not say the size of the body');
  demand((await store.stat(key('nothing'))) === undefined, 'stat of a missing object is not undefined');
}

export async function tooLarge({ store, key }: Bank): Promise<undefined> {
  await store.put(key('object'), randomBytes(1001));
  await demandFault(store.get(key('object'), { maxBytes: 1000 }), 'storage.too_large', 'get of 1001 bytes with maxBytes 1000');
  demand((await store.get(key('object'), { maxBytes: 1001 })).length === 1001, 'maxBytes refuses an object of just that size');
}

async function putMany({ store, key }: Bank, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => key(`many/${String(index).padStart(6, '0')}`));
  const waiting = [...keys];
  const putNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await store.put(next, Buffer.from(next));
  };
  await Promise.all(Array.from({ length: 16 }, putNext));
  return keys;
}

export async function listPages(bank: Bank, count: number): Promise<undefined> {
  const wanted = await putMany(bank, count);
  demandSame(await listKeys(bank.store, bank.key('many/')), wanted, 'the listing gave');
}

export async function startAfter(bank: Bank): Promise<undefined> {
  const wanted = await putMany(bank, 30);
  const { store, key } = bank;
  demandSame(await listKeys(store, key('many/'), wanted[9]), wanted.slice(10), 'after the tenth key the listing gave');
  demandSame(
    await listKeys(store, key('many/'), `${wanted[9]}0`),
    wanted.slice(10),
    'after a key that is not there the listing gave',
  );
  demandSame(await listKeys(store, key('many/'), wanted[29]), [], 'after the last key the listing gave');
  demandSame(await listKeys(store, key('many/'), key('aaa')), wanted, 'after a key before the prefix the listing gave');
  demandSame(await listKeys(store, key('many/'), key('zzz')), [], 'after a key behind the prefix the listing gave');
}

export async function prefixes({ store, folder, key }: Bank): Promise<undefined> {
  const keys = ['ab/cd', 'ab/cde', 'abc/d', 'abc/de/f'].map(key);
  for (const one of keys) await store.put(one, randomBytes(3));
  demandSame(await listKeys(store, `${folder}/`), keys, 'of the folder the listing gave');
  demandSame(await listKeys(store, folder), keys, 'of the folder without slash the listing gave');
  demandSame(await listKeys(store, key('ab')), keys, 'of a beginning of two folders the listing gave');
  demandSame(await listKeys(store, key('ab/')), keys.slice(0, 2), 'of one of two folders the listing gave');
  demandSame(await listKeys(store, key('ab/cd')), keys.slice(0, 2), 'of a key that begins another the listing gave');
  demandSame(await listKeys(store, key('abc/d')), keys.slice(2), 'of a key that begins a folder the listing gave');
  demandSame(await listKeys(store, key('nothing')), [], 'of nothing the listing gave');
}

export async function listOrder({ store, folder, key }: Bank): Promise<undefined> {
  // `/` stands between `.` and `0`: a store that sorts folder by folder gets these wrong.
  const keys = ['Z', 'a-b', 'a.b', 'a/x/y', 'a/z', 'a0', 'a=', 'aB', 'a_', 'ab', 'a~'].map(key);
  for (const one of [...keys].reverse()) await store.put(one, randomBytes(1));
  demandSame(await listKeys(store, `${folder}/`), keys, 'the listing gave');
  for (const [index, one] of keys.entries())
    demandSame(await listKeys(store, `${folder}/`, one), keys.slice(index + 1), `after ${one} the listing gave`);
}

export async function deleting({ store, folder, key }: Bank): Promise<undefined> {
  for (const name of ['a', 'b', 'c']) await store.put(key(name), randomBytes(1));
  await store.delete([key('b')]);
  await store.delete([key('b')]);
  await store.delete([key('nothing'), key('a')]);
  await store.delete([]);
  await demandFault(store.get(key('a')), 'storage.missing', 'get of a deleted object');
  demandSame(await listKeys(store, `${folder}/`), [key('c')], 'after the deletes the listing gave');
}

export async function deleteMany(bank: Bank, count: number): Promise<undefined> {
  const keys = await putMany(bank, count);
  await bank.store.delete(keys.slice(1));
  demandSame(
    await listKeys(bank.store, bank.key('many/')),
    keys.slice(0, 1),
    'after deleting all but the first the listing gave',
  );
}

export async function ifAbsentRace({ store, key }: Bank): Promise<string | undefined> {
  if (!store.abilities.conditionalPut) return 'the store has no conditional put and says so';
  const bodies = Array.from({ length: 20 }, (_, index) => Buffer.from(`writer ${index}`));
  const results = await Promise.allSettled(bodies.map((body) => store.put(key('race'), body, { ifAbsent: true })));
  const winners = bodies.filter((_, index) => results[index]?.status === 'fulfilled');
  demand(winners.length === 1, `${winners.length} writers won`);
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    // A store under a race may also ask a loser to come again, which then loses for good.
    const lost = isFault(result.reason, 'storage.exists') || (isFault(result.reason) && result.reason.retry !== 'never');
    demand(lost, `a writer lost with ${String(result.reason)}`);
  }
  await demandContent(store, key('race'), winners[0] ?? Buffer.alloc(0));
  await demandFault(
    store.put(key('race'), randomBytes(4), { ifAbsent: true }),
    'storage.exists',
    'a put with ifAbsent over an object',
  );
  await demandContent(store, key('race'), winners[0] ?? Buffer.alloc(0));
  return undefined;
}

export async function oddKeys({ store, folder, key }: Bank): Promise<undefined> {
  const keys = ['a.b_c~d=e@f-g', '=@=', '...', 'a/~/-', 'A/a', `${'x'.repeat(200)}/y`, '0'].map(key).sort();
  for (const one of keys) await store.put(one, Buffer.from(one));
  for (const one of keys) await demandContent(store, one, Buffer.from(one));
  demandSame(await listKeys(store, `${folder}/`), keys, 'the listing gave');
}

export async function badKeys({ store }: Bank): Promise<undefined> {
  for (const bad of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    'a/../b',
    'a/./b',
    'a b',
    'a\0b',
    'a\\b',
    'ü',
    'a%2fb',
    'x'.repeat(256),
    'x/'.repeat(260),
  ]) {
    const named = JSON.stringify(bad);
    await demandFault(store.put(bad, randomBytes(1)), 'storage.bad_key', `put of ${named}`);
    await demandFault(store.get(bad), 'storage.bad_key', `get of ${named}`);
    await demandFault(store.stat(bad), 'storage.bad_key', `stat of ${named}`);
    await demandFault(store.delete([bad]), 'storage.bad_key', `delete of ${named}`);
  }
  for (const bad of ['/', '../', 'a//', 'a b', '%'])
    await demandFault(listKeys(store, bad), 'storage.bad_key', `list of ${JSON.stringify(bad)}`);
}

export async function aborted({ store, key, folder }: Bank): Promise<undefined> {
  await store.put(key('object'), randomBytes(10));
  const signal = AbortSignal.abort();
  const readList = async (): Promise<void> => {
    for await (const entry of store.list(`${folder}/`, { signal })) demand(false, `the listing gave ${entry.key}`);
  };
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    put: () => store.put(key('other'), randomBytes(10), { signal }),
    get: () => store.get(key('object'), { signal }),
    stat: () => store.stat(key('object'), { signal }),
    list: readList,
    delete: () => store.delete([key('object')], { signal }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await demandFault(call(), (fault) => fault.kind === 'cancelled', `an aborted ${name}`);
  }
  demand((await store.stat(key('object')))?.sizeBytes === 10, 'an aborted delete deleted');
}

export async function abortedPut({ store, folder, key }: Bank): Promise<undefined> {
  const body = randomBytes(8 * MiB);
  const keys: string[] = [];
  const returned = new Set<string>();
  for (const delayMs of [0, 1, 5, 20]) {
    const name = key(`after-${delayMs}-ms`);
    keys.push(name);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), delayMs);
    const ended = await store.put(name, body, { signal: controller.signal }).then(
      () => void returned.add(name),
      (error: unknown) => error,
    );
    demand(ended === undefined || (isFault(ended) && ended.kind === 'cancelled'), `an aborted put ended with ${String(ended)}`);
  }
  // What a server had read in full when we hung up may land some time after.
  for (let round = 0; round < 5 && (await listKeys(store, `${folder}/`)).length < keys.length; round++) await sleep(100);
  for await (const entry of store.list(`${folder}/`)) {
    demand(entry.sizeBytes === body.length, `${entry.key} has ${entry.sizeBytes} bytes`);
    await demandContent(store, entry.key, body);
    returned.delete(entry.key);
  }
  demand(returned.size === 0, 'a put that returned left nothing');
  // Those that were not seen as well: on Swift a later delete wins over an earlier put that lands after it.
  await store.delete(keys);
}
