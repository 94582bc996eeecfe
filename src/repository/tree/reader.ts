import { Fault } from '../../base/faults.ts';
import type { ChunkSource } from '../packs/chunk-source.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { type Place, PlaceReader, splitIds } from './content.ts';
import { idBytes, isTypeOf, readBody, readRuns, type TreeNode } from './node.ts';
import type { TreePath } from './path.ts';
import { SegmentReader, TreeOrder } from './segments.ts';

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
