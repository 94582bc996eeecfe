import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/faults.ts';
import type { Progress } from '../../src/repository/contract.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { changeStore, createFolder, listKeys, openTestRepository, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('repository/volume');

describe('writing', () => {
  test('one changed slot stores one chunk and the map', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    await withRepository(store, async (repository) => {
      const bytes = chance.bytes(20 * 256 * KiB);
      const path = folder.file('volume', bytes);
      await repository.writeVolume({ path }, { subject: 's' });
      chance.bytes(10).copy(bytes, 5 * 256 * KiB + 77);
      writeFileSync(path, bytes);
      const second = await repository.writeVolume({ path }, { subject: 's' });
      expect(second.reusedBytes).toBe(19 * 256 * KiB);
      expect(second.storedBytes).toBeGreaterThan(256 * KiB);
      expect(second.storedBytes).toBeLessThan(256 * KiB + 3000);
    });
  });

  test.skipIf(process.platform !== 'linux')('a file known by its times is taken over without being read', async () => {
    // 9 MB that nobody has touched for a while: one that was just made is not trusted.
    const path = fileURLToPath(import.meta.resolve('typescript'));
    await withRepository(createMemoryStore(), async (repository) => {
      const first = await repository.writeVolume({ path }, { subject: 's' });
      const before = bytesRead();
      const again = await repository.writeVolume({ path }, { subject: 's' });
      expect(bytesRead() - before).toBeLessThan(first.sizeBytes / 4);
      expect(again).toMatchObject({ digest: first.digest, reusedBytes: first.sizeBytes, storedBytes: 0 });
      const between = bytesRead();
      await repository.writeVolume({ path }, { subject: 's', readEverything: true });
      expect(bytesRead() - between).toBeGreaterThanOrEqual(first.sizeBytes);
    });
  });

  test('progress counts what is in the bank, never more, and ends at the size', async () => {
    using folder = createFolder();
    const memory = createMemoryStore();
    let durable = 0;
    const store = changeStore(memory, {
      async put(key, body, options) {
        await memory.put(key, body, options);
        if (key.startsWith('packs/') && body instanceof Uint8Array) durable += body.length;
      },
    });
    const seen: Progress[] = [];
    const bytes = Buffer.concat([chance.bytes(40 * MiB), Buffer.alloc(3 * MiB)]);
    await withRepository(store, async (repository) => {
      const summary = await repository.writeVolume(
        { path: folder.file('v', bytes) },
        {
          subject: 's',
          onProgress: (progress) => {
            seen.push(progress);
            expect(progress.doneBytes - progress.reusedBytes).toBeLessThanOrEqual(durable);
          },
        },
      );
      expect(seen.at(-1)).toMatchObject({ phase: 'write', doneBytes: bytes.length, totalBytes: bytes.length });
      expect(seen.length).toBeGreaterThan(3);
      expect(summary.storedBytes).toBeGreaterThan(40 * MiB);
    });
  });

  test.each([
    ['too short', 100, 101],
    ['too long', 101, 100],
  ])('a stream that is %s is refused and leaves no snapshot', async (_name, length, sizeBytes) => {
    await withRepository(createMemoryStore(), async (repository) => {
      const write = repository.writeVolume({ stream: once(Buffer.alloc(length, 1)), sizeBytes }, { subject: 's' });
      await expect(write).rejects.toMatchObject({ code: 'repository.stream_length', kind: 'invalid' });
      expect(await repository.listSnapshots()).toEqual([]);
    });
  });

  test('a file that is not there, a folder and an unknown parent are named', async () => {
    using folder = createFolder();
    await withRepository(createMemoryStore(), async (repository) => {
      await expect(repository.writeVolume({ path: folder.file('absent') }, { subject: 's' })).rejects.toMatchObject({
        kind: 'not-found',
      });
      await expect(repository.writeVolume({ path: folder.path }, { subject: 's' })).rejects.toMatchObject({
        code: 'repository.not_a_volume',
      });
      const changed = { since: `${'0'.repeat(32)}-${'0'.repeat(32)}`, extents: [] };
      const write = repository.writeVolume({ path: folder.file('v', Buffer.alloc(9)), changed }, { subject: 's' });
      await expect(write).rejects.toMatchObject({ code: 'repository.snapshot_absent' });
    });
  });

  test('an index that was lost heals with the next write, even where the source is known to be the same', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    const bytes = chance.bytes(3 * MiB);
    const path = folder.file('v', bytes);
    const first = await withRepository(store, (repository) => repository.writeVolume({ path }, { subject: 's' }));
    await store.delete(await listKeys(store, 'indexes/'));
    await withRepository(store, async (repository) => {
      await expect(repository.restoreVolume(first.id, { path: folder.file('r'), overwrite: false }, {})).rejects.toMatchObject({
        code: 'repository.chunk_absent',
        kind: 'corrupt',
      });
      await repository.writeVolume({ path, changed: { since: first.id, extents: [] } }, { subject: 's' });
      await repository.restoreVolume(first.id, { path: folder.file('r'), overwrite: false }, {});
      expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);
    });
  });
});

