import { lstatSync } from 'node:fs';
import type { TreeInput } from '../contract.ts';
import type { WriteSession } from '../core.ts';
import { fileFault } from '../file-faults.ts';
import { ByteWriter } from './bytes.ts';
import { factsOf, type KnownFacts, linkKey, readFacts, readNames } from './facts.ts';
import { createTreeFilter, type TreeFilter } from './filter.ts';
import { EntryReader, listFoldersTask } from './list-task.ts';
import { headBytes, headSize, headType, type NodeType, writeHead } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';

export interface TreeEntry {
  readonly path: TreePath;
  readonly type: NodeType;
  /** What a node's body begins with, see `writeHead`: an unchanged one has the same. */
  readonly head: Buffer;
  readonly size: number;
  /** Of a file that has more than one: their number, and what is the same for all of them. */
  readonly names: { readonly count: number; readonly key: string } | undefined;
  getFacts(): KnownFacts;
}

/** Folders that one task begins with. */
const foldersPerTask = 64;
/** Listings that wait to be walked, beyond those that are waited for. */
const maxWaitingBytes = 8 * 1024 * 1024;

interface Listing {
  readonly reader: EntryReader;
  readonly bytes: number;
}

export interface WalkOptions {
  readonly input: TreeInput;
  /** Absolute, a "latin1" string of bytes. */
  readonly root: string;
  readonly session: WriteSession;
  readonly threads: number;
  readonly warn: (line: string) => void;
}

/**
 * Everything below a root, the root itself first, in tree order. Worker threads look ahead, a part of the tree each. Other file systems mounted in it are
 * part of it. Sockets are left out with a warning, as is what cannot be looked at; what vanishes meanwhile too.
 * In memory are some MiB of listings and, however many they are, the entries of the folders that lead to the current one.
 */
export class TreeWalk {
  readonly #options: WalkOptions;
  readonly #filter: TreeFilter;
  /** Folders to be listed, about in the order in which they are needed. */
  #wanted: TreePath[] = [];
  readonly #listings = new Map<TreePath, Promise<Listing | 'again'>>();
  #running = 0;
  #waitingBytes = 0;

  /** @throws {Fault} `repository.bad_pattern` (invalid) */
  constructor(options: WalkOptions) {
    this.#options = options;
    this.#filter = createTreeFilter(options.input.include, options.input.exclude);
  }

  /** @throws {Fault} `repository.file_failed` when the root itself cannot be read */
  async *entries(): AsyncGenerator<TreeEntry[]> {
    yield [this.#lookAtRoot()];
    const levels: Listing[] = [await this.#take('')];
    /** Folders that are recorded only once something in them is, with the entries that lead there. */
    let waiting: TreeEntry[] = [];
    let found: TreeEntry[] = [];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const { reader } = level;
      if (!reader.next()) {
        this.#waitingBytes -= level.bytes;
        this.#lookAhead();
        levels.pop();
        continue;
      }
      const entry = this.#toEntry(reader);
      if (entry !== undefined) {
        const isFolder = entry.type === 'folder';
        while (waiting.length > 0 && !isBelow(entry.path, waiting.at(-1)?.path ?? '')) waiting.pop();
        if (this.#filter.includes(entry.path, isFolder)) {
          found.push(...waiting, entry);
          waiting = [];
        } else if (isFolder) waiting.push(entry);
      }
      if (found.length >= 512) {
        yield found;
        found = [];
      }
      if (reader.isUnlisted) levels.push(await this.#take(reader.path));
    }
    yield found;
  }

  #lookAtRoot(): TreeEntry {
    const place = systemPath(this.#options.root, '');
    try {
      const facts = { ...factsOf(lstatSync(place, { bigint: true })), type: 'folder' as const };
      const head = new ByteWriter(headBytes);
      writeHead(head, facts);
      return { path: '', type: 'folder', head: head.take(), size: 0, names: undefined, getFacts: () => facts };
    } catch (error) {
      throw fileFault(error, 'look at', place);
    }
  }

  #toEntry({ path, head, more }: EntryReader): TreeEntry | undefined {
    const type = headType(head);
    if (type === undefined) {
      this.#options.warn(`${treePathText(path)} is a socket and was left out.`);
      return undefined;
    }
    const count = type === 'file' ? readNames(more) : 1;
    const names = count > 1 ? { count, key: linkKey(head, more) } : undefined;
    return { path, type, head, size: headSize(head), names, getFacts: () => ({ ...readFacts(head, more), type }) };
  }

  /** The listing of a folder; asked for at once when that has not been done. */
  async #take(folder: TreePath): Promise<Listing> {
    for (;;) {
      if (!this.#listings.has(folder)) {
        this.#wanted = [folder, ...this.#wanted.filter((each) => each !== folder)];
        this.#start();
      }
      const listing = await this.#listings.get(folder);
      if (listing === undefined || listing === 'again') continue;
      this.#listings.delete(folder);
      return listing;
    }
  }

  #lookAhead(): void {
    while (this.#wanted.length > 0 && this.#running < this.#options.threads * 2 && this.#waitingBytes < maxWaitingBytes)
      this.#start();
  }

  /** Has the next folders listed. */
  #start(): void {
    const { input, root, session, warn } = this.#options;
    const folders = this.#wanted.splice(0, foldersPerTask);
    this.#running++;
    const listed = session
      .run(listFoldersTask, { root, folders: folders.join('\0'), exclude: input.exclude })
      .finally(() => this.#running--);
    const settled = listed.then(({ listings, ends, warnings }) => {
      for (const line of warnings) warn(line);
      const unlisted: TreePath[] = [];
      const done = ends.map((end, at): Listing => {
        const start = ends[at - 1] ?? 0;
        const reader = new EntryReader(folders[at] ?? '', listings, start, end);
        while (reader.next()) if (reader.isUnlisted) unlisted.push(reader.path);
        return { reader: new EntryReader(folders[at] ?? '', listings, start, end), bytes: end - start };
      });
      this.#waitingBytes += listings.length;
      const left = folders.slice(ends.length);
      for (const folder of left) this.#listings.delete(folder);
      this.#wanted = [...unlisted, ...left, ...this.#wanted];
      this.#lookAhead();
      return done;
    });
    for (const [at, folder] of folders.entries()) {
      const listing = settled.then((done) => done[at] ?? 'again');
      listing.catch(() => undefined); // thrown where it is waited for
      this.#listings.set(folder, listing);
    }
  }
}

function isBelow(path: TreePath, folder: TreePath): boolean {
  return path.startsWith(folder) && path[folder.length] === '/';
}
