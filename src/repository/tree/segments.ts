import { ByteReader, ByteWriter, treeDamaged } from './bytes.ts';
import { maxBodyBytes } from './node.ts';
import { compareTreePaths, parentPath, sharedLength, type TreePath } from './path.ts';

/**
 * The nodes of a tree in tree order, cut into segments that are chunks of their own:
 *
 *   segment = path of the node before the segment (varint length, bytes) | records
 *   record  = varint bytes shared with the path before | varint length, bytes of the rest of the path | varint length, body
 *
 * A segment ends after a node whose path hashes below a bound that grows with the length of its record. So cuts depend on the
 * nodes around them alone, and a change in one place leaves all other segments, and their chunk ids, as they were.
 */
const averageSegmentBytes = 192 * 1024;
const maxSegmentBytes = 1024 * 1024;

export class SegmentCutter {
  readonly #writer = new ByteWriter(averageSegmentBytes * 2);
  #before: TreePath = '';

  /** Adds a node and gives the segment that ends with it, if one does. */
  add(path: TreePath, body: Uint8Array): Buffer<ArrayBuffer> | undefined {
    const writer = this.#writer;
    if (writer.length === 0) writer.sizedText(this.#before);
    const start = writer.length;
    const shared = sharedLength(this.#before, path);
    writer.varint(shared);
    writer.sizedText(path.slice(shared));
    writer.sizedBytes(body);
    this.#before = path;
    const isCut = hashPath(path) * averageSegmentBytes < (writer.length - start) * 2 ** 32;
    return isCut || writer.length >= maxSegmentBytes ? writer.take() : undefined;
  }

  /** The last segment, if any node is left. */
  finish(): Buffer<ArrayBuffer> | undefined {
    return this.#writer.length === 0 ? undefined : this.#writer.take();
  }
}

/** FNV-1a over the bytes, then the finalizer of MurmurHash3, for all 32 bits have to be evenly spread. */
function hashPath(path: TreePath): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Walks the records of one segment: `next`, then `path` and `body` (a view) of the node. */
export class SegmentReader {
  /** The path that the first record's is shortened against. */
  readonly before: TreePath;
  path: TreePath;
  body: Buffer = Buffer.alloc(0);
  readonly #reader: ByteReader;

  constructor(bytes: Buffer) {
    this.#reader = new ByteReader(bytes);
    this.before = this.#reader.text(boundedPath(this.#reader.varint()));
    this.path = this.before;
  }

  next(): boolean {
    const reader = this.#reader;
    if (reader.done) return false;
    const shared = reader.varint();
    if (shared > this.path.length) throw treeDamaged('it holds a path that shares more than there is');
    const rest = boundedPath(reader.varint());
    this.path = this.path.slice(0, shared) + reader.text(boundedPath(shared + rest) - shared);
    const length = reader.varint();
    if (length > maxBodyBytes) throw treeDamaged('it holds a node that is too large');
    this.body = reader.view(length);
    return true;
  }
}

/** Twice what Linux can open, so that no made-up length takes memory. */
function boundedPath(length: number): number {
  if (length > 8192) throw treeDamaged('it holds a path that is too long');
  return length;
}

/**
 * Checks that nodes come in tree order, the root first, and each in a folder that came before it. So no path can lead through a link or out
 * of the tree, whoever made the snapshot.
 */
export class TreeOrder {
  #before: TreePath | undefined;
  /** Lengths of the paths of the folders that lead to the node before, itself included if it is one. */
  readonly #folders: number[] = [];

  /** @throws {Fault} `repository.tree_damaged` (corrupt) */
  accept(path: TreePath, isFolder: boolean): void {
    const before = this.#before;
    this.#before = path;
    if (before === undefined) {
      if (path !== '' || !isFolder) throw treeDamaged('it does not begin with its root folder');
      this.#folders.push(0);
      return;
    }
    if (compareTreePaths(before, path) >= 0) throw treeDamaged('its paths are not in order');
    const shared = sharedLength(before, path);
    for (let length = this.#folders.at(-1); length !== undefined; length = this.#folders.at(-1)) {
      if (length <= shared && (length === 0 || path[length] === '/')) break;
      this.#folders.pop();
    }
    const parent = this.#folders.at(-1) ?? 0;
    const name = path.slice(parent === 0 ? 0 : parent + 1);
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw treeDamaged('it holds a path that leads out of its folder');
    }
    if (isFolder) this.#folders.push(path.length);
  }

  /** The folders that lead to the path and were not accepted, outermost first. */
  listMissing(path: TreePath): TreePath[] {
    const before = this.#before;
    const isKnown = (folder: TreePath): boolean => before?.startsWith(folder) === true && this.#folders.includes(folder.length);
    const missing: TreePath[] = [];
    for (let at = path; at !== ''; ) {
      at = parentPath(at);
      if (!isKnown(at)) missing.push(at);
    }
    return missing.reverse();
  }
}
