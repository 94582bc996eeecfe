import { expect, test } from 'vitest';
import { ChunkMarks } from '../../../src/repository/index/chunk-marks.ts';
import { createSeeded } from '../../kit/seeded.ts';

const chance = createSeeded('repository/index/chunk-marks');

test.each([0, 200_000])('all chunks are found again and no others, with room for %i from the start', (expected) => {
  const marks = new ChunkMarks(expected);
  const ids = Array.from({ length: 100_000 }, () => chance.bytes(32));
  for (const id of [...ids, ...ids, Buffer.alloc(32)]) marks.add(id);
  const [last, ...others] = ids;
  const strangers = Array.from({ length: 10_000 }, () => chance.bytes(32));
  expect([...others, ...others.slice(0, 10), Buffer.alloc(32)].every((id) => marks.see(id))).toBe(true);
  expect(strangers.some((id) => marks.see(id))).toBe(false);
  expect(marks.areAllSeen).toBe(false); // however often others were seen
  expect(last && marks.see(last)).toBe(true);
  expect(marks.areAllSeen).toBe(true);
});