describe('several at once', () => {
  test('writes in one repository and in another process share what they store', async () => {
    using folder = createFolder();
    const store = createMemoryStore();
    const [a, b] = [await openTestRepository(store), await openTestRepository(store)];
    try {
      const common = chance.bytes(5 * MiB);
      const volumes = await Promise.all(
        [0, 1, 2, 3].map(async (n) => {
          const bytes = Buffer.concat([common, chance.bytes(MiB + n)]);
          const writer = n === 3 ? b : a;
          return { bytes, ...(await writer.writeVolume({ path: folder.file(`v${n}`, bytes) }, { subject: `s${n}` })) };
        }),
      );
      for (const { id, bytes } of volumes) {
        const path = folder.file(`r${id}`);
        await b.restoreVolume(id, { path, overwrite: false }, {});
        expect(readFileSync(path).equals(bytes)).toBe(true);
      }
      let packed = 0;
      for await (const { sizeBytes } of store.list('packs/')) packed += sizeBytes;
      // Once by `a`, once by `b`, who could not know; not once a volume.
      expect(packed).toBeLessThan(2 * 5 * MiB + 4 * MiB + 300 * KiB);
      expect((await a.check(100, {})).damages).toEqual([]);
    } finally {
      await a.close();
      await b.close();
    }
  });

  test('one pack that cannot be stored fails every write that may rely on it, and the next one stores it again', async () => {
    using folder = createFolder();
    const memory = createMemoryStore();
    let refuse = true;
    const store = changeStore(memory, {
      async put(key, body, options) {
        if (refuse && key.startsWith('packs/'))
          throw new Fault('unavailable', 'storage.full', 'The bank is full.', { retry: 'never' });
        await memory.put(key, body, options);
      },
    });
    await withRepository(store, async (repository) => {
      const bytes = chance.bytes(2 * MiB);
      const path = folder.file('v', bytes);
      const both = await Promise.allSettled(['s', 't'].map((subject) => repository.writeVolume({ path }, { subject })));
      expect(both.map((one) => one.status === 'rejected' && (one.reason as Fault).code)).toEqual([
        'storage.full',
        'storage.full',
      ]);
      refuse = false;
      const { id } = await repository.writeVolume({ path }, { subject: 's' });
      await repository.restoreVolume(id, { path: folder.file('r'), overwrite: false }, {});
      expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);
    });
  });
});

