/** Makes the tree of the golden repositories `<version>-tree`: all that a tree can hold. Needs root, for owners and devices. */
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { loadPosix } from '../../src/repository/tree/posix.ts';
import { noise } from './golden-content.ts';
import { cutByContent, endsSegment } from './writer-rules.ts';

const KiB = 1 << 10;
const MiB = 1 << 20;

export function makeFullTree(root: string): void {
  const at = (...names: string[]): string => join(root, ...names);
  const raw = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${root}/`), name]);
  for (const folder of ['a/b', 'a.b', 'a-b', 'empty folder', 'small', 'segments']) mkdirSync(at(folder), { recursive: true });
  for (const folder of ['a', 'a.b', 'a-b']) writeFileSync(at(folder, 'file'), `in ${folder}\n`);
  writeFileSync(at('empty'), '');
  for (let i = 0; i < 40; i++) writeFileSync(at('small', `${i}`), noise(`small ${i}`, 100 + i));
  for (const name of findSegmentEnds()) writeFileSync(at(name), '');

  writeFileSync(at('x'.repeat(255)), 'long name');
  writeFileSync(at(' *?[]\\"\'\n'), 'odd name');
  writeFileSync(at('grüße-日本'), 'unicode');
  writeFileSync(raw(Buffer.from([0x6e, 0xff, 0xc3, 0x28])), 'no text');
  const deep = at(...Array.from({ length: 10 }, (_, i) => `a rather long name for a folder, number ${i}`));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'bottom'), 'deep');

  symlinkSync('a/file', at('link'));
  symlinkSync('/nowhere/at all', at('dangling'));
  symlinkSync(Buffer.from([0x2e, 0x2f, 0xff]), raw(Buffer.from('link to raw bytes')));
  symlinkSync('t'.repeat(4000), at('link to far away'));
  linkSync(at('a', 'file'), at('a', 'b', 'second name'));
  linkSync(at('a', 'file'), at('third name'));

  writeFileSync(at('large'), makeLarge());
  writeSparse(at('sparse'), 3 * MiB, [
    [MiB, noise('sparse', 8 * KiB)],
    [MiB + 40 * KiB, noise('behind a small hole', 100)],
    [2 * MiB, Buffer.from('x')],
  ]);
  writeSparse(at('hole'), MiB + 1, []);
  const pieces = Array.from({ length: 600 }, (_, i) => [i * 72 * KiB, Buffer.alloc(4 * KiB, 'piece ')] as const);
  writeSparse(at('many runs'), 600 * 72 * KiB, pieces);

  const posix = loadPosix();
  const setXattr = (path: string, name: string, value: Buffer): void =>
    posix.setXattr(Buffer.from(at(path)), { name: Buffer.from(name), value });
  for (const path of ['a', 'a/file']) {
    setXattr(path, 'user.note', Buffer.from([0, 1, 2, 255]));
    setXattr(path, 'user.empty', Buffer.alloc(0));
  }
  setXattr('large', 'system.posix_acl_access', acl);
  setXattr('a', 'system.posix_acl_default', acl);
  setXattr('a/file', 'trusted.note', Buffer.from('root only'));
  posix.makeNode(Buffer.from(at('fifo')), 0o010640, 0n);
  posix.makeNode(Buffer.from(at('null')), 0o020666, 0x0103n);
  posix.makeNode(Buffer.from(at('disk')), 0o060660, (8n << 8n) | (1n << 20n) | 17n);
  chmodSync(at('small', '0'), 0o4755);
  chmodSync(at('empty folder'), 0o2750);
  chmodSync(at('a-b'), 0o1777);
  chownSync(at('a', 'file'), 12_345, 54_321);
  chownSync(at('a.b'), 33, 4_294_967_294);
  for (const [path, mtimeNs] of times) posix.setTime(Buffer.from(at(path)), mtimeNs);
}

/** What the second snapshot of the tree holds. */
export function changeFullTree(root: string): void {
  rmSync(join(root, 'small', '7'));
  writeFileSync(join(root, 'small', '8'), 'changed');
  writeFileSync(join(root, 'new'), 'new\n');
  renameSync(join(root, 'a-b'), join(root, 'moved'));
}

const times: readonly (readonly [string, bigint])[] = [
  ['small/1', 0n],
  ['small/2', -1n],
  ['small/3', -1_234_567_890_123_456_789n],
  ['small/4', 4_102_444_800_123_456_789n],
  ['dangling', 999_999_999n],
  ['a', 2_222_222_222_222_222_222n],
];

/** owner rwx, user 1000 r-x, group r--, mask rwx, other --- as Linux lays it out. */
const acl = Buffer.from(
  '02000000 01000700ffffffff 02000500e8030000 04000400ffffffff 10000700ffffffff 20000000ffffffff'.replaceAll(' ', ''),
  'hex',
);

/** Names after which a segment ends because of the record's 54 bytes; the 47 of its body would not do. */
function findSegmentEnds(): string[] {
  const names = Array.from({ length: 200_000 }, (_, i) => `segments/${i}`);
  const ends = (name: string, recordBytes: number): boolean => endsSegment(Buffer.from(name), recordBytes);
  return names.filter((name) => ends(name, 54) && !ends(name, 48)).slice(0, 3);
}

/**
 * Six MiB that compress well and yet are cut for each of the reasons there are: by 22 bits before 1 MiB, by 18 bits behind it, at 4 MiB.
 */
function makeLarge(): Buffer {
  const late = findPiece(([length = 0]) => length > MiB && length < MiB + 64 * KiB);
  const early = findPiece(([length = 0]) => length < 300 * KiB);
  const never = findPiece(([length = 0]) => length === 4 * MiB);
  return Buffer.concat([repeat(late, 80), early, repeat(late, 140), repeat(never, 560), repeat(late, 10)]);
}

/** 8 KiB that are cut so when they are repeated over and over. */
function findPiece(isCutSo: (lengths: readonly number[]) => boolean): Buffer {
  for (let i = 0; ; i++) {
    const piece = noise(`piece ${i}`, 8 * KiB);
    if (isCutSo(cutByContent(repeat(piece, 520)))) return piece;
  }
}

function repeat(piece: Buffer, times: number): Buffer {
  return Buffer.alloc(piece.length * times, piece);
}

function writeSparse(path: string, size: number, pieces: readonly (readonly [offset: number, bytes: Buffer])[]): void {
  const fd = openSync(path, 'w');
  for (const [offset, bytes] of pieces) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}
