import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { ChunkTable, createGeneration } from '../../src/repository/index/chunk-table.ts';
import { type FinishedPack, maxPackBytes } from '../../src/repository/packs/format.ts';
import { openKeyedHash } from '../../src/repository/seal/keyed-hash.ts';
import { WorkerSink } from '../../src/repository/workers/sink.ts';

const slot = 64 * 1024;
const hash = await openKeyedHash(createHash('sha256').update('key').digest());

function createSink(takeBuffer = () => new ArrayBuffer(maxPackBytes)): {
  sink: WorkerSink;
  table: ChunkTable;
  packs: FinishedPack[];
} {
  const shared = (length: number): Int32Array => new Int32Array(new SharedArrayBuffer(length * 4));
  const table = new ChunkTable({ generations: [createGeneration(4096)], runs: [], distrusted: shared(64), releases: shared(1) });
  const packs: FinishedPack[] = [];
  let number = 0;
  const sink = new WorkerSink({
    root: { id: 'ab'.repeat(16), secret: randomBytes(32) },
    projectId: 'project',
    hash,
    table,
    takePackNumber: () => number++,
    takeBuffer,
    send: (_number, pack) => void packs.push(pack),
  });
  return { sink, table, packs };
}

describe('a run of neighbours', () => {
  const bytes = randomBytes(20 * slot + 100);
  const idOf = (n: number): Buffer => hash.digest(bytes.subarray(n * slot, (n + 1) * slot));

  test('goes into blocks of a MiB, in order, with ids as if each had come alone', () => {
    const { sink, table } = createSink();
    const ids = sink.storeRun(bytes, slot, 'fast');
    expect(Buffer.from(ids).equals(Buffer.concat(Array.from({ length: 21 }, (_, n) => idOf(n))))).toBe(true);
    const places = Array.from({ length: 21 }, (_, n) => table.find(idOf(n))[0]);
    expect(places.map((place) => place?.chunkOffset)).toEqual([
      ...Array.from({ length: 16 }, (_, n) => n * slot),
      ...Array.from({ length: 5 }, (_, n) => n * slot),
    ]);
    expect(new Set(places.map((place) => place?.blockOffset)).size).toBe(2);
    expect(places.map((place) => place?.rawLength)).toEqual([...Array(16).fill(16 * slot), ...Array(5).fill(4 * slot + 100)]);
    expect(sink.takeCounters()).toMatchObject({ logicalBytes: bytes.length, reusedBytes: 0, packs: [0] });
  });

  test('is cut where a chunk is there already, which is counted and not stored again', () => {
    const { sink, table } = createSink();
    sink.store(bytes.subarray(2 * slot, 3 * slot), 'fast');
    sink.takeCounters();
    sink.storeRun(bytes.subarray(0, 5 * slot), slot, 'fast');
    const blocks = [0, 1, 2, 3, 4].map((n) => table.find(idOf(n))[0]?.rawLength);
    expect(blocks).toEqual([2 * slot, 2 * slot, slot, 2 * slot, 2 * slot]);
    expect(sink.takeCounters()).toMatchObject({ logicalBytes: 5 * slot, reusedBytes: slot });
  });

  test('leaves no chunk behind as stored when it cannot be', () => {
    const { sink, table } = createSink(() => {
      throw new Fault('cancelled', 'base.cancelled', 'The work was cancelled.');
    });
    expect(() => sink.storeRun(bytes, slot, 'fast')).toThrow(/cancelled/);
    for (let n = 0; n < 21; n++) expect(table.has(idOf(n))).toBe(false);
  });
});