describe('restoring', () => {
  test('leaves holes where the volume has zeros, and nothing under the name before it is whole', async () => {
    using folder = createFolder();
    await withRepository(createMemoryStore(), async (repository) => {
      const path = folder.file('v', chance.bytes(MiB));
      truncateSync(path, 300 * MiB);
      const written = await repository.writeVolume({ path }, { subject: 's' });
      expect(written.reusedBytes).toBe(299 * MiB);
      const phases = new Set<string>();
      const target = folder.file('r');
      await repository.restoreVolume(
        written.id,
        { path: target, overwrite: false },
        {
          onProgress: ({ phase, doneBytes, totalBytes }) => {
            phases.add(phase);
            expect(doneBytes).toBeLessThanOrEqual(totalBytes);
            expect(existsSync(target)).toBe(false);
          },
        },
      );
      expect([...phases]).toEqual(['restore', 'verify']);
      expect(statSync(target).size).toBe(300 * MiB);
      expect(statSync(target).blocks * 512).toBeLessThan(2 * MiB);
    });
  });

  test('refuses a name that is taken, a target that is too small, a range beyond the end, an unknown snapshot', async () => {
    using folder = createFolder();
    await withRepository(createMemoryStore(), async (repository) => {
      const { id } = await repository.writeVolume({ path: folder.file('v', Buffer.alloc(5000, 5)) }, { subject: 's' });
      const small = folder.file('small', Buffer.alloc(4999));
      await expect(repository.restoreVolume(id, { path: small, overwrite: false }, {})).rejects.toMatchObject({
        code: 'repository.target_exists',
      });
      await expect(repository.restoreVolume(id, { path: small, overwrite: true }, {})).rejects.toMatchObject({
        code: 'repository.target_too_small',
      });
      await expect(repository.readVolume(id, 4000, 1001, {})).rejects.toMatchObject({ code: 'repository.bad_range' });
      for (const unknown of ['', 'x', '../keys', id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))]) {
        await expect(repository.readVolume(unknown, 0, 1, {})).rejects.toMatchObject({
          code: 'repository.snapshot_absent',
          kind: 'not-found',
        });
      }
      expect(readdirSync(folder.path).sort()).toEqual(['small', 'v']);
    });
  });

  test('a forgotten snapshot is gone, twice is fine, and the others stay', async () => {
    using folder = createFolder();
    await withRepository(createMemoryStore(), async (repository) => {
      const path = folder.file('v', chance.bytes(MiB));
      const [a, b] = [
        await repository.writeVolume({ path }, { subject: 's' }),
        await repository.writeVolume({ path }, { subject: 's' }),
      ];
      await repository.forget(a.id);
      await repository.forget(a.id);
      expect(await repository.listSnapshots()).toEqual([b.id]);
      expect((await repository.verifySnapshot(b.id, 100, {})).damages).toEqual([]);
      await expect(repository.verifySnapshot(a.id, 100, {})).rejects.toMatchObject({ code: 'repository.snapshot_absent' });
    });
  });
});

describe('cancelling', () => {
  test('a write, a restore and a check end, nothing half-made stays, and the repository works on', async () => {
    using folder = createFolder();
    const memory = createMemoryStore();
    let hang = false;
    const store = changeStore(memory, {
      put: (key, body, options) => (hang && key.startsWith('packs/') ? hung(options?.signal) : memory.put(key, body, options)),
      get: (key, options) => (hang && key.startsWith('packs/') ? hung(options?.signal) : memory.get(key, options)),
    });
    await withRepository(store, async (repository) => {
      const bytes = chance.bytes(2 * MiB);
      const { id } = await repository.writeVolume({ path: folder.file('v', bytes) }, { subject: 's' });
      hang = true;
      // Far more than the pack buffers hold: the workers stand waiting for the bank.
      const big = folder.file('big', chance.bytes(130 * MiB));
      const works: ((signal: AbortSignal) => Promise<unknown>)[] = [
        (signal) => repository.writeVolume({ path: big }, { subject: 'big', signal }),
        (signal) => repository.restoreVolume(id, { path: folder.file('r'), overwrite: false }, { signal }),
        (signal) => repository.check(100, { signal }),
        (signal) => repository.verifySnapshot(id, 100, { signal }),
      ];
      for (const work of works) {
        const abort = new AbortController();
        setTimeout(() => abort.abort(new Fault('cancelled', 'test.cancelled', 'Enough.')), 300);
        await expect(work(abort.signal)).rejects.toMatchObject({ kind: 'cancelled' });
        await expect(work(AbortSignal.abort())).rejects.toMatchObject({ kind: 'cancelled' });
      }
      hang = false;
      expect(readdirSync(folder.path).sort()).toEqual(['big', 'v']);
      await repository.restoreVolume(id, { path: folder.file('r'), overwrite: false }, {});
      expect(readFileSync(folder.file('r')).equals(bytes)).toBe(true);
    });
  });
});

