import { isAscii, isUtf8 } from 'node:buffer';
import { KiB } from '../base/bytes.ts';
import { Fault } from '../base/faults.ts';
import type { TreeEntry } from '../repository/contract.ts';

/**
 * A tree as a POSIX pax archive (what GNU tar, bsdtar and Python's tarfile read): ustar headers, before each a pax header for whatever does
 * not fit into it or has no place there: long names, times to the nanosecond, large sizes and ids, extended attributes (ACLs among
 * them) as `SCHILY.xattr.…`. Names that are no UTF-8 are kept as they are, long ones announced by `hdrcharset=BINARY`. Sparse files are written out.
 * Names are relative to `folder`, which itself is `./`.
 */
export async function* writeTar(parts: AsyncIterable<TreeEntry | Buffer>, folder: Buffer): AsyncGenerator<Buffer> {
  // Thousands of small buffers cost more to send than to copy.
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let owed = 0;
  let padding = 0;
  for await (const part of parts) {
    if (Buffer.isBuffer(part)) {
      gathered.push(part);
      gatheredBytes += part.length;
      owed -= part.length;
      if (owed === 0 && padding > 0) gathered.push(Buffer.alloc(padding));
      if (owed === 0) gatheredBytes += padding;
    } else {
      checkComplete(owed);
      const header = writeHeaders(part, folder.length);
      gathered.push(header);
      gatheredBytes += header.length;
      owed = part.sizeBytes;
      padding = -owed & (blockBytes - 1);
    }
    if (gatheredBytes < sendBytes) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    gatheredBytes = 0;
  }
  checkComplete(owed);
  yield Buffer.concat([...gathered, Buffer.alloc(2 * blockBytes)]);
}

const blockBytes = 512;
const sendBytes = 256 * KiB;
/** Largest values of the octal fields. */
const maxId = 0o7777777;
const maxSize = 0o77777777777;
const nsPerSecond = 1_000_000_000n;

const typeFlags: Readonly<Record<TreeEntry['type'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  folder: '5',
  fifo: '6',
};

function checkComplete(owed: number): void {
  if (owed !== 0) throw new Fault('internal', 'contents.out_of_step', `A file in the archive is ${owed} bytes short.`);
}

function writeHeaders(entry: TreeEntry, folderLength: number): Buffer {
  const { type, sizeBytes, uid, gid, mtimeNs } = entry;
  const prefix = folderLength === 0 ? 0 : folderLength + 1;
  const path = entry.path.length === folderLength ? Buffer.from('.') : entry.path.subarray(prefix);
  const name = type === 'folder' ? Buffer.concat([path, Buffer.from('/')]) : path;
  const link = type === 'hardlink' ? entry.target.subarray(prefix) : entry.target;

  const records: Buffer[] = [];
  const names = [
    { key: 'path', value: name },
    { key: 'linkpath', value: link },
  ].filter(({ value }) => !fitsHeader(value));
  if (names.some(({ value }) => !isUtf8(value))) records.push(paxRecord('hdrcharset', 'BINARY'));
  for (const { key, value } of names) records.push(paxRecord(key, value));
  if (sizeBytes > maxSize) records.push(paxRecord('size', String(sizeBytes)));
  if (uid > maxId) records.push(paxRecord('uid', String(uid)));
  if (gid > maxId) records.push(paxRecord('gid', String(gid)));
  const seconds = mtimeNs / nsPerSecond;
  const fits = mtimeNs >= 0n && seconds <= BigInt(maxSize);
  if (!fits || mtimeNs % nsPerSecond !== 0n) records.push(paxRecord('mtime', timeText(mtimeNs)));
  for (const xattr of entry.xattrs) records.push(paxRecord(`SCHILY.xattr.${xattrKey(xattr.name)}`, xattr.value));

  const header = ustarHeader({ ...entry, name, link, flag: typeFlags[type], seconds: fits ? Number(seconds) : 0 });
  if (records.length === 0) return header;
  const pax = Buffer.concat(records);
  const paxHeader = ustarHeader({
    name: Buffer.from('PaxHeaders/entry'),
    link: Buffer.alloc(0),
    flag: 'x',
    sizeBytes: pax.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    seconds: 0,
    major: 0,
    minor: 0,
  });
  return Buffer.concat([paxHeader, pax, Buffer.alloc(-pax.length & (blockBytes - 1)), header]);
}

/** Short, and ASCII or no text at all: readers take bytes in the header as they are, and differ in what they take UTF-8 there for. */
function fitsHeader(name: Buffer): boolean {
  return name.length <= 100 && (isAscii(name) || !isUtf8(name));
}

interface UstarFields extends Pick<TreeEntry, 'sizeBytes' | 'mode' | 'uid' | 'gid' | 'major' | 'minor'> {
  readonly name: Buffer;
  readonly link: Buffer;
  readonly flag: string;
  readonly seconds: number;
}

/** Names that do not fit are cut, numbers that do not fit are 0: a pax header before this one has them in full. */
function ustarHeader({ name, link, flag, seconds, sizeBytes, mode, uid, gid, major, minor }: UstarFields): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    header.write((value < 8 ** digits ? value : 0).toString(8).padStart(digits, '0'), at, 'latin1');
  };
  name.copy(header, 0, 0, 100);
  octal(mode, 100, 7);
  octal(uid, 108, 7);
  octal(gid, 116, 7);
  octal(sizeBytes, 124, 11);
  octal(seconds, 136, 11);
  header.fill(' ', 148, 156);
  header.write(flag, 156, 'latin1');
  link.copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  octal(major, 329, 7);
  octal(minor, 337, 7);
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 6);
  header[154] = 0;
  return header;
}

/** `<length of all of it> <key>=<value>\n` */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** As GNU tar writes keys: the signs that end one are escaped. */
function xattrKey(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1').replaceAll('%', '%25').replaceAll('=', '%3D');
}

function timeText(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % nsPerSecond).padStart(9, '0');
  return `${ns < 0n ? '-' : ''}${size / nsPerSecond}.${fraction}`;
}
