import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KiB, MiB } from '../../src/base/bytes.ts';
import type { Progress, Repository } from '../../src/repository/contract.ts';
import { copySnapshot } from '../../src/repository/copy/copy.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import {
  changeStore,
  createFolder,
  createMortalStore,
  listKeys,
  openTestRepository,
  withRepository,
} from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';
import { compareTrees } from '../kit/tree-compare.ts';
import { makeSampleTree } from '../kit/tree-sample.ts';

const chance = createSeeded('repository/copy');
const otherBank = { projectId: '0ther000000000000000000000000bad', providerKey: Buffer.alloc(32, 7) };
const slot = 256 * KiB;

interface Pair extends AsyncDisposable {
  readonly from: Repository;
  readonly to: Repository;
}

async function openPair(fromStore: ObjectStore, toStore: ObjectStore): Promise<Pair> {
  const from = await openTestRepository(fromStore);
  const to = await openTestRepository(toStore, otherBank);
  return {
    from,
    to,
    async [Symbol.asyncDispose]() {
      await from.close();
      await to.close();
    },
  };
}

/** Counts the bytes that come out of packs. */
function meter(store: ObjectStore): ObjectStore & { packBytes: number } {
  const metered = {
    packBytes: 0,
    ...changeStore(store, {
      async get(key, options) {
        const bytes = await store.get(key, options);
        if (key.startsWith('packs/')) metered.packBytes += bytes.length;
        return bytes;
      },
    }),
  };
  return metered;
}

describe('volumes', () => {
  test('a copy restores byte-equal when the source is gone, and has the digest that a protect into its bank would have', async () => {
    using folder = createFolder();
    const toStore = createMemoryStore();
    // Holes, one chunk in many places, text that compresses a thousandfold, an end within a slot.
    const repeated = chance.bytes(slot);
    const bytes = Buffer.concat([
      chance.bytes(5 * MiB),
      Buffer.alloc(9 * MiB),
      repeated,
      repeated,
      Buffer.alloc(40 * MiB, 'the same words again and again '),
      chance.bytes(700_001),
    ]);
    let copied: string;
    {
      await using pair = await openPair(createMemoryStore(), toStore);
      const path = folder.file('v', bytes);
      const original = await pair.from.writeVolume({ path }, { subject: 's' });
      const seen: Progress[] = [];
      const copy = await copySnapshot(pair.from, original.id, pair.to, { onProgress: (progress) => seen.push(progress) });
      expect(copy).toMatchObject({ kind: 'volume', sizeBytes: bytes.length, files: 1 });
      expect(copy.digest).not.toBe(original.digest);
      expect(seen.at(-1)).toMatchObject({ phase: 'write', doneBytes: bytes.length, totalBytes: bytes.length });
      expect(copy.reusedBytes).toBe(original.reusedBytes);
      const native = await pair.to.writeVolume({ path }, { subject: 's', readEverything: true });
      expect(native).toMatchObject({ digest: copy.digest, reusedBytes: bytes.length });
      copied = copy.id;
    }
    await withRepository(
      toStore,
      async (to) => {
        await to.restoreVolume(copied, { path: folder.file('r'), overwrite: false }, {});
        expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);
        expect((await to.check(100, {})).damages).toEqual([]);
      },
      { ...otherBank, create: false },
    );
  });

  test('the second copy of a changed volume reads and moves what changed', async () => {
    using folder = createFolder();
    const fromStore = meter(createMemoryStore());
    const toStore = createMemoryStore();
    await using pair = await openPair(fromStore, toStore);
    const bytes = chance.bytes(64 * MiB);
    const path = folder.file('v', bytes);
    const first = await pair.from.writeVolume({ path }, { subject: 's' });
    await copySnapshot(pair.from, first.id, pair.to, {});
    for (const at of [3, 77, 200]) chance.bytes(100).copy(bytes, at * slot);
    bytes.fill(0, 90 * slot, 91 * slot);
    writeFileSync(path, bytes);
    const second = await pair.from.writeVolume({ path }, { subject: 's' });

    fromStore.packBytes = 0;
    const copy = await copySnapshot(pair.from, second.id, pair.to, {});
    expect(copy.reusedBytes).toBe(64 * MiB - 3 * slot);
    expect(copy.storedBytes).toBeLessThan(3 * slot + 30_000);
    expect(fromStore.packBytes).toBeLessThan(3 * slot + 60_000);
    await pair.to.restoreVolume(copy.id, { path: folder.file('r'), overwrite: false }, {});
    expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);

    // Nothing changed: neither read nor stored, but for maps.
    fromStore.packBytes = 0;
    const again = await copySnapshot(pair.from, second.id, pair.to, {});
    expect(again).toMatchObject({ digest: copy.digest, storedBytes: expect.any(Number), reusedBytes: 64 * MiB });
    expect(again.storedBytes).toBeLessThan(3000);
    expect(fromStore.packBytes).toBe(0);
  });

  test('chunks that the copy before has lost are read and stored again', async () => {
    using folder = createFolder();
    const toStore = createMemoryStore();
    await using pair = await openPair(createMemoryStore(), toStore);
    const bytes = chance.bytes(8 * MiB);
    const first = await pair.from.writeVolume({ path: folder.file('v', bytes) }, { subject: 's' });
    await copySnapshot(pair.from, first.id, pair.to, {});
    await toStore.delete([...(await listKeys(toStore, 'indexes/'))]);
    await withRepository(
      toStore,
      async (to) => {
        const copy = await copySnapshot(pair.from, first.id, to, {});
        expect(copy.storedBytes).toBeGreaterThan(8 * MiB);
        await to.restoreVolume(copy.id, { path: folder.file('r'), overwrite: false }, {});
        expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);
      },
      otherBank,
    );
  });

  test('a volume that shrank and grew between copies', async () => {
    using folder = createFolder();
    await using pair = await openPair(createMemoryStore(), createMemoryStore());
    const bytes = chance.bytes(10 * MiB);
    for (const size of [10 * MiB, 5 * MiB + 1234, 0, 7 * MiB + 99]) {
      const path = folder.file('v', bytes.subarray(0, size));
      const { id } = await pair.from.writeVolume({ path }, { subject: 's' });
      const copy = await copySnapshot(pair.from, id, pair.to, {});
      await pair.to.restoreVolume(copy.id, { path: folder.file(`r${size}`), overwrite: false }, {});
      expect(readFileSync(folder.file(`r${size}`)).equals(bytes.subarray(0, size))).toBe(true);
    }
  });
});

