import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { MiB } from '../../src/base/bytes.ts';
import type { Extent, Repository } from '../../src/repository/contract.ts';
import { slotBytes } from '../../src/repository/volume/map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { listKeys, openTestRepository } from '../kit/repositories.ts';
import { createSeeded, type Seeded } from '../kit/seeded.ts';
import { compareTrees } from '../kit/tree-compare.ts';
import type { Experiment } from './experiment.ts';
import { memoryFolder, openInline } from './scene.ts';
import { type TreeStep, takeTreeStep, treeSteps } from './tree-steps.ts';

/** A piece of a volume: nothing (a hole, or zeros that were written), or bytes of the pool, so that equal chunks turn up in many places. */
interface Piece {
  readonly kind: 'hole' | 'zeros' | 'bytes';
  readonly from: number;
  readonly length: number;
}

const sector = 512;
const length = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3000) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 1200 }).map((sectors) => sectors * sector) },
  { weight: 4, arbitrary: fc.constantFrom(slotBytes, sector, slotBytes - 1, slotBytes + sector) },
  { weight: 2, arbitrary: fc.nat(2 * slotBytes) },
);
const piece: fc.Arbitrary<Piece> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({
      kind: fc.constantFrom('hole' as const, 'zeros' as const, 'bytes' as const, 'bytes' as const),
      from: fc.nat(2 * slotBytes),
      length,
    }),
  },
  // Beyond what one leaf of the map spans.
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hole' as const),
      from: fc.constant(0),
      length: fc.integer({ min: 200 * MiB, max: 600 * MiB }),
    }),
  },
);
const volume = fc.array(piece, { maxLength: 8 });
type Edit = { readonly at: number; readonly length: number; readonly isZero: boolean };
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(8 * slotBytes),
  length: fc.integer({ min: 1, max: 5000 }),
  isZero: fc.boolean(),
});
const growth = fc.oneof(
  fc.integer({ min: -2 * slotBytes, max: 2 * slotBytes }),
  fc.integer({ min: -40, max: 40 }).map((n) => n * sector),
);

interface Workshop {
  readonly repository: Repository;
  readonly store: ObjectStore;
  readonly chance: Seeded;
  readonly folder: string;
}

/** A new bank for every run. Now and then with real threads, which take a while to start. */
async function withWorkshop(seed: number, work: (workshop: Workshop) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(memoryFolder, 'karri-equality-'));
  const store = createMemoryStore();
  const scratchFolder = join(folder, 'scratch');
  const repository = await (seed % 16 === 0 ? openTestRepository(store, { scratchFolder }) : openInline(store, scratchFolder));
  try {
    await work({ repository, store, folder, chance: createSeeded('equality', seed) });
  } finally {
    await repository.close();
    rmSync(folder, { recursive: true });
  }
}

async function tryVolume(
  { repository, store, folder, chance }: Workshop,
  pieces: readonly Piece[],
  ends: readonly number[],
): Promise<void> {
  const path = makeVolume(join(folder, 'volume'), pieces, chance);
  const { size } = statSync(path);
  const first = await repository.writeVolume({ path }, { subject: 'volume' });
  assert.equal(first.sizeBytes, size);
  await expectBack(repository, first.id, path);
  const packs = await listKeys(store, 'packs/');
  const again = await repository.writeVolume({ path }, { subject: 'volume' });
  assert.deepEqual([again.digest, again.storedBytes, again.reusedBytes], [first.digest, 0, size], 'the same again');
  assert.deepEqual(await listKeys(store, 'packs/'), packs);
  const [from = 0, end = 0] = ends.map((at) => at % (Math.min(size, 4 * MiB) + 1)).sort((a, b) => a - b);
  const range = await repository.readVolume(first.id, from, end - from, {});
  assert(range.equals(readRange(path, from, end - from)), `bytes ${from} to ${end} differ`);
}

