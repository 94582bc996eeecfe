import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { loadPosix } from '../../src/repository/tree/posix.ts';
import { createSeeded } from './seeded.ts';

const isRoot = process.geteuid?.() === 0;

/** A tree with everything in it that this user and platform can make. */
export function makeSampleTree(root: string): void {
  const seeded = createSeeded('sample tree');
  const posix = loadPosix();
  const at = (...names: string[]): string => join(root, ...names);
  const bytes = (path: string): Buffer => Buffer.from(path);
  mkdirSync(at('empty folder'), { recursive: true });
  mkdirSync(at('a', 'b', 'c'), { recursive: true });
  mkdirSync(at('a-b'));
  writeFileSync(at('a', 'file'), 'small');
  writeFileSync(at('a-b', 'file'), 'small');
  writeFileSync(at('empty'), '');
  writeFileSync(at('one MiB'), seeded.bytes(1 << 20));
  writeFileSync(at('nine MiB'), seeded.bytes(9 << 20));
  for (let i = 0; i < 300; i++) writeFileSync(at('a', 'b', `many-${i}`), seeded.bytes(i * 7));

  writeFileSync(at('x'.repeat(255)), 'long name');
  writeFileSync(at(' *?[]\\"\'\n'), 'odd name');
  writeFileSync(at('grüße-日本'), 'unicode');
  writeFileSync(Buffer.concat([bytes(at('not-utf8-')), Buffer.from([0xff, 0xc3, 0x28])]), 'raw bytes');
  mkdirSync(Buffer.concat([bytes(at('folder-')), Buffer.from([0xfe])]));
  writeFileSync(Buffer.concat([bytes(at('folder-')), Buffer.from([0xfe]), Buffer.from('/in it')]), 'x');
  const deep = at(...Array.from({ length: 60 }, (_, i) => `deep folder number ${i}`));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'at the bottom'), 'deep');

  symlinkSync('a/file', at('link'));
  symlinkSync('a', at('link to folder'));
  symlinkSync('/nowhere/at all', at('dangling'));
  symlinkSync(Buffer.from([0xff, 0x2f]), bytes(at('link to raw bytes')));
  linkSync(at('a', 'file'), at('a', 'b', 'same file'));
  linkSync(at('a', 'file'), at('z same file'));
  linkSync(at('nine MiB'), at('a', 'large too'));

  for (const [index, mode] of [0o000, 0o400, 0o644, 0o755, 0o4755, 0o2755, 0o1777, 0o6711].entries()) {
    if (mode === 0 && !isRoot) continue; // its owner could not read it
    writeFileSync(at(`mode-${index}`), `${mode}`);
    chmodSync(at(`mode-${index}`), mode);
  }
  mkdirSync(at('sticky'));
  chmodSync(at('sticky'), 0o1777);
  mkdirSync(at('group'));
  chmodSync(at('group'), 0o2750);

  makeSparse(at('sparse'));
  if (posix.gaps.length === 0) {
    posix.makeNode(bytes(at('fifo')), 0o010640, 0n);
    for (const name of ['a/file', 'a', 'nine MiB']) {
      posix.setXattr(bytes(at(name)), { name: Buffer.from('user.note'), value: Buffer.from([0, 1, 2, 255]) });
      posix.setXattr(bytes(at(name)), { name: Buffer.from('user.empty'), value: Buffer.alloc(0) });
    }
    posix.setXattr(bytes(at('one MiB')), { name: Buffer.from('system.posix_acl_access'), value: acl });
    posix.setXattr(bytes(at('a')), { name: Buffer.from('system.posix_acl_default'), value: acl });
    if (isRoot) {
      posix.makeNode(bytes(at('null')), 0o020666, 0x0103n);
      posix.makeNode(bytes(at('disk')), 0o060660, (8n << 8n) | (1n << 20n) | 17n);
      posix.setXattr(bytes(at('a', 'file')), { name: Buffer.from('trusted.note'), value: Buffer.from('root only') });
    }
  }
  if (isRoot) {
    chownSync(at('a', 'file'), 12_345, 54_321);
    chmodSync(at('a', 'file'), 0o6755);
    chownSync(at('sticky'), 33, 44);
    lchownSync(at('dangling'), 1, 2);
  }
  const times: readonly (readonly [string, bigint])[] = [
    ['a/b/many-1', 0n],
    ['a/b/many-2', -1n],
    ['a/b/many-3', -1_234_567_890_123_456_789n],
    ['a/b/many-4', 4_102_444_800_123_456_789n],
    ['a/b/many-5', 1_600_000_000_000_000_001n],
    ['dangling', 999_999_999n],
    ['empty folder', 1_000_000_000n],
    ['a/b', 1_111_111_111_111_111_111n],
    ['a', 2_222_222_222_222_222_222n],
    ['', 1_234_567_890_987_654_321n],
  ];
  for (const [path, mtimeNs] of times) posix.setTime(bytes(path === '' ? root : at(path)), mtimeNs);
}

/** owner rwx, user 1000 r-x, group r--, mask rwx, other --- as Linux lays it out. */
const acl = Buffer.concat([
  Buffer.from([2, 0, 0, 0]),
  ...[
    [0x01, 7, 0xffff_ffff],
    [0x02, 5, 1000],
    [0x04, 4, 0xffff_ffff],
    [0x10, 7, 0xffff_ffff],
    [0x20, 0, 0xffff_ffff],
  ].map(([tag = 0, perm = 0, id = 0]) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(perm, 2);
    entry.writeUInt32LE(id, 4);
    return entry;
  }),
]);

/** 200 MiB with data at 1 MiB (3 MiB of it), 100 MiB (one byte) and nothing at the end. */
export function makeSparse(path: string): void {
  const fd = openSync(path, 'w');
  writeSync(fd, createSeeded('sparse').bytes(3 << 20), 0, 3 << 20, 1 << 20);
  writeSync(fd, Buffer.from('x'), 0, 1, 100 << 20);
  ftruncateSync(fd, 200 << 20);
  closeSync(fd);
}
