import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KiB } from '../../src/base/bytes.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { slotBytes } from '../../src/repository/volume/map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createFolder, openTestRepository } from '../kit/repositories.ts';
import { createSeeded, seed } from '../kit/seeded.ts';

const chance = createSeeded('property/chunks-volume');
const pool = chance.bytes(4 * slotBytes);
const folder = createFolder();
let repository: Repository;

beforeAll(async () => {
  repository = await openTestRepository(createMemoryStore());
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
function write(bytes: Buffer, name: string): string {
  const path = folder.file(name);
  writeFileSync(path, bytes);
  return path;
}

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
