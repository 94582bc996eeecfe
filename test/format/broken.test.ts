import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createFolder, listKeys, withRepository } from '../kit/repositories.ts';
import { goldenVolume, loadGolden } from './golden-content.ts';

const kinds = ['keys/', 'packs/', 'indexes/', 'snapshots/'] as const;

/** Gives the bytes that take the object's place; undefined deletes it. */
type Mutation = (bytes: Buffer, others: { readonly sibling: Buffer; readonly foreign: Buffer }) => Buffer | undefined;

const mutations: Readonly<Record<string, Mutation>> = {
  'a bit flipped at the start': (bytes) => flip(bytes, 0),
  'a bit flipped in the header': (bytes) => flip(bytes, Math.min(20, bytes.length - 1)),
  'a bit flipped in the middle': (bytes) => flip(bytes, bytes.length >> 1),
  'a bit flipped at the end': (bytes) => flip(bytes, bytes.length - 1),
  'cut in half': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'one byte short': (bytes) => bytes.subarray(0, -1),
  'longer by zeros': (bytes) => Buffer.concat([bytes, Buffer.alloc(16)]),
  'all zeros': (bytes) => Buffer.alloc(bytes.length),
  empty: () => Buffer.alloc(0),
  deleted: () => undefined,
  'swapped with a sibling': (_bytes, { sibling }) => sibling,
  "replayed from another project's repository": (_bytes, { foreign }) => foreign,
};

const volume = goldenVolume();
let foreign: ObjectStore;

beforeAll(async () => {
  foreign = createMemoryStore();
  using folder = createFolder();
  const path = folder.file('volume', volume);
  await withRepository(foreign, (repository) => repository.writeVolume({ path }, { subject: 'volume' }), {
    projectId: 'another',
  });
});

describe.each(kinds)('an object under %s', (kind) => {
  test.each(Object.entries(mutations))('%s: a named fault or the right bytes, and check says so', async (_name, mutate) => {
    using folder = createFolder();
    for (const key of await listKeys(await loadGolden('v1'), kind)) {
      const store = await loadGolden('v1');
      const ids = (await listKeys(store, 'snapshots/')).map((snapshot) => snapshot.replace('snapshots/', '').replace('/', '-'));
      await breakObject(store, key, kind, mutate);
      const outcome = await withRepository(
        store,
        async (repository) => {
          let faults = 0;
          for (const id of ids) {
            const path = folder.file(`${key.replaceAll('/', '-')}-${id}`);
            try {
              await restoreEither(repository, id, path);
            } catch (error) {
              faults++;
              // Only the snapshot's own object, deleted, is no damage but an absence.
              const isNamed = isFault(error) && (error.kind === 'corrupt' || error.code === 'repository.snapshot_absent');
              expect(isNamed, String(error)).toBe(true);
            }
          }
          return { faults, damages: (await repository.check(100, {})).damages };
        },
        { create: false, threads: 1 },
      );
      // A lost slot has its twin, and a lost snapshot is one that was forgotten; everything else that hurts is found by a check.
      if (kind === 'keys/') expect(outcome.faults).toBe(0);
      else if (
        outcome.faults > 0 &&
        !(kind === 'snapshots/' && mutate(Buffer.alloc(64), { sibling: Buffer.alloc(1), foreign: Buffer.alloc(1) }) === undefined)
      ) {
        expect(outcome.damages).not.toEqual([]);
      }
    }
  });
});

async function restoreEither(
  repository: Parameters<Parameters<typeof withRepository>[1]>[0],
  id: string,
  path: string,
): Promise<void> {
  try {
    await repository.restoreVolume(id, { path, overwrite: false }, {});
  } catch (error) {
    if (!isFault(error, 'repository.not_a_volume')) throw error;
    await repository.restoreTree(id, { path }, {});
    expect(readFileSync(`${path}/one`, 'utf8')).toBe('one\n');
    return;
  }
  expect(readFileSync(path).equals(volume)).toBe(true);
}

async function breakObject(store: ObjectStore, key: string, kind: string, mutate: Mutation): Promise<void> {
  const siblings = (await listKeys(store, kind)).filter((other) => other !== key);
  const [foreignKey = ''] = await listKeys(foreign, kind);
  const others = { sibling: await store.get(siblings[0] ?? key), foreign: await foreign.get(foreignKey) };
  const bytes = mutate(Buffer.from(await store.get(key)), others);
  await store.delete([key]);
  if (bytes) await store.put(key, bytes);
}

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
}
