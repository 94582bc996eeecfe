import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createGatedStore } from '../kit/gated-store.ts';
import { createFolder, withRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';

const chance = createSeeded('repository/volume-requests');

interface Requests {
  ranges: number;
  bytes: number;
  /** The most at one moment. */
  rangesAtOnce: number;
  bytesAtOnce: number;
}

/** What a restore asks the bank for once the snapshot, its maps and the index are read. */
function countRanges(store: ObjectStore): { readonly store: ObjectStore; readonly seen: Requests } {
  const seen: Requests = { ranges: 0, bytes: 0, rangesAtOnce: 0, bytesAtOnce: 0 };
  let [ranges, bytes] = [0, 0];
  const gated = createGatedStore(store);
  const get: ObjectStore['get'] = async (key, options) => {
    const length = options?.range?.length ?? 0;
    if (length < 256 * KiB) return store.get(key, options);
    ranges++;
    bytes += length;
    seen.ranges++;
    seen.bytes += length;
    seen.rangesAtOnce = Math.max(seen.rangesAtOnce, ranges);
    seen.bytesAtOnce = Math.max(seen.bytesAtOnce, bytes);
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    ranges--;
    bytes -= length;
    return store.get(key, options);
  };
  return { store: { ...gated, get }, seen };
}

test('a restore asks for halves of packs, few at once, and for many small ranges at once', async () => {
  using folder = createFolder();
  const bank = createMemoryStore();
  const full = chance.bytes(64 * MiB);
  // Every other MiB, which is a block.
  const half = Buffer.from(full);
  for (let at = 0; at < half.length; at += 2 * MiB) half.fill(0, at, at + MiB);
  const snapshots = await withRepository(
    bank,
    async (repository) => [
      await repository.writeVolume({ path: folder.file('full', full) }, { subject: 'full' }),
      await repository.writeVolume({ path: folder.file('half', half) }, { subject: 'half' }),
    ],
    { threads: 1 },
  );
  const seen: Requests[] = [];
  for (const [at, snapshot] of snapshots.entries()) {
    const counted = countRanges(bank);
    const path = join(folder.path, `restored-${at}`);
    await withRepository(counted.store, (repository) => repository.restoreVolume(snapshot.id, { path, overwrite: false }, {}));
    expect(readFileSync(path).equals(at === 0 ? full : half)).toBe(true);
    seen.push(counted.seen);
  }
  expect(seen[0]).toMatchObject({ ranges: 8, rangesAtOnce: 3 });
  expect(seen[0]?.bytesAtOnce).toBeLessThanOrEqual(27 * MiB);
  expect(seen[1]).toMatchObject({ ranges: 32, rangesAtOnce: 8 });
});
