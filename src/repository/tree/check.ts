import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { Fault } from '../../base/faults.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import type { WorkerContext } from '../workers/task.ts';
import { type ApplyContext, cannotBeDone, makeSpecial, modeToSet } from './apply.ts';
import { ByteReader } from './bytes.ts';
import { chunkMaxBytes } from './chunker.ts';
import { type Place, PlaceReader } from './content.ts';
import { deviceNumber } from './describe.ts';
import { readRuns, type TreeNode } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';
import { loadPosix, type PosixPlace } from './posix.ts';
import { listDataExtents } from './posix-extents.ts';

/** What was read back is not what the snapshot says. */
function digestDiffers(path: TreePath, what: string): Fault {
  return new Fault(
    'corrupt',
    'repository.digest_differs',
    `${treePathText(path)} was restored, but ${what} read back from it differs from the snapshot.`,
    {
      details: { path: treePathText(path) },
      help: 'Nothing was put in place. Look at the disk of the target and restore again; if it stays so, verify the checkpoint.',
    },
  );
}

/**
 * Compares everything but a file, see `checkFile`, with what the file system tells. What it cannot hold, or this user may not set, was told when it was
 * made and is no difference: it counts as such when doing it once more leads to the same.
 * @throws {Fault} `repository.digest_differs` (corrupt)
 */
export function checkNode(context: ApplyContext, path: TreePath, node: TreeNode): void {
  const place = systemPath(context.root, path);
  const stat = lstatSync(place, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) {
    const isSpecial = node.type === 'fifo' || node.type === 'character' || node.type === 'block';
    if (isSpecial && cannotBeDone(() => makeSpecial(place, node))) return;
    throw digestDiffers(path, 'nothing');
  }
  if (node.type === 'hardlink') {
    const first = lstatSync(systemPath(context.root, node.target), { bigint: true, throwIfNoEntry: false });
    if (first?.ino !== stat.ino || first.dev !== stat.dev) throw digestDiffers(path, 'the hard link');
    return;
  }
  checkMetadata(context, path, node, stat, place);
  if (node.type === 'symlink' && readlinkSync(place, { encoding: 'buffer' }).toString('latin1') !== node.target) {
    throw digestDiffers(path, 'the target of the link');
  }
}

/**
 * Reads a file back, with its content unless that is of the listed form, which comes in pieces; gives the bytes compared. The path is searched for once.
 * @throws {Fault} `repository.digest_differs` (corrupt)
 */
export function checkFile(target: ApplyContext & ReadBackTarget, path: TreePath, node: TreeNode, context: WorkerContext): number {
  const place = systemPath(target.root, path);
  const fd = openForReading(place, path);
  try {
    checkMetadata(target, path, node, fstatSync(fd, { bigint: true }), fd);
    if (node.content.form === 'listed') return 0;
    checkContent(fd, target.keyId, path, knownPlaces(node), { from: 0, to: node.size }, context);
    return node.size;
  } catch (error) {
    throw fileFault(error, 'read back', place);
  } finally {
    closeSync(fd);
  }
}

function checkMetadata(context: ApplyContext, path: TreePath, node: TreeNode, stat: BigIntStats, place: PosixPlace): void {
  if (!hasType(stat, node)) throw digestDiffers(path, 'the type');
  if (node.type === 'file' && stat.size !== BigInt(node.size)) throw digestDiffers(path, 'the size');
  if (node.type !== 'symlink' && (Number(stat.mode) & 0o7777) !== modeToSet(node, context.setsOwners))
    throw digestDiffers(path, 'the mode');
  if (context.setsOwners && (Number(stat.uid) !== node.uid || Number(stat.gid) !== node.gid))
    throw digestDiffers(path, 'the owner');
  checkXattrs(path, place, node);
  if (stat.mtimeNs !== node.mtimeNs) checkCoarseTime(context, path, node, stat.mtimeNs);
}

function hasType(stat: BigIntStats, node: TreeNode): boolean {
  if (node.type === 'file') return stat.isFile();
  if (node.type === 'folder') return stat.isDirectory();
  if (node.type === 'symlink') return stat.isSymbolicLink();
  if (node.type === 'fifo') return stat.isFIFO();
  const sameKind = node.type === 'block' ? stat.isBlockDevice() : stat.isCharacterDevice();
  return sameKind && stat.rdev === deviceNumber(node.major, node.minor);
}

