import type { BigIntStats } from 'node:fs';
import type { ByteWriter } from './bytes.ts';
import { headTimes, type NodeHead, type NodeType } from './node.ts';

/** What `lstat` tells of a node. */
export interface NodeFacts extends NodeHead {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly dev: bigint;
  readonly rdev: bigint;
  /** How many names it has. */
  readonly names: number;
}

/** Of something that has a place in a tree. */
export interface KnownFacts extends NodeFacts {
  readonly type: NodeType;
}

export function factsOf(stat: BigIntStats): NodeFacts {
  const { ino, dev, rdev, ctimeNs, mtimeNs } = stat;
  return {
    type: typeOf(stat),
    inode: ino,
    ctimeNs,
    mtimeNs,
    size: stat.isFile() ? Number(stat.size) : 0,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    dev,
    rdev,
    names: Number(stat.nlink),
  };
}

/** Undefined for a socket. */
function typeOf(stat: BigIntStats): NodeType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'folder';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isBlockDevice()) return 'block';
  return stat.isCharacterDevice() ? 'character' : undefined;
}

/** On the way from a worker thread the facts that are not in a node's head follow it: dev u64 | rdev u64 | mode, uid, gid, names u32. */
export const moreBytes = 32;

export function writeMore(writer: ByteWriter, { dev, rdev, mode, uid, gid, names }: NodeFacts): void {
  writer.u64(dev);
  writer.u64(rdev);
  writer.u32(mode);
  writer.u32(uid);
  writer.u32(gid);
  writer.u32(Math.min(names, 0xffff_ffff));
}

export function readFacts(head: Buffer, more: Buffer): Omit<NodeFacts, 'type'> {
  return {
    ...headTimes(head),
    dev: more.readBigUInt64LE(0),
    rdev: more.readBigUInt64LE(8),
    mode: more.readUInt32LE(16),
    uid: more.readUInt32LE(20),
    gid: more.readUInt32LE(24),
    names: readNames(more),
  };
}

export function readNames(more: Buffer): number {
  return more.readUInt32LE(28);
}

/** Inode and device: the same for all names of a file. */
export function linkKey(head: Buffer, more: Buffer): string {
  return head.toString('latin1', 0, 8) + more.toString('latin1', 0, 8);
}
