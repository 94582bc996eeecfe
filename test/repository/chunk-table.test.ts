import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkPlace, ChunkTable, createGeneration, type TableView } from '../../src/repository/index/chunk-table.ts';
import { seed } from '../kit/seeded.ts';

const idOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();
const placeOf = (n: number): ChunkPlace => ({
  pack: n,
  blockOffset: 8 + n,
  blockLength: 2 ** 32 - 1 - n,
  rawLength: n,
  chunkOffset: n * 2,
  chunkLength: 7,
});

function viewOf(...generations: SharedArrayBuffer[]): TableView & { readonly generations: SharedArrayBuffer[] } {
  const shared = (length: number): Int32Array => new Int32Array(new SharedArrayBuffer(length * 4));
  return { generations, runs: [], distrusted: shared(2048), releases: shared(1) };
}

function distrust(view: TableView, pack: number, isSet = true): void {
  const bit = 1 << (pack & 31);
  const before = view.distrusted[pack >> 5] ?? 0;
  view.distrusted[pack >> 5] = isSet ? before | bit : before & ~bit;
}

test('a claimed chunk is there for everybody, found once it is placed, and free again when released', () => {
  const table = new ChunkTable(viewOf(createGeneration(1024)));
  const claim = table.claim(idOf(1));
  expect(table.has(idOf(1))).toBe(true);
  expect(table.find(idOf(1))).toEqual([]);
  expect(table.claim(idOf(1))).toBeUndefined();
  if (claim) table.place(claim, placeOf(1));
  expect(table.find(idOf(1))).toEqual([placeOf(1)]);
  const second = table.claim(idOf(2));
  if (second) table.release(second);
  expect(table.has(idOf(2))).toBe(false);
  expect(table.claim(idOf(2))).toBeDefined();
});

test('what lies in a distrusted pack counts as absent, can be found all the same, and is stored a second time', () => {
  const view = viewOf(createGeneration(1024));
  const table = new ChunkTable(view);
  for (const n of [1, 2]) {
    const claim = table.claim(idOf(n));
    if (claim) table.place(claim, placeOf(n));
  }
  distrust(view, 1);
  expect([table.has(idOf(1)), table.has(idOf(2))]).toEqual([false, true]);
  expect(table.find(idOf(1))).toEqual([placeOf(1)]);
  const again = table.claim(idOf(1));
  expect(table.claim(idOf(1))).toBeUndefined();
  if (again) table.place(again, placeOf(3));
  expect(table.find(idOf(1))).toEqual([placeOf(3), placeOf(1)]);
  distrust(view, 1, false);
  expect(table.claim(idOf(1))).toBeUndefined();
});

test('a full generation says so, and a new one takes over while the old one is still found', () => {
  const view = viewOf(createGeneration(1024));
  const table = new ChunkTable(view);
  const put = (n: number): void => {
    const claim = table.claim(idOf(n));
    if (claim) table.place(claim, placeOf(n));
  };
  for (let n = 0; n < 1024; n++) put(n);
  expect(table.newest).toEqual({ capacity: 1024, taken: 1024 });
  expect(() => put(1024)).toThrow(/full/);
  table.show({ ...view, generations: [...view.generations, createGeneration(2048)] });
  for (let n = 0; n < 2000; n++) put(n);
  expect(table.newest.taken).toBe(2000 - 1024);
  for (let n = 0; n < 2000; n++) expect(table.find(idOf(n))).toEqual([placeOf(n)]);
});

test('threads that race for the same chunks: each is given to one of them, and found where that one put it', async () => {
  const count = 20_000;
  const view = viewOf(createGeneration(1024), createGeneration(2 * count));
  const wins = await Promise.all(
    [0, 1, 2, 3].map((pack) => {
      const racer = new Worker(new URL('../kit/chunk-table-racer.ts', import.meta.url), {
        workerData: { view, count, pack },
        execArgv: [],
      });
      return new Promise<number[]>((resolve, reject) => racer.once('message', resolve).once('error', reject));
    }),
  );
  const table = new ChunkTable(view);
  const winners = new Map<number, number>();
  wins.forEach((won, pack) => {
    for (const n of won) {
      expect(winners.has(n)).toBe(false);
      winners.set(n, pack);
    }
  });
  for (let n = 0; n < count; n++) {
    expect(table.find(idOf(n))[0]?.pack).toBe(winners.get(n));
    // Only a chunk that its last owner gave up is missing.
    if (!winners.has(n)) expect(n % 7).toBeLessThan(4);
  }
});

describe('against a plain map', () => {
  test('any order of claims, releases, distrust and growth', () => {
    const step = fc.record({ act: fc.constantFrom('put', 'release', 'distrust', 'grow'), n: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let view = viewOf(createGeneration(1024));
        const table = new ChunkTable(view);
        const model = new Map<number, ChunkPlace>();
        let pack = 0;
        for (const { act, n } of steps) {
          if (act === 'grow') {
            view = { ...view, generations: [...view.generations, createGeneration(1024)] };
            table.show(view);
          } else if (act === 'distrust') {
            const place = model.get(n);
            if (place) distrust(view, place.pack);
            model.delete(n);
          } else {
            const claim = table.claim(idOf(n));
            expect(claim === undefined).toBe(model.has(n));
            const place = { ...placeOf(n), pack: pack++ };
            if (claim && act === 'put') {
              table.place(claim, place);
              model.set(n, place);
            } else if (claim) table.release(claim);
          }
        }
        for (let n = 0; n <= 40; n++) {
          expect(table.has(idOf(n))).toBe(model.has(n));
          if (model.has(n)) expect(table.find(idOf(n))[0]).toEqual(model.get(n));
        }
      }),
      { numRuns: 200, seed },
    );
  });
});
