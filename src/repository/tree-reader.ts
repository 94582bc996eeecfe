import { Fault, isFault } from '../base/faults.ts';
import type { ChunkSource } from './chunk-source.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { ByteReader, treeDamaged } from './tree-bytes.ts';
import { type Place, PlaceReader, splitIds } from './tree-content.ts';
import { type Content, idBytes, isTypeOf, readBody, readRuns, type TreeNode } from './tree-node.ts';
import { compareTreePaths, type TreePath } from './tree-path.ts';
import { SegmentReader, TreeOrder } from './tree-segments.ts';

const treeFormat = 1;
/** Segments fetched together, some 200 KiB each; the next ones are on their way meanwhile. */
const segmentsAhead = 8;

/** What stands under `root` of a tree's snapshot. */
export function describeRoot(segmentIds: readonly Uint8Array[]): { format: number; segments: string } {
  return { format: treeFormat, segments: Buffer.concat(segmentIds).toString('hex') };
}

/**
 * 32 bytes a segment.
 * @throws {Fault} `repository.tree_damaged` (corrupt), `repository.tree_too_new` (unsupported)
 */
export function segmentIds(snapshot: SnapshotRecord): Uint8Array {
  const root = snapshot.root;
  if (snapshot.kind !== 'tree') {
    throw new Fault(
      'invalid',
      'repository.not_a_tree',
      `Snapshot ${snapshot.id} holds a ${snapshot.kind}, not a directory tree.`,
    );
  }
  if (root === null || typeof root !== 'object' || Array.isArray(root)) throw treeDamaged('it has no root');
  const { format, segments } = root as { readonly [key: string]: unknown };
  if (typeof format === 'number' && format > treeFormat) {
    throw new Fault(
      'unsupported',
      'repository.tree_too_new',
      `Snapshot ${snapshot.id} has tree format ${format}; this Karri reads ${treeFormat}.`,
      {
        help: 'Restore it with a newer Karri.',
      },
    );
  }
  if (format !== treeFormat || typeof segments !== 'string' || segments === '' || segments.length % (idBytes * 2) !== 0) {
    throw treeDamaged('its root cannot be read');
  }
  const ids = Buffer.from(segments, 'hex');
  if (ids.length * 2 !== segments.length) throw treeDamaged('its root cannot be read');
  return ids;
}

/** The segments' plaintext in order, fetched some at a time and ahead of the caller. */
export async function* readSegments(
  source: ChunkSource,
  ids: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const step = segmentsAhead * idBytes;
  const fetch = (at: number): Promise<Buffer[]> => {
    const fetched = source.fetch(ids.subarray(at, at + step), { signal });
    // Awaited below; until then a failure must not count as unhandled.
    fetched.catch(() => undefined);
    return fetched;
  };
  let next = fetch(0);
  for (let at = 0; at < ids.length; at += step) {
    const segments = await next;
    if (at + step < ids.length) next = fetch(at + step);
    yield* segments;
  }
}

/** Nodes of one segment after the other, checked to be in order: `next` walks within a segment, `load` goes to the next one. */
export class TreeCursor {
  readonly #segments: AsyncGenerator<Buffer>;
  readonly #order = new TreeOrder();
  #reader: SegmentReader | undefined;
  #before: TreePath = '';

  constructor(source: ChunkSource, snapshot: SnapshotRecord, signal: AbortSignal | undefined) {
    this.#segments = readSegments(source, segmentIds(snapshot), signal);
  }