test('a stream that never goes on ends with the signal', async () => {
  await withRepository(createMemoryStore(), async (repository) => {
    const abort = new AbortController();
    async function* stuck(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(100, 1);
      abort.abort();
      await new Promise(() => undefined);
    }
    const write = repository.writeVolume({ stream: stuck(), sizeBytes: 200 }, { subject: 's', signal: abort.signal });
    await expect(write).rejects.toMatchObject({ kind: 'cancelled' });
  });
});

test('a terabyte of hole is written, restored and compared without being read', async () => {
  using folder = createFolder();
  await withRepository(createMemoryStore(), async (repository) => {
    const bytes = chance.bytes(MiB);
    const path = folder.file('v', bytes);
    truncateSync(path, 2 ** 40);
    const { id, reusedBytes } = await repository.writeVolume({ path }, { subject: 's' });
    expect(reusedBytes).toBe(2 ** 40 - MiB);
    await repository.restoreVolume(id, { path: folder.file('r'), overwrite: false }, {});
    expect(statSync(folder.file('r')).size).toBe(2 ** 40);
    expect((await repository.readVolume(id, 0, MiB, {})).equals(bytes)).toBe(true);
  });
});

test.skipIf(process.platform !== 'linux')('of a volume with data here and there, no more than the data is read', async () => {
  using folder = createFolder();
  const path = folder.file('v', Buffer.alloc(0));
  truncateSync(path, 256 * MiB);
  const fd = openSync(path, 'r+');
  for (let at = 0; at < 256 * MiB; at += 5 * MiB) writeSync(fd, chance.bytes(KiB), 0, KiB, at + 300 * KiB);
  closeSync(fd);
  await withRepository(createMemoryStore(), async (repository) => {
    await repository.listSnapshots();
    const before = bytesRead();
    const { id, reusedBytes } = await repository.writeVolume({ path }, { subject: 's' });
    expect(reusedBytes).toBe(256 * MiB - 52 * 256 * KiB);
    await repository.restoreVolume(id, { path: folder.file('r'), overwrite: false }, {});
    // Each of the 52 slots once to protect it and once to compare it; the rest is what Node reads to start threads.
    expect(bytesRead() - before).toBeLessThan(64 * MiB);
  });
  expect(readFileSync(folder.file('r')).equals(readFileSync(path))).toBe(true);
});

test('closing in the middle of a write ends it, and what it had stored is sound', async () => {
  using folder = createFolder();
  const store = createMemoryStore();
  const repository = await openTestRepository(store);
  const write = repository.writeVolume(
    { path: folder.file('v', chance.bytes(60 * MiB)) },
    { subject: 's', onProgress: ({ doneBytes }) => void (doneBytes > 0 && repository.close()) },
  );
  await expect(write).rejects.toMatchObject({ code: 'repository.closed' });
  await expect(repository.writeVolume({ path: folder.file('v') }, { subject: 's' })).rejects.toMatchObject({
    code: 'repository.closed',
  });
  expect((await withRepository(store, (again) => again.check(100, {}))).damages).toEqual([]);
});

/** By this process, in all. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

function hung(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted) reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
