import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errnoOf, pathText } from '../../src/repository/file-faults.ts';
import { createPlainPosix, loadPosix } from '../../src/repository/tree/posix.ts';
import { listDataExtents } from '../../src/repository/tree/posix-extents.ts';

const native = loadPosix().gaps.length === 0;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'karri-posix-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const make = (name: string, content = ''): Buffer => {
  writeFileSync(join(folder, name), content);
  return Buffer.from(join(folder, name));
};

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe.runIf(native)('the C library', () => {
  test.each([0n, -1n, -86_400_000_000_000n * 400n - 123n, 1_700_000_000_123_456_789n, 4_102_444_800_000_000_001n])(
    'sets a time of %d ns exactly',
    (mtimeNs) => {
      const path = make('times');
      loadPosix().setTime(path, mtimeNs);
      expect(lstatSync(path, { bigint: true }).mtimeNs).toBe(mtimeNs);
    },
  );

  test('does to an open file what it does to a path', (context) => {
    const path = make('open');
    const fd = openSync(path, 'r+');
    try {
      const posix = loadPosix();
      posix.setTime(fd, -86_400_000_000_123n);
      expect(lstatSync(path, { bigint: true }).mtimeNs).toBe(-86_400_000_000_123n);
      const xattr = { name: Buffer.from('user.open'), value: Buffer.from('yes') };
      try {
        posix.setXattr(fd, xattr);
      } catch (error) {
        if (errnoOf(error) === 'ENOTSUP') context.skip('the temporary folder knows no extended attributes');
        throw error;
      }
      expect(posix.readXattrs(fd)).toEqual([xattr]);
      expect(posix.readXattrs(path)).toEqual([xattr]);
    } finally {
      closeSync(fd);
    }
    expect(caught(() => loadPosix().setTime(fd, 0n))).toMatchObject({ details: { errno: 'EBADF' } });
  });

  test('sets the time of a link, not of what it points to', () => {
    const target = make('pointed');
    const before = lstatSync(target, { bigint: true }).mtimeNs;
    const link = join(folder, 'link');
    symlinkSync('pointed', link);
    loadPosix().setTime(Buffer.from(link), 7n);
    expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(7n);
    expect(lstatSync(target, { bigint: true }).mtimeNs).toBe(before);
  });

  test('writes, reads and removes extended attributes', (context) => {
    const path = make('xattrs');
    const first = { name: Buffer.from('user.a'), value: Buffer.from([0, 1, 255]) };
    const second = { name: Buffer.from('user.b'), value: Buffer.alloc(0) };
    try {
      loadPosix().setXattr(path, second);
    } catch (error) {
      if (errnoOf(error) === 'ENOTSUP') return context.skip('the temporary folder has no extended attributes');
      throw error;
    }
    loadPosix().setXattr(path, first);
    expect(loadPosix().readXattrs(path)).toEqual([first, second]);
    loadPosix().removeXattr(path, second.name);
    expect(loadPosix().readXattrs(path)).toEqual([first]);
  });

  test('a failed call names errno and path', () => {
    const missing = Buffer.from(join(folder, 'missing'));
    const fault = caught(() => loadPosix().setTime(missing, 0n));
    expect(fault).toMatchObject({ code: 'repository.file_failed', kind: 'not-found' });
    expect(errnoOf(fault)).toBe('ENOENT');
    expect((fault as Error).message).toContain(missing.toString());
  });

  test('makes a FIFO', () => {
    const path = Buffer.from(join(folder, 'fifo'));
    loadPosix().makeNode(path, 0o010640, 0n);
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  test('finds the data of a sparse file and nothing in a hole', () => {
    const fd = openSync(join(folder, 'sparse'), 'w+');
    ftruncateSync(fd, 40 << 20);
    expect(listDataExtents(fd, 40 << 20)).toEqual([]);
    writeSync(fd, Buffer.alloc(1 << 20, 1), 0, 1 << 20, 8 << 20);
    writeSync(fd, Buffer.from('end'), 0, 3, (40 << 20) - 3);
    const extents = listDataExtents(fd, 40 << 20);
    expect(listDataExtents(fd, 40 << 20, 10 << 20)).toEqual(extents.slice(1));
    closeSync(fd);
    expect(extents).toHaveLength(2);
    expect(extents[0]).toEqual({ offset: 8 << 20, length: 1 << 20 });
    const last = extents[1];
    expect((last?.offset ?? 0) + (last?.length ?? 0)).toBe(40 << 20);
  });
});

describe('without the C library', () => {
  test('says what is missing and treats every file as dense', () => {
    const plain = createPlainPosix();
    expect(plain.gaps.length).toBeGreaterThan(0);
    const fd = openSync(make('dense', 'abc'), 'r');
    expect(listDataExtents(fd, 3, 0, plain)).toEqual([{ offset: 0, length: 3 }]);
    closeSync(fd);
    expect(errnoOf(caught(() => plain.makeNode(Buffer.from('x'), 0, 0n)))).toBe('ENOTSUP');
  });

  test('sets times to the microsecond, before 1970 to the millisecond', () => {
    const path = make('plain-time');
    for (const [mtimeNs, tolerance] of [
      [1_500_000_000_123_456_789n, 2000n],
      [-1_500_000_123_456_789n, 1_000_000n],
    ] as const) {
      createPlainPosix().setTime(path, mtimeNs);
      const difference = lstatSync(path, { bigint: true }).mtimeNs - mtimeNs;
      expect(difference > -tolerance && difference < tolerance).toBe(true);
    }
  });
});

test('paths are shown readably', () => {
  expect(pathText(Buffer.from('grüße/a'))).toBe('grüße/a');
  expect(pathText(Buffer.from([0x61, 0xff, 0x0a]))).toBe('a\\xff\\x0a');
  expect(pathText(Buffer.from(''))).toBe('.');
});
