import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { errnoOf, fileFault } from '../file-faults.ts';
import type { Task } from '../workers/task.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { factsOf, moreBytes, writeMore } from './facts.ts';
import { createTreeFilter, type TreeFilter } from './filter.ts';
import { headBytes, writeHead } from './node.ts';
import { joinPath, systemPath, type TreePath, treePathText } from './path.ts';

/** What one task looks at before it leaves folders to others: some 10 ms. */
const maxEntries = 2048;

export interface ListFoldersInput {
  /** Absolute, in the form of a `TreePath`. */
  readonly root: string;
  /** Paths of folders, joined by NUL. */
  readonly folders: string;
  readonly exclude: readonly string[] | undefined;
}

export interface ListFoldersOutput {
  /** One listing after the other, in the order of the folders: see `EntryReader`. */
  readonly listings: Uint8Array<ArrayBuffer>;
  /** Where each listing ends; those of the last folders are missing when the task had enough. */
  readonly ends: readonly number[];
  readonly warnings: readonly string[];
}

/**
 * Looks at everything below the folders, in tree order. A listing is a list of entries:
 *
 *   bytes of the path before that are its folder's, varint | name, varint length and bytes | 1 or 0 u8 | head of the node | more facts
 *
 * 1: a folder that has been left to others with all below it.
 */
export const listFoldersTask: Task<ListFoldersInput, ListFoldersOutput> = {
  name: 'tree.list-folders',
  run({ root, folders, exclude }, context) {
    const lister = new Lister(root, createTreeFilter(undefined, exclude), () => context.throwIfAborted());
    const ends: number[] = [];
    for (const folder of folders.split('\0')) {
      if (ends.length > 0 && lister.entries >= maxEntries) break;
      lister.list(folder);
      ends.push(lister.writer.length);
    }
    const listings = lister.writer.take();
    context.transfer(listings.buffer);
    return { listings, ends, warnings: lister.warnings };
  },
};

class Lister {
  readonly writer = new ByteWriter(256 * 1024);
  readonly warnings: string[] = [];
  entries = 0;
  readonly #root: string;
  readonly #filter: TreeFilter;
  readonly #throwIfAborted: () => void;

  constructor(root: string, filter: TreeFilter, throwIfAborted: () => void) {
    this.#root = root;
    this.#filter = filter;
    this.#throwIfAborted = throwIfAborted;
  }

  list(folder: TreePath): void {
    this.#throwIfAborted();
    const names = this.#readNames(folder);
    for (const name of names) {
      const path = joinPath(folder, name);
      const stat = this.#lookAt(path);
      if (stat === undefined) continue;
      const isFolder = stat.isDirectory();
      if (this.#filter.excludes(path, isFolder)) continue;
      const isListed = isFolder && this.entries < maxEntries;
      this.entries++;
      this.#write(folder, name, stat, isFolder && !isListed);
      if (isListed) this.list(path);
    }
  }

  #write(folder: TreePath, name: string, stat: BigIntStats, isUnlisted: boolean): void {
    this.writer.varint(folder.length);
    this.writer.sizedText(name);
    this.writer.byte(isUnlisted ? 1 : 0);
    const facts = factsOf(stat);
    writeHead(this.writer, facts);
    writeMore(this.writer, facts);
  }

  #readNames(path: TreePath): readonly string[] {
    const folder = systemPath(this.#root, path);
    try {
      // Sorting one-byte strings is sorting their bytes.
      return readdirSync(folder, { encoding: 'latin1' }).sort();
    } catch (error) {
      if (path === '') throw fileFault(error, 'list', folder);
      this.warnings.push(`What is in ${treePathText(path)} was left out: the folder ${explain(errnoOf(error))}.`);
      return [];
    }
  }

  #lookAt(path: TreePath): BigIntStats | undefined {
    try {
      return lstatSync(systemPath(this.#root, path), { bigint: true });
    } catch (error) {
      this.warnings.push(`${treePathText(path)} was left out: it ${explain(errnoOf(error))}.`);
      return undefined;
    }
  }
}

/** The end of a warning line for something that could not be read. */
export function explain(errno: string | undefined): string {
  if (errno === 'ENOENT' || errno === 'ESTALE') return 'vanished while the tree was read';
  if (errno === 'EACCES' || errno === 'EPERM') return `may not be read by this user (${errno})`;
  if (errno === 'ENAMETOOLONG') return 'has a path that is longer than the system can open (ENAMETOOLONG)';
  return `could not be read (${errno ?? 'unknown error'})`;
}

/** Walks the entries of one listing: `next`, then the entry's own fields. */
export class EntryReader {
  path: TreePath;
  /** See `writeHead` and `writeMore`; views. */
  head: Buffer = Buffer.alloc(0);
  more: Buffer = Buffer.alloc(0);
  isUnlisted = false;
  readonly #reader: ByteReader;

  constructor(folder: TreePath, listings: Uint8Array, start: number, end: number) {
    this.path = folder;
    this.#reader = new ByteReader(Buffer.from(listings.buffer, listings.byteOffset, listings.length), start, end);
  }

  next(): boolean {
    const reader = this.#reader;
    if (reader.done) return false;
    const folder = this.path.slice(0, reader.varint());
    this.path = joinPath(folder, reader.text(reader.varint()));
    this.isUnlisted = reader.byte() === 1;
    this.head = reader.view(headBytes);
    this.more = reader.view(moreBytes);
    return true;
  }
}