describe('trees', () => {
  test('a copy restores equal in every attribute when the source is gone', async () => {
    using folder = createFolder();
    const tree = join(folder.path, 'tree');
    mkdirSync(tree);
    makeSampleTree(tree);
    const toStore = createMemoryStore();
    let copied: string;
    {
      await using pair = await openPair(createMemoryStore(), toStore);
      const original = await pair.from.writeTree({ path: tree }, { subject: 't' });
      const seen: Progress[] = [];
      const copy = await copySnapshot(pair.from, original.id, pair.to, { onProgress: (progress) => seen.push(progress) });
      expect(copy).toMatchObject({ kind: 'tree', sizeBytes: original.sizeBytes, files: original.files });
      expect(seen.at(-1)).toMatchObject({ doneBytes: copy.sizeBytes, totalBytes: copy.sizeBytes });
      // What a protect into that bank would have made of it, chunk by chunk.
      const native = await pair.to.writeTree({ path: tree }, { subject: 't', readEverything: true });
      expect(native.digest).toBe(copy.digest);
      expect(native.storedBytes).toBeLessThan(60_000); // segments, whose hints may differ by now
      copied = copy.id;
    }
    await withRepository(
      toStore,
      async (to) => {
        const restored = join(folder.path, 'restored');
        await to.restoreTree(copied, { path: restored }, {});
        expect(compareTrees(tree, restored)).toEqual([]);
        expect((await to.check(100, {})).damages).toEqual([]);
      },
      { ...otherBank, create: false },
    );
  });

  test('the second copy of a changed tree reads and moves what changed', async () => {
    using folder = createFolder();
    const tree = join(folder.path, 'tree');
    for (let n = 0; n < 25; n++) {
      mkdirSync(join(tree, `folder ${n}`), { recursive: true });
      for (let m = 0; m < 60; m++) writeFileSync(join(tree, `folder ${n}`, `file ${m}`), chance.bytes(4000));
    }
    writeFileSync(join(tree, 'large'), chance.bytes(12 * MiB));
    const fromStore = meter(createMemoryStore());
    await using pair = await openPair(fromStore, createMemoryStore());
    const first = await pair.from.writeTree({ path: tree }, { subject: 't' });
    await copySnapshot(pair.from, first.id, pair.to, {});
    appendFileSync(join(tree, 'folder 7', 'file 9'), 'more');
    appendFileSync(join(tree, 'large'), chance.bytes(100));
    renameSync(join(tree, 'folder 20', 'file 1'), join(tree, 'folder 20', 'renamed'));
    const second = await pair.from.writeTree({ path: tree }, { subject: 't' });

    fromStore.packBytes = 0;
    const copy = await copySnapshot(pair.from, second.id, pair.to, {});
    expect(copy.sizeBytes).toBe(second.sizeBytes);
    expect(copy.reusedBytes).toBeGreaterThan(13 * MiB);
    // The last chunk of the large file, at most 4 MiB, and some segments.
    expect(copy.storedBytes).toBeLessThan(6 * MiB);
    expect(fromStore.packBytes).toBeLessThan(8 * MiB);
    const restored = join(folder.path, 'restored');
    await pair.to.restoreTree(copy.id, { path: restored }, {});
    expect(compareTrees(tree, restored)).toEqual([]);
  });

  test('a file whose chunks fill lists of their own', async () => {
    using folder = createFolder();
    const tree = join(folder.path, 'tree');
    mkdirSync(tree);
    // Runs of 4 KiB with holes of 64 KiB between: 40 bytes of list for each.
    writeSparse(join(tree, 'holes'), 1000);
    await using pair = await openPair(createMemoryStore(), createMemoryStore());
    const { id } = await pair.from.writeTree({ path: tree }, { subject: 't' });
    const copy = await copySnapshot(pair.from, id, pair.to, {});
    await pair.to.restoreTree(copy.id, { path: join(folder.path, 'restored') }, {});
    expect(compareTrees(tree, join(folder.path, 'restored'))).toEqual([]);
    expect(await copySnapshot(pair.from, id, pair.to, {})).toMatchObject({ digest: copy.digest, reusedBytes: copy.sizeBytes });
  });
});

