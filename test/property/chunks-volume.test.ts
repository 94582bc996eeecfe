import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KiB } from '../../src/base/bytes.ts';
import type { Extent, Repository } from '../../src/repository/contract.ts';
import { slotBytes } from '../../src/repository/volume/map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createFolder, listKeys, openTestRepository } from '../kit/repositories.ts';
import { createSeeded, seed } from '../kit/seeded.ts';

const chance = createSeeded('property/chunks-volume');
const pool = chance.bytes(4 * slotBytes);
const store = createMemoryStore();
const folder = createFolder();
let repository: Repository;

beforeAll(async () => {
  repository = await openTestRepository(store);
});
afterAll(async () => {
  await repository.close();
  folder[Symbol.dispose]();
});

/** A piece of a volume: zeros, or bytes of the pool, so that equal chunks turn up in many places. */
const piece = fc.record({
  zero: fc.boolean(),
  from: fc.nat(2 * slotBytes),
  length: fc.oneof(fc.nat(3000), fc.nat(2 * slotBytes), fc.constantFrom(slotBytes, 512, slotBytes - 1)),
});
const volume = fc
  .array(piece, { maxLength: 8 })
  .map((pieces) =>
    Buffer.concat(pieces.map(({ zero, from, length }) => (zero ? Buffer.alloc(length) : pool.subarray(from, from + length)))),
  );
const edit = fc.record({ at: fc.nat(8 * slotBytes), length: fc.integer({ min: 1, max: 5000 }), zero: fc.boolean() });

let runs = 0;

function write(bytes: Buffer, name: string): string {
  const path = folder.file(name);
  writeFileSync(path, bytes);
  return path;
}

async function restored(id: string): Promise<Buffer> {
  const path = folder.file(`restored-${runs++}`);
  await repository.restoreVolume(id, { path, overwrite: false }, {});
  return readFileSync(path);
}

test('a volume comes back byte for byte; the same again stores no pack; every range can be read', async () => {
  await fc.assert(
    fc.asyncProperty(volume, fc.nat(), fc.nat(), async (bytes, a, b) => {
      const path = write(bytes, 'volume');
      const subject = `same-${runs}`;
      const first = await repository.writeVolume({ path }, { subject });
      expect(first.sizeBytes).toBe(bytes.length);
      expect((await restored(first.id)).equals(bytes)).toBe(true);
      const packs = await listKeys(store, 'packs/');
      const again = await repository.writeVolume({ path }, { subject });
      expect(again).toMatchObject({ digest: first.digest, storedBytes: 0, reusedBytes: bytes.length });
      expect(await listKeys(store, 'packs/')).toEqual(packs);
      const [from = 0, end = 0] = [a % (bytes.length + 1), b % (bytes.length + 1)].sort((x, y) => x - y);
      expect((await repository.readVolume(first.id, from, end - from, {})).equals(bytes.subarray(from, end))).toBe(true);
    }),
    { numRuns: 25, seed },
  );
});

test('a stream gives what a file of the same bytes gives, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      volume,
      fc.array(fc.integer({ min: 1, max: 400 * KiB }), { minLength: 1, maxLength: 5 }),
      async (bytes, cuts) => {
        const fromFile = await repository.writeVolume({ path: write(bytes, 'volume') }, { subject: 'file' });
        const stream = cutUp(bytes, cuts);
        const fromStream = await repository.writeVolume({ stream, sizeBytes: bytes.length }, { subject: 'stream' });
        expect(fromStream.digest).toBe(fromFile.digest);
      },
    ),
    { numRuns: 15, seed },
  );
});

test('changed, grown and shrunk: with the list of changes the same snapshot as without', async () => {
  await fc.assert(
    fc.asyncProperty(
      volume,
      fc.array(edit, { maxLength: 4 }),
      fc.integer({ min: -2 * slotBytes, max: 2 * slotBytes }),
      async (bytes, edits, growth) => {
        const subject = `changed-${runs}`;
        const before = await repository.writeVolume({ path: write(bytes, 'volume') }, { subject });
        const changed = Buffer.alloc(Math.max(0, bytes.length + growth));
        bytes.copy(changed);
        const extents: Extent[] = [];
        for (const { at, length, zero } of edits) {
          if (at >= changed.length) continue;
          const piece = zero ? Buffer.alloc(length) : chance.bytes(length);
          extents.push({ offset: at, length: piece.copy(changed, at) });
        }
        if (growth > 0 && extents.length > 0) changed.fill(7, bytes.length); // what is new needs no extent
        const path = write(changed, 'volume');
        const byList = await repository.writeVolume({ path, changed: { since: before.id, extents } }, { subject });
        const byReading = await repository.writeVolume({ path }, { subject, readEverything: true });
        expect(byList.digest).toBe(byReading.digest);
        expect((await restored(byList.id)).equals(changed)).toBe(true);
      },
    ),
    { numRuns: 25, seed },
  );
});

test('overwriting any larger file gives the volume and leaves what is behind it', async () => {
  await fc.assert(
    fc.asyncProperty(volume, volume, fc.nat(5000), async (bytes, old, behind) => {
      const { id } = await repository.writeVolume({ path: write(bytes, 'volume') }, { subject: 'overwrite' });
      const target = Buffer.alloc(Math.max(bytes.length, old.length) + behind, 9);
      old.copy(target);
      const path = write(target, 'target');
      await repository.restoreVolume(id, { path, overwrite: true }, {});
      bytes.copy(target);
      expect(readFileSync(path).equals(target)).toBe(true);
    }),
    { numRuns: 15, seed },
  );
});

async function* cutUp(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const length = cuts[n % cuts.length] ?? bytes.length;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
