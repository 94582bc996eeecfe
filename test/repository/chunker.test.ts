import { describe, expect, test } from 'vitest';
import { chunkMaxBytes, chunkMinBytes, findCut } from '../../src/repository/tree/chunker.ts';
import { createSeeded } from '../kit/seeded.ts';

function cuts(data: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < data.length; ) {
    const length = findCut(data, at, data.length);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

/** A fixed stream (xorshift), so that the cut points below are those of the format for ever. */
function fixedBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let state = 0x9e3779b9;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

describe('chunker', () => {
  test('cuts where the format says', () => {
    expect(cuts(fixedBytes(8 << 20))).toMatchInlineSnapshot(`
      [
        1067163,
        1457950,
        1191749,
        1711200,
        770826,
        1104980,
        1068603,
        16137,
      ]
    `);
  });

  test('chunks stay within their bounds and join to the original', () => {
    const data = createSeeded('chunker').bytes(24 << 20);
    const lengths = cuts(data);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(data.length);
    for (const length of lengths.slice(0, -1)) {
      expect(length).toBeGreaterThan(chunkMinBytes);
      expect(length).toBeLessThanOrEqual(chunkMaxBytes);
    }
    expect(lengths.length).toBeGreaterThan(10);
  });

  test('data that never meets the mark is cut at the maximum', () => {
    expect(cuts(Buffer.alloc(9 << 20))).toEqual([chunkMaxBytes, chunkMaxBytes, 1 << 20]);
  });

  test('an insertion moves few cuts', () => {
    const data = createSeeded('insertion').bytes(24 << 20);
    const changed = Buffer.concat([data.subarray(0, 5_000_000), Buffer.from('inserted'), data.subarray(5_000_000)]);
    const ends = (lengths: number[], total: number): Set<number> => {
      let at = 0;
      return new Set(
        lengths.map((length) => {
          at += length;
          return total - at;
        }),
      );
    };
    const before = ends(cuts(data), data.length);
    const after = ends(cuts(changed), changed.length);
    const moved = [...before].filter((end) => end < data.length - 5_000_000 && !after.has(end));
    expect(moved.length).toBeLessThanOrEqual(4);
  });
});
