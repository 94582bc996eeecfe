import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { writeTar } from '../../src/protection/tar.ts';
import type { TreeEntry } from '../../src/repository/contract.ts';

const entry = (path: string | Buffer, more: Partial<TreeEntry> = {}): TreeEntry => ({
  path: Buffer.from(path),
  type: 'file',
  sizeBytes: 0,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeNs: 1_000_000_000n,
  target: Buffer.alloc(0),
  major: 0,
  minor: 0,
  xattrs: [],
  ...more,
});

async function write(parts: (TreeEntry | Buffer)[], folder = ''): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const stream = async function* () {
    yield* parts;
  };
  for await (const piece of writeTar(stream(), Buffer.from(folder))) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** As the system's tar lists it; undefined where that is another one. */
const isGnu = execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar');
const list = (tar: Buffer): string[] =>
  execFileSync('tar', ['--numeric-owner', '--full-time', '--quoting-style=escape', '-tvf', '-'], {
    input: tar,
    stdio: ['pipe', 'pipe', 'ignore'],
    encoding: 'utf8',
    env: { TZ: 'UTC', LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' },
  })
    .slice(0, -1)
    .split('\n')
    // Columns are padded; the name keeps its blanks.
    .map((line) => line.replace(/^(\S+ \S+) +(\S+ \S+ \d\d:\d\d:\d\d)( {10})?/, '$1 $2'));

describe.skipIf(!isGnu)('an archive, as GNU tar reads it', () => {
  test('has every type, with modes, owners and times', async () => {
    const tar = await write([
      entry('', { type: 'folder', mode: 0o1777 }),
      entry('a', { type: 'folder', mode: 0o755, uid: 33, gid: 44 }),
      entry('a/file', { sizeBytes: 5, mode: 0o4755, mtimeNs: 1_234_567_890_123_456_789n }),
      Buffer.from('12'),
      Buffer.from('345'),
      entry('a/link', { type: 'symlink', target: Buffer.from('../x') }),
      entry('a/same', { type: 'hardlink', target: Buffer.from('a/file') }),
      entry('pipe', { type: 'fifo' }),
      entry('null', { type: 'character', major: 1, minor: 3 }),
      entry('disk', { type: 'block', major: 259, minor: 1_048_575 }),
    ]);
    expect(tar.length % 512).toBe(0);
    expect(list(tar)).toEqual([
      'drwxrwxrwt 0/0 0 1970-01-01 00:00:01 ./',
      'drwxr-xr-x 33/44 0 1970-01-01 00:00:01 a/',
      '-rwsr-xr-x 0/0 5 2009-02-13 23:31:30.123456789 a/file',
      'lrw-r--r-- 0/0 0 1970-01-01 00:00:01 a/link -> ../x',
      'hrw-r--r-- 0/0 0 1970-01-01 00:00:01 a/same link to a/file',
      'prw-r--r-- 0/0 0 1970-01-01 00:00:01 pipe',
      'crw-r--r-- 0/0 1,3 1970-01-01 00:00:01 null',
      'brw-r--r-- 0/0 259,1048575 1970-01-01 00:00:01 disk',
    ]);
  });

  test.each<[string, Partial<TreeEntry>, string]>([
    ['after 2242', { mtimeNs: 9_000_000_000_000_000_000n }, '-rw-r--r-- 0/0 0 2255-03-14 16:00:00 f'],
    ['owners of 32 bits', { uid: 4_294_967_294, gid: 2_097_152 }, '-rw-r--r-- 4294967294/2097152 0 1970-01-01 00:00:01 f'],
  ])('has %s', async (_name, more, line) => {
    expect(list(await write([entry('f', more)]))).toEqual([line]);
  });

  test('has long names and odd ones', async () => {
    const names = [
      'n'.repeat(100),
      'n'.repeat(101),
      `${'d'.repeat(200)}/${'n'.repeat(255)}`,
      'grüße',
      'two\nlines',
      '-rf',
      ' ',
      '%41',
    ];
    const tar = await write(names.map((name) => entry(name)));
    expect(list(tar).map((line) => line.slice('-rw-r--r-- 0/0 0 1970-01-01 00:00:01 '.length))).toEqual(
      names.map((name) => (name === 'two\nlines' ? 'two\\nlines' : name)),
    );
    const raw = Buffer.concat([Buffer.from('n'.repeat(120)), Buffer.from([0xff, 0xc3])]);
    const links = [entry(raw), entry('z', { type: 'symlink', target: raw }), entry('zz', { type: 'hardlink', target: raw })];
    expect(list(await write(links)).map((line) => line.includes(`${'n'.repeat(120)}\\377\\303`))).toEqual([true, true, true]);
  });

  test('of a folder has names relative to it', async () => {
    const parts = [
      entry('deep/er', { type: 'folder' }),
      entry('deep/er/f'),
      entry('deep/er/g', { type: 'hardlink', target: Buffer.from('deep/er/f') }),
    ];
    expect(list(await write(parts, 'deep/er')).map((line) => line.split('00:00:01 ')[1])).toEqual(['./', 'f', 'g link to f']);
  });
});

describe('an archive', () => {
  test('announces a size beyond 8 GiB in full', async () => {
    const stream = async function* () {
      yield entry('huge', { sizeBytes: 2 ** 33 });
      throw new Error('enough');
    };
    const written: Buffer[] = [];
    const read = async () => {
      for await (const piece of writeTar(stream(), Buffer.alloc(0))) written.push(piece);
    };
    await expect(read()).rejects.toThrow('enough');
    expect(written).toEqual([]);
    const small = await write([entry('x', { sizeBytes: 0, uid: 2 ** 31 })]);
    expect(small.subarray(512, 540).toString('latin1')).toContain('18 uid=2147483648\n');
  });

  test.each<[bigint, string]>([
    [-1n, '22 mtime=-0.000000001\n'],
    [-1_234_567_890_123_456_789n, '31 mtime=-1234567890.123456789\n'],
    [2n ** 80n, '36 mtime=1208925819614629.174706176\n'],
  ])('writes the time %d as GNU tar does', async (mtimeNs, record) => {
    expect((await write([entry('x', { mtimeNs })])).subarray(512).toString('latin1')).toContain(record);
  });

  test('with less of a file than it announced is a fault, not an archive', async () => {
    for (const parts of [
      [entry('a', { sizeBytes: 3 }), Buffer.from('12')],
      [entry('a', { sizeBytes: 3 }), Buffer.from('1234'), entry('b')],
    ])
      await expect(write(parts)).rejects.toMatchObject({ code: 'contents.out_of_step' });
  });

  test('counts the length of a record with its own digits', async () => {
    for (const length of [85, 86, 87, 88, 89, 984, 985, 986, 987, 988]) {
      const value = Buffer.alloc(length, 'v');
      const tar = await write([entry('x', { xattrs: [{ name: Buffer.from('a'), value }] })]);
      const text = tar.subarray(512).toString('latin1');
      const announced = Number.parseInt(text, 10);
      expect(text.slice(0, announced).endsWith(`SCHILY.xattr.a=${value}\n`)).toBe(true);
      expect(text[announced] === '\0' || announced % 512 === 0).toBe(true);
    }
  });
});