function checkXattrs(path: TreePath, place: PosixPlace, node: TreeNode): void {
  const posix = loadPosix();
  const found = posix.readXattrs(place);
  if (found.length === 0 && node.xattrs.length === 0) return;
  const text = (name: Buffer): string => name.toString('latin1');
  const values = new Map(found.map(({ name, value }) => [text(name), value]));
  for (const xattr of node.xattrs) {
    if (values.get(text(xattr.name))?.equals(xattr.value) === true) values.delete(text(xattr.name));
    else if (!cannotBeDone(() => posix.setXattr(place, xattr)))
      throw digestDiffers(path, `the extended attribute ${text(xattr.name)}`);
  }
  for (const name of values.keys()) {
    // Labels are given by the system of the target.
    if (!name.startsWith('security.')) throw digestDiffers(path, `the extended attribute ${name}, which it should not have,`);
  }
}

function checkCoarseTime(context: ApplyContext, path: TreePath, node: TreeNode, foundNs: bigint): void {
  const place = systemPath(context.root, path);
  loadPosix().setTime(place, node.mtimeNs);
  if (lstatSync(place, { bigint: true }).mtimeNs !== foundNs) throw digestDiffers(path, 'the time');
  context.warn(
    `The time of ${treePathText(path)} is kept as ${foundNs} ns, not ${node.mtimeNs} ns: the file system or platform cannot hold it exactly.`,
  );
}

function* knownPlaces(node: TreeNode): Generator<Place> {
  const { content } = node;
  if (content.form === 'chunk') yield { offset: 0, length: node.size, id: content.id };
  if (content.form !== 'runs') return;
  const places = new PlaceReader(node.size);
  for (const run of readRuns(new ByteReader(Buffer.from(content.runs.buffer, content.runs.byteOffset, content.runs.length)))) {
    yield places.place(run);
  }
}

/** Where to read, and the root key whose ids are compared with. */
interface ReadBackTarget {
  readonly root: string;
  readonly keyId: string;
}

let scratch: Buffer | undefined;
let zeros: Buffer | undefined;

/** Compares the range of a file: chunks at their places by id, zeros between them. */
export function checkPlaces(
  { root, keyId }: ReadBackTarget,
  path: TreePath,
  places: Iterable<Place>,
  range: { readonly from: number; readonly to: number },
  context: WorkerContext,
): void {
  const place = systemPath(root, path);
  const fd = openForReading(place, path);
  try {
    checkContent(fd, keyId, path, places, range, context);
  } catch (error) {
    throw fileFault(error, 'read back', place);
  } finally {
    closeSync(fd);
  }
}

function checkContent(
  fd: number,
  keyId: string,
  path: TreePath,
  places: Iterable<Place>,
  range: { readonly from: number; readonly to: number },
  context: WorkerContext,
): void {
  scratch ??= Buffer.allocUnsafeSlow(chunkMaxBytes);
  let end = range.from;
  for (const place of places) {
    context.throwIfAborted();
    checkZeros(fd, path, end, place.offset, scratch);
    if (place.length > chunkMaxBytes || readFully(fd, scratch, place.length, place.offset) !== place.length)
      throw digestDiffers(path, 'the content');
    if (!Buffer.from(context.identify(scratch.subarray(0, place.length), keyId)).equals(place.id))
      throw digestDiffers(path, 'the content');
    end = place.offset + place.length;
  }
  checkZeros(fd, path, end, range.to, scratch);
}

function checkZeros(fd: number, path: TreePath, from: number, to: number, buffer: Buffer): void {
  if (from === to) return;
  for (const { offset, length } of listDataExtents(fd, to, from)) {
    zeros ??= Buffer.alloc(chunkMaxBytes);
    for (let at = offset; at < offset + length; ) {
      const read = readFully(fd, buffer, Math.min(buffer.length, offset + length - at), at);
      if (read === 0 || buffer.compare(zeros, 0, read, 0, read) !== 0) throw digestDiffers(path, 'the content of a hole');
      at += read;
    }
  }
}

function readFully(fd: number, buffer: Buffer, length: number, position: number): number {
  let filled = 0;
  while (filled < length) {
    const read = readSync(fd, buffer, filled, length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}

/** The owner may have restored a file that he may not read: then he may for a moment. */
function openForReading(place: Buffer, path: TreePath): number {
  // Non-blocking, as a FIFO may have taken the file's place.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(place, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') throw digestDiffers(path, 'nothing');
    if (errno === 'ELOOP') throw digestDiffers(path, 'the type');
    if (errno !== 'EACCES') throw fileFault(error, 'read back', place);
    const mode = Number(lstatSync(place).mode) & 0o7777;
    chmodSync(place, mode | 0o400);
    try {
      return openSync(place, flags);
    } finally {
      chmodSync(place, mode);
    }
  }
}
