import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KiB } from '../../src/base/bytes.ts';
import { DataRun } from '../../src/repository/volume/data-run.ts';
import { createFolder } from '../kit/repositories.ts';
import { seed } from '../kit/seeded.ts';

const unit = 64 * KiB;

/** A file of units that hold data or are left out. */
function withFile<T>(units: readonly boolean[], work: (fd: number) => T): T {
  using folder = createFolder();
  const fd = openSync(folder.file('volume'), 'w+');
  try {
    ftruncateSync(fd, units.length * unit);
    for (const [at, isData] of units.entries()) if (isData) writeSync(fd, Buffer.alloc(unit, 1), 0, unit, at * unit);
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

test('data is never taken for a hole, nor is it said that there are no holes where there is one', () => {
  const units = fc.array(fc.boolean(), { minLength: 1, maxLength: 24 });
  fc.assert(
    fc.property(units, fc.integer({ min: 1, max: 5 }), (file, width) =>
      withFile(file, (fd) => {
        const run = new DataRun(fd);
        for (let at = 0; at < file.length; at += width) {
          const some = file.slice(at, at + width);
          const found = run.look(at * unit, some.length * unit);
          if (some.every((isData) => isData)) expect(found).not.toBe('hole');
          else if (some.some((isData) => isData)) expect(found).toBe('mixed');
          else expect(found).not.toBe('data');
        }
      }),
    ),
    { seed, numRuns: 100 },
  );
});

test.runIf(process.platform === 'linux')(
  'a file is told apart, and what became a hole within known data may be read as data',
  () => {
    withFile([true, true, false, true, true, false, false], (fd) => {
      const run = new DataRun(fd);
      const found = [0, 1, 2, 3, 4, 5, 6].map((at) => run.look(at * unit, unit));
      expect(found).toEqual(['data', 'data', 'hole', 'data', 'data', 'hole', 'hole']);
      expect(run.look(0, 7 * unit)).toBe('mixed');
      expect(run.look(3 * unit, 2 * unit)).toBe('data');
      ftruncateSync(fd, 4 * unit);
      ftruncateSync(fd, 7 * unit);
      expect(run.look(4 * unit, unit)).toBe('data');
      expect(new DataRun(fd).look(4 * unit, unit)).toBe('hole');
    });
  },
);
