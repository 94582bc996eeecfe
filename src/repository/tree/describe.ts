import { readlinkSync } from 'node:fs';
import { errnoOf } from '../file-faults.ts';
import type { KnownFacts } from './facts.ts';
import { emptyNode, maxBodyBytes, type TreeNode } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';
import { loadPosix, type PosixPlace, type Xattr } from './posix.ts';

/** Leaves room in a body for everything else. */
const maxXattrBytes = maxBodyBytes / 2;

/**
 * What a file system tells of a path, but for the content of files. `changedBeforeNs`: a ctime at or after it is not kept as a hint,
 * since a change in the same tick of the clock could follow unseen. `place` may be the open file: its path is not searched for again.
 */
export function describeNode(
  root: string,
  path: TreePath,
  facts: KnownFacts,
  changedBeforeNs: bigint,
  warn: (line: string) => void,
  place: PosixPlace = systemPath(root, path),
): TreeNode {
  const { type, inode, ctimeNs, mtimeNs, size, uid, gid, rdev } = facts;
  const isLink = type === 'symlink';
  const isDevice = type === 'character' || type === 'block';
  return {
    ...emptyNode,
    type,
    inode,
    ctimeNs: ctimeNs < changedBeforeNs ? ctimeNs : 0n,
    mtimeNs,
    size,
    // The bits of a symlink mean nothing and are the same on Linux for every one.
    mode: isLink ? 0o777 : facts.mode,
    uid,
    gid,
    xattrs: readXattrs(place, path, warn),
    target: isLink ? readLink(root, path) : '',
    major: isDevice ? Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)) : 0,
    minor: isDevice ? Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)) : 0,
  };
}

/** A node's device number as Linux takes it. */
export function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | ((high & 0xfffff000n) << 32n);
}

function readLink(root: string, path: TreePath): string {
  return readlinkSync(systemPath(root, path), { encoding: 'buffer' }).toString('latin1');
}

function readXattrs(place: PosixPlace, path: TreePath, warn: (line: string) => void): readonly Xattr[] {
  try {
    const xattrs = loadPosix().readXattrs(place);
    const bytes = xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
    if (bytes <= maxXattrBytes) return xattrs;
    warn(`The extended attributes of ${treePathText(path)} were left out: they take ${bytes} bytes, more than ${maxXattrBytes}.`);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (errno !== 'ENOENT')
      warn(`The extended attributes of ${treePathText(path)} were left out: they could not be read (${errno}).`);
  }
  return [];
}
