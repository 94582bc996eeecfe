import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkPlace, ChunkTable, createGeneration } from '../../src/repository/chunk-table.ts';
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

test('a claimed chunk is there for everybody, found once it is placed, and free again when released', () => {
  const table = new ChunkTable([createGeneration(1024)]);
  const claim = table.claim(idOf(1));
  expect(table.has(idOf(1))).toBe(true);
  expect(table.find(idOf(1))).toBeUndefined();
  expect(table.claim(idOf(1))).toBeUndefined();
  if (claim) table.place(claim, placeOf(1));
  expect(table.find(idOf(1))).toEqual(placeOf(1));
  const second = table.claim(idOf(2));
  if (second) table.release(second);
  expect(table.has(idOf(2))).toBe(false);
  expect(table.claim(idOf(2))).toBeDefined();
});

test('a dropped pack takes its own chunks along and nobody else’s', () => {
  const table = new ChunkTable([createGeneration(1024)]);
  for (const n of [1, 2]) {
    const claim = table.claim(idOf(n));
    if (claim) table.place(claim, placeOf(n));
  }
  table.drop(idOf(1), 1);
  table.drop(idOf(2), 1);
  expect([table.has(idOf(1)), table.has(idOf(2))]).toEqual([false, true]);
});

test('a full generation says so, and a new one takes over while the old one is still found', () => {
  const table = new ChunkTable([createGeneration(1024)]);
  const put = (n: number): void => {
    const claim = table.claim(idOf(n));
    if (claim) table.place(claim, placeOf(n));
  };
  for (let n = 0; n < 1024; n++) put(n);
  expect(table.newest).toEqual({ capacity: 1024, taken: 1024 });
  expect(() => put(1024)).toThrow(/full/);
  table.addGeneration(createGeneration(2048));
  for (let n = 0; n < 2000; n++) put(n);
  expect(table.newest.taken).toBe(2000 - 1024);
  for (let n = 0; n < 2000; n++) expect(table.find(idOf(n))).toEqual(placeOf(n));
});

test('threads that race for the same chunks: each is given to one of them, and found where that one put it', async () => {
  const count = 20_000;
  const generations = [createGeneration(1024), createGeneration(2 * count)];
  const wins = await Promise.all(
    [0, 1, 2, 3].map((pack) => {
      const racer = new Worker(new URL('../kit/chunk-table-racer.ts', import.meta.url), {
        workerData: { generations, count, pack },
        execArgv: [],
      });
      return new Promise<number[]>((resolve, reject) => racer.once('message', resolve).once('error', reject));
    }),
  );
  const table = new ChunkTable(generations);
  const winners = new Map<number, number>();
  wins.forEach((won, pack) => {
    for (const n of won) {
      expect(winners.has(n)).toBe(false);
      winners.set(n, pack);
    }
  });
  for (let n = 0; n < count; n++) {
    expect(table.find(idOf(n))?.pack).toBe(winners.get(n));
    // Only a chunk that its last owner gave up is missing.
    if (!winners.has(n)) expect(n % 7).toBeLessThan(4);
  }
});

describe('against a plain map', () => {
  test('any order of claims, releases, drops and growth', () => {
    const step = fc.record({ act: fc.constantFrom('put', 'release', 'drop', 'grow'), n: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new ChunkTable([createGeneration(1024)]);
        const model = new Map<number, ChunkPlace>();
        for (const { act, n } of steps) {
          if (act === 'grow') table.addGeneration(createGeneration(1024));
          else if (act === 'drop') {
            table.drop(idOf(n), n);
            model.delete(n);
          } else {
            const claim = table.claim(idOf(n));
            expect(claim === undefined).toBe(model.has(n));
            if (claim && act === 'put') {
              table.place(claim, placeOf(n));
              model.set(n, placeOf(n));
            } else if (claim) table.release(claim);
          }
        }
        for (let n = 0; n <= 40; n++) expect(table.find(idOf(n))).toEqual(model.get(n));
      }),
      { numRuns: 200, seed },
    );
  });
});