/** Changed, grown and shrunk: with the list of changes the same snapshot as without. */
async function tryChanges(
  { repository, folder, chance }: Workshop,
  pieces: readonly Piece[],
  edits: readonly Edit[],
  growth: number,
): Promise<void> {
  const path = makeVolume(join(folder, 'volume'), pieces, chance);
  const before = await repository.writeVolume({ path }, { subject: 'volume' });
  const old = statSync(path).size;
  truncateSync(path, Math.max(0, old + growth));
  const { size } = statSync(path);
  const extents: Extent[] = [];
  const fd = openSync(path, 'r+');
  for (const { at, length: count, isZero } of edits) {
    if (at >= size) continue;
    const bytes = (isZero ? Buffer.alloc(count) : chance.bytes(count)).subarray(0, size - at);
    extents.push({ offset: at, length: writeSync(fd, bytes, 0, bytes.length, at) });
  }
  if (growth > 0 && extents.length > 0) writeSync(fd, Buffer.alloc(growth, 7), 0, growth, old); // what is new needs no extent
  closeSync(fd);
  const byList = await repository.writeVolume({ path, changed: { since: before.id, extents } }, { subject: 'volume' });
  const byReading = await repository.writeVolume({ path }, { subject: 'volume', readEverything: true });
  assert.equal(byList.digest, byReading.digest);
  await expectBack(repository, byList.id, path);
}

async function tryTree({ repository, folder, chance }: Workshop, changes: readonly (readonly TreeStep[])[]): Promise<void> {
  const [source, target] = [join(folder, 'source'), join(folder, 'target')];
  for (const path of [source, target]) rmSync(path, { recursive: true, force: true }); // of a run that failed and is made shorter
  mkdirSync(source);
  for (const steps of changes) {
    for (const step of steps) takeTreeStep(source, step, chance);
    const { id, warnings } = await repository.writeTree({ path: source }, { subject: 'tree' });
    assert.deepEqual(warnings, []);
    await repository.restoreTree(id, { path: target }, {});
    assert.deepEqual(compareTrees(source, target), []);
    rmSync(target, { recursive: true });
  }
}

function makeVolume(path: string, pieces: readonly Piece[], chance: Seeded): string {
  const pool = chance.bytes(5 * slotBytes);
  const fd = openSync(path, 'w');
  let at = 0;
  for (const { kind, from, length: count } of pieces) {
    if (kind !== 'hole') writeSync(fd, kind === 'zeros' ? Buffer.alloc(count) : pool.subarray(from, from + count), 0, count, at);
    at += count;
  }
  ftruncateSync(fd, at);
  closeSync(fd);
  return path;
}

async function expectBack(repository: Repository, id: string, source: string): Promise<void> {
  const path = `${source}-restored`;
  await repository.restoreVolume(id, { path, overwrite: false }, {});
  const { size } = statSync(source);
  assert.equal(statSync(path).size, size);
  for (let at = 0; at < size; at += 4 * MiB) {
    const count = Math.min(4 * MiB, size - at);
    assert(readRange(path, at, count).equals(readRange(source, at, count)), `bytes from ${at} on differ`);
  }
  rmSync(path);
}

function readRange(path: string, at: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  const fd = openSync(path, 'r');
  assert.equal(readSync(fd, bytes, 0, count, at), count);
  closeSync(fd);
  return bytes;
}

export const equality: Experiment = {
  id: 'R11',
  title: 'made-up sizes, holes, edges at 512 bytes, growing and shrinking volumes, trees: what is restored is equal',
  runs: { ci: 25, full: 3400 },
  run: (trials, seed) =>
    withWorkshop(seed, async (workshop) => {
      const options = { numRuns: 1, seed };
      await trials.try('volume', () =>
        fc.assert(
          fc.asyncProperty(volume, fc.tuple(fc.nat(), fc.nat()), (pieces, ends) => tryVolume(workshop, pieces, ends)),
          options,
        ),
      );
      await trials.try('changed volume', () =>
        fc.assert(
          fc.asyncProperty(volume, fc.array(edit, { maxLength: 4 }), growth, (...made) => tryChanges(workshop, ...made)),
          options,
        ),
      );
      await trials.try('tree', () =>
        fc.assert(
          fc.asyncProperty(fc.tuple(treeSteps, treeSteps), (changes) => tryTree(workshop, changes)),
          options,
        ),
      );
    }),
};