describe('what goes wrong', () => {
  test('damage of the source fails the copy, names the object, and nothing is published', async () => {
    using folder = createFolder();
    const fromStore = createMemoryStore();
    const { id } = await withRepository(fromStore, (from) =>
      from.writeVolume({ path: folder.file('v', chance.bytes(40 * MiB)) }, { subject: 's' }),
    );
    const [pack = ''] = await listKeys(fromStore, 'packs/');
    const bytes = Buffer.from(await fromStore.get(pack));
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    await fromStore.delete([pack]);
    await fromStore.put(pack, bytes);
    await using pair = await openPair(fromStore, createMemoryStore());
    const copy = copySnapshot(pair.from, id, pair.to, {});
    await expect(copy).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'repository.pack_damaged',
      message: expect.stringContaining(pack),
    });
    expect(await pair.to.listSnapshots()).toEqual([]);

    await fromStore.delete([pack]);
    await expect(copySnapshot(pair.from, id, pair.to, {})).rejects.toMatchObject({ message: expect.stringContaining(pack) });
    expect(await pair.to.listSnapshots()).toEqual([]);
  });

  test('a copy that was stopped goes on from what is there: all prefixes of its writes', async () => {
    using folder = createFolder();
    const bytes = chance.bytes(20 * MiB);
    const fromStore = createMemoryStore();
    const { id } = await withRepository(fromStore, (from) =>
      from.writeVolume({ path: folder.file('v', bytes) }, { subject: 's' }),
    );
    let complete = 0;
    for (let puts = 2; complete === 0; puts++) {
      const toStore = createMemoryStore();
      const mortal = createMortalStore(toStore, puts);
      await using from = await openTestRepository(fromStore).then(closing);
      const dead = await openTestRepository(mortal, otherBank);
      const outcome = await copySnapshot(from.repository, id, dead, {}).catch((error: unknown) => error);
      await dead.close();
      if (!(outcome instanceof Error)) complete = puts;
      await withRepository(
        toStore,
        async (to) => {
          expect((await to.listSnapshots()).length).toBe(outcome instanceof Error ? 0 : 1);
          const copy = await copySnapshot(from.repository, id, to, {});
          if (!(outcome instanceof Error)) expect(copy.storedBytes).toBeLessThan(3000);
          await to.verifySnapshot(copy.id, 100, {}).then(({ damages }) => expect(damages).toEqual([]));
        },
        otherBank,
      );
    }
    // Two key slots, a pack of each thread, an index and the snapshot.
    expect(complete).toBeGreaterThan(5);
  });

  test('a cancel ends it, and the next one stores what is missing', async () => {
    using folder = createFolder();
    const toStore = createMemoryStore();
    await using pair = await openPair(createMemoryStore(), toStore);
    const { id } = await pair.from.writeVolume({ path: folder.file('v', chance.bytes(64 * MiB)) }, { subject: 's' });
    const cancel = new AbortController();
    const stopped = copySnapshot(pair.from, id, pair.to, {
      signal: cancel.signal,
      onProgress: ({ storedBytes }) => storedBytes > 0 && cancel.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'base.cancelled' });
    expect(await pair.to.listSnapshots()).toEqual([]);
    const copy = await copySnapshot(pair.from, id, pair.to, {});
    expect(copy.storedBytes).toBeLessThan(56 * MiB);
    expect((await pair.to.verifySnapshot(copy.id, 100, {})).damages).toEqual([]);
  });

  test('a snapshot is not copied onto itself, and one that is not there is named', async () => {
    using folder = createFolder();
    await using pair = await openPair(createMemoryStore(), createMemoryStore());
    const { id } = await pair.from.writeVolume({ path: folder.file('v', Buffer.alloc(9, 1)) }, { subject: 's' });
    await expect(copySnapshot(pair.from, id, pair.from, {})).rejects.toMatchObject({ code: 'repository.copy_in_place' });
    await pair.from.forget(id);
    await expect(copySnapshot(pair.from, id, pair.to, {})).rejects.toMatchObject({ code: 'repository.snapshot_absent' });
    await expect(copySnapshot({ ...pair.from }, id, pair.to, {})).rejects.toMatchObject({ code: 'repository.not_open' });
  });
});

function closing(repository: Repository): { readonly repository: Repository } & AsyncDisposable {
  return { repository, [Symbol.asyncDispose]: () => repository.close() };
}

function writeSparse(path: string, runs: number): void {
  const fd = openSync(path, 'w');
  for (let n = 0; n < runs; n++) writeSync(fd, chance.bytes(4 * KiB), 0, 4 * KiB, n * 68 * KiB);
  closeSync(fd);
}
