import { pathText } from '../file-faults.ts';

/**
 * A path relative to the root of a tree, `/` between its parts, empty for the root itself. One character is one byte
 * ("latin1" string): names need not be UTF-8, and such strings compare and share memory far better than Buffers.
 */
export type TreePath = string;

/** Folders come right before what is in them, entries of a folder in byte order: `a`, `a/x`, `a-b`. */
export function compareTreePaths(a: TreePath, b: TreePath): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // `/` ends a name, so it sorts before every byte that a name can hold.
    if (x !== y) return x === slash ? -1 : y === slash ? 1 : x - y;
  }
  return a.length - b.length;
}

/** How many characters both begin with. */
export function sharedLength(a: TreePath, b: TreePath): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}

export function joinPath(folder: TreePath, name: string): TreePath {
  return folder === '' ? name : `${folder}/${name}`;
}

export function parentPath(path: TreePath): TreePath {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '' : path.slice(0, cut);
}

/** The bytes under which the file system knows the path; `root` is an absolute path in the same form, empty for `/`. */
export function systemPath(root: string, path: TreePath): Buffer {
  return Buffer.from(path === '' ? root || '/' : `${root}/${path}`, 'latin1');
}

/** A path given by people (UTF-8) in the form used here. */
export function bytePath(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function treePathText(path: TreePath): string {
  return pathText(Buffer.from(path, 'latin1'));
}

const slash = 47;