  /** The bytes of the segment that was loaded; undefined at the end. */
  async load(): Promise<Buffer | undefined> {
    const { value, done } = await this.#segments.next();
    if (done === true) return undefined;
    this.#reader = new SegmentReader(value);
    if (this.#reader.before !== this.#before) throw treeDamaged('its segments do not follow one another');
    return value;
  }

  /** False at the end of the segment. */
  next(): boolean {
    if (this.#reader?.next() !== true) return false;
    this.#before = this.#reader.path;
    this.#order.accept(this.#reader.path, isTypeOf(this.#reader.body, 'folder'));
    return true;
  }

  get path(): TreePath {
    return this.#before;
  }

  /** A view into the segment. */
  get body(): Buffer {
    return this.#reader?.body ?? Buffer.alloc(0);
  }

  get node(): TreeNode {
    return readBody(new ByteReader(this.body));
  }

  async close(): Promise<void> {
    await this.#segments.return(undefined);
  }
}

/** The chunks of a file in order of their place; lists are fetched one by one. */
export async function* readPlaces(source: ChunkSource, node: TreeNode, signal: AbortSignal | undefined): AsyncGenerator<Place> {
  const places = new PlaceReader(node.size);
  for await (const runs of readRunLists(source, node, signal)) {
    for (const run of readRuns(new ByteReader(Buffer.from(runs.buffer, runs.byteOffset, runs.length)))) yield places.place(run);
  }
}

async function* readRunLists(source: ChunkSource, node: TreeNode, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (node.content.form === 'runs') yield node.content.runs;
  else if (node.content.form === 'listed')
    for (const id of splitIds(node.content.lists)) yield* await source.fetch(id, { signal });
}

/** Every chunk a tree's snapshot stands on, some more than once: its segments, lists of runs, and content. */
export async function* listTreeChunks(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const ids = segmentIds(snapshot);
  yield* splitIds(ids);
  for await (const segment of readSegments(source, ids, signal)) {
    const reader = new SegmentReader(segment);
    while (reader.next()) {
      const node = readBody(new ByteReader(reader.body));
      if (node.content.form === 'chunk') yield node.content.id;
      if (node.content.form === 'listed') yield* splitIds(node.content.lists);
      if (node.content.form === 'runs' || node.content.form === 'listed') {
        for await (const place of readPlaces(source, node, signal)) yield place.id;
      }
    }
  }
}

/**
 * Looks up, path by path in tree order, what an earlier snapshot says. It is a hint: when it cannot be read, `damage` is told once and
 * from there on nothing is found.
 */
export class ParentNodes {
  readonly #source: ChunkSource;
  readonly #signal: AbortSignal;
  readonly #damage: (fault: Fault) => void;
  #cursor: TreeCursor | undefined;
  #hasNode = false;

  constructor(source: ChunkSource, parent: SnapshotRecord | undefined, signal: AbortSignal, damage: (fault: Fault) => void) {
    this.#source = source;
    this.#signal = signal;
    this.#damage = damage;
    if (parent !== undefined) this.#guard(() => (this.#cursor = new TreeCursor(source, parent, signal)));
  }

  /** The body at the path, or 'load': then `await load()` and ask again. Paths must come in tree order. */
  find(path: TreePath): Buffer | undefined | 'load' {
    const cursor = this.#cursor;
    if (cursor === undefined) return undefined;
    try {
      for (;;) {
        if (this.#hasNode) {
          const order = compareTreePaths(cursor.path, path);
          if (order === 0) return cursor.body;
          if (order > 0) return undefined;
        }
        this.#hasNode = cursor.next();
        if (!this.#hasNode) return 'load';
      }
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  async load(): Promise<void> {
    try {
      if ((await this.#cursor?.load()) === undefined) this.#cursor = undefined;
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Whether the bank has all that the content of a node stands on. */
  async hasContent(body: Buffer): Promise<boolean> {
    try {
      const node = readBody(new ByteReader(body));
      const { content } = node;
      if (content.form === 'listed' && !splitIds(content.lists).every((id) => this.#source.has(id))) return false;
      for await (const place of readPlaces(this.#source, node, this.#signal)) if (!this.#source.has(place.id)) return false;
      return content.form !== 'chunk' || this.#source.has(content.id);
    } catch (error) {
      this.#giveUp(error);
      return false;
    }
  }

  /** The common case of `hasContent` without a promise; undefined when only that can tell. */
  hasSimpleContent(body: Buffer): boolean | undefined {
    const content = this.#contentOf(body);
    if (content?.form === 'none') return true;
    return content?.form === 'chunk' ? this.#source.has(content.id) : undefined;
  }

  #contentOf(body: Buffer): Content | undefined {
    try {
      return readBody(new ByteReader(body)).content;
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Damage and absence end the use of the parent; everything else (no connection, cancelled) ends the write. */
  #giveUp(error: unknown): void {
    if (!isFault(error) || !['corrupt', 'not-found', 'unsupported', 'invalid'].includes(error.kind)) throw error;
    this.#cursor = undefined;
    this.#damage(error);
  }

  async close(): Promise<void> {
    await this.#cursor?.close();
  }
}
