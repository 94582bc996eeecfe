import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { errnoOf, fileFault } from '../file-faults.ts';
import type { TreeFilter } from './filter.ts';
import { joinPath, systemPath, type TreePath, treePathText } from './path.ts';

export interface TreeEntry {
  readonly path: TreePath;
  readonly stat: BigIntStats;
}

interface Level {
  readonly folder: TreePath;
  readonly names: readonly string[];
  next: number;
  /** A folder that is recorded only once something in it is: its own entry waits here. */
  waiting: TreeEntry | undefined;
}

/**
 * Everything below an absolute root (a "latin1" string of bytes), the root itself first, in tree order. Other file
 * systems mounted in it are part of it. Sockets are left out with a warning, as is what cannot be looked at; what vanishes meanwhile too.
 * One folder's names a level are in memory; about 5 µs an entry.
 * @throws {Fault} `repository.file_failed` when the root itself cannot be read
 */
export function* walkTree(root: string, filter: TreeFilter, warn: (line: string) => void): Generator<TreeEntry> {
  const top: TreeEntry = { path: '', stat: lstatRoot(root) };
  const levels: Level[] = [{ folder: '', names: readNames(root, ''), next: 0, waiting: undefined }];
  yield top;
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const path = joinPath(level.folder, name);
    const stat = lookAt(root, path, warn);
    if (stat === undefined) continue;
    const isFolder = stat.isDirectory();
    if (filter.excludes(path, isFolder)) continue;
    if (stat.isSocket()) {
      warn(`${treePathText(path)} is a socket and was left out.`);
      continue;
    }
    const included = filter.includes(path, isFolder);
    if (!included && !isFolder) continue;
    const entry: TreeEntry = { path, stat };
    if (included) {
      for (const outer of levels) {
        if (outer.waiting === undefined) continue;
        yield outer.waiting;
        outer.waiting = undefined;
      }
      yield entry;
    }
    if (!isFolder) continue;
    const names = listFolder(root, path, warn);
    if (names !== undefined) levels.push({ folder: path, names, next: 0, waiting: included ? undefined : entry });
  }
}

function lstatRoot(root: string): BigIntStats {
  try {
    return lstatSync(systemPath(root, ''), { bigint: true });
  } catch (error) {
    throw fileFault(error, 'look at', systemPath(root, ''));
  }
}

function readNames(root: string, path: TreePath): string[] {
  const folder = systemPath(root, path);
  try {
    // Sorting one-byte strings is sorting their bytes.
    return readdirSync(folder, { encoding: 'latin1' }).sort();
  } catch (error) {
    throw fileFault(error, 'list', folder);
  }
}

function listFolder(root: string, path: TreePath, warn: (line: string) => void): string[] | undefined {
  try {
    return readNames(root, path);
  } catch (error) {
    warn(`What is in ${treePathText(path)} was left out: the folder ${explain(errnoOf(error))}.`);
    return undefined;
  }
}

function lookAt(root: string, path: TreePath, warn: (line: string) => void): BigIntStats | undefined {
  try {
    return lstatSync(systemPath(root, path), { bigint: true });
  } catch (error) {
    warn(`${treePathText(path)} was left out: it ${explain(errnoOf(error))}.`);
    return undefined;
  }
}

/** The end of a warning line for something that could not be read. */
export function explain(errno: string | undefined): string {
  if (errno === 'ENOENT' || errno === 'ESTALE') return 'vanished while the tree was read';
  if (errno === 'EACCES' || errno === 'EPERM') return `may not be read by this user (${errno})`;
  if (errno === 'ENAMETOOLONG') return 'has a path that is longer than the system can open (ENAMETOOLONG)';
  return `could not be read (${errno ?? 'unknown error'})`;
}
