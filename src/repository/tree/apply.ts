import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import { errnoOf, fileFault } from '../file-faults.ts';
import { deviceNumber } from './describe.ts';
import type { TreeNode } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';
import { loadPosix, type PosixPlace } from './posix.ts';

/** Where nodes are made and what this process may do there. */
export interface ApplyContext {
  /** Absolute path of the folder that is being filled, as bytes. */
  readonly root: string;
  /** Only root may give files away. */
  readonly setsOwners: boolean;
  readonly warn: (line: string) => void;
}

/** What no privilege or file system support is there for: told, never a reason to fail. */
const notHere = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The bits to set: without its owner a setuid file would serve the wrong one. */
export function modeToSet(node: TreeNode, setsOwners: boolean): number {
  const keeps = setsOwners || (node.uid === process.geteuid?.() && node.gid === process.getegid?.());
  return keeps ? node.mode : node.mode & 0o1777;
}

/**
 * Makes a file that must not be there yet (`exclusive`) or may have been begun, lets `fill` write to it, and sets what differs from its node while it
 * is open: the path is searched for once. Setting the owner clears setuid bits and capabilities, so it goes first.
 */
export function makeFile(
  context: ApplyContext,
  path: TreePath,
  node: TreeNode,
  exclusive: boolean,
  fill: (fd: number) => void,
): void {
  const place = systemPath(context.root, path);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | (exclusive ? constants.O_EXCL : 0);
  let fd: number | undefined;
  try {
    // Nobody else can enter the partial folder, so that the file may have its bits before it has its owner.
    fd = openSync(place, flags, node.mode & 0o777);
    fill(fd);
    const { uid, gid, mode } = fstatSync(fd);
    if (context.setsOwners && (uid !== node.uid || gid !== node.gid)) fchownSync(fd, node.uid, node.gid);
    const wantedMode = modeToSet(node, context.setsOwners);
    if ((mode & 0o7777) !== wantedMode) fchmodSync(fd, wantedMode);
    setAttributes(context, path, node, fd);
    if (!loadPosix().syncsFiles) fsyncSync(fd);
  } catch (error) {
    throw fileFault(error, 'write', place);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Everything but folders, hard links and files with content that is still to come. */
export function makeOther(context: ApplyContext, path: TreePath, node: TreeNode): void {
  if (node.type === 'file') {
    makeFile(context, path, node, false, (fd) => ftruncateSync(fd, node.size));
    return;
  }
  const place = systemPath(context.root, path);
  try {
    if (node.type === 'symlink') symlinkSync(Buffer.from(node.target, 'latin1'), place);
    else makeSpecial(place, node);
    if (context.setsOwners) lchownSync(place, node.uid, node.gid);
    if (node.type !== 'symlink') chmodSync(place, modeToSet(node, context.setsOwners));
  } catch (error) {
    const errno = errnoOf(error);
    if (node.type === 'symlink' || errno === undefined || !notHere.has(errno)) throw fileFault(error, 'make', place);
    context.warn(`${treePathText(path)} was left out: this user or platform cannot make a ${kindText[node.type]} (${errno}).`);
    return;
  }
  setAttributes(context, path, node, place);
}

const kindText: Readonly<Record<string, string>> = { fifo: 'FIFO', character: 'character device', block: 'block device' };
const typeBits: Readonly<Record<string, number>> = { fifo: 0o010000, character: 0o020000, block: 0o060000 };

/** @throws {Fault} `repository.file_failed` with the errno */
export function makeSpecial(place: Buffer, node: TreeNode): void {
  loadPosix().makeNode(place, (typeBits[node.type] ?? 0) | 0o600, deviceNumber(node.major, node.minor));
}

/** Owner, mode, attributes and time of a folder, once all in it is done. */
export function finishFolder(context: ApplyContext, path: TreePath, node: TreeNode): void {
  const place = systemPath(context.root, path);
  try {
    if (context.setsOwners) lchownSync(place, node.uid, node.gid);
    chmodSync(place, modeToSet(node, context.setsOwners));
  } catch (error) {
    throw fileFault(error, 'set owner and mode of', place);
  }
  setAttributes(context, path, node, place);
}

/** Attributes, then the time: nothing after it may touch the node. */
function setAttributes(context: ApplyContext, path: TreePath, node: TreeNode, place: PosixPlace): void {
  const posix = loadPosix();
  for (const xattr of node.xattrs) {
    try {
      posix.setXattr(place, xattr);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || !notHere.has(errno)) throw error;
      context.warn(
        `The extended attribute ${xattr.name.toString()} of ${treePathText(path)} was left out: it cannot be set here (${errno}).`,
      );
    }
  }
  posix.setTime(place, node.mtimeNs);
}

/** Whether doing it now fails as well, for want of privilege or support. */
export function cannotBeDone(action: () => void): boolean {
  try {
    action();
    return false;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || !notHere.has(errno)) throw error;
    return true;
  }
}
