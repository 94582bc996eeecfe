import { Fault, isFault } from '../../base/faults.ts';
import type { ChunkSource } from '../packs/chunk-source.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { type Place, PlaceReader, splitIds } from './content.ts';
import type { TreeLoss } from './loss.ts';
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
export function readSegments(
  source: ChunkSource,
  ids: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, undefined> {
  return fetchAhead(ids, (some) => source.fetch(some, { signal }));
}

/** As `readSegments`; in the place of a segment that cannot be had comes the fault that tells why. */
function salvageSegments(
  source: ChunkSource,
  ids: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer | Fault, undefined> {
  return fetchAhead(ids, async (some) => {
    const all = await orCorrupt(source.fetch(some, { signal }));
    if (Array.isArray(all)) return all;
    const segments: (Buffer | Fault)[] = [];
    for (const id of splitIds(some)) {
      const one = await orCorrupt(source.fetch(id, { signal }));
      segments.push(...(Array.isArray(one) ? one : [one]));
    }
    return segments;
  });
}

async function orCorrupt<T>(work: Promise<T>): Promise<T | Fault> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.kind === 'corrupt') return error;
    throw error;
  }
}

async function* fetchAhead<T>(ids: Uint8Array, fetch: (ids: Uint8Array) => Promise<T[]>): AsyncGenerator<T, undefined> {
  const step = segmentsAhead * idBytes;
  const begin = (at: number): Promise<T[]> => {
    const fetched = fetch(ids.subarray(at, at + step));
    // Awaited below; until then a failure must not count as unhandled.
    fetched.catch(() => undefined);
    return fetched;
  };
  let next = begin(0);
  for (let at = 0; at < ids.length; at += step) {
    const segments = await next;
    if (at + step < ids.length) next = begin(at + step);
    yield* segments;
  }
  return undefined;
}

const noPaths: readonly TreePath[] = [];

export interface CursorOptions {
  readonly signal: AbortSignal | undefined;
  /** Pass over segments that cannot be had and tell of them; otherwise they are faults. */
  readonly loss?: TreeLoss | undefined;
}

/** Nodes of one segment after the other, checked to be in order: `next` walks within a segment, `load` goes to the next one. */
export class TreeCursor {
  readonly #segments: AsyncGenerator<Buffer | Fault, undefined>;
  readonly #order = new TreeOrder();
  readonly #loss: TreeLoss | undefined;
  #reader: SegmentReader | undefined;
  #before: TreePath = '';
  #isFirst = true;
  #hasGap = false;
  #standIns: readonly TreePath[] = noPaths;

  constructor(source: ChunkSource, snapshot: SnapshotRecord, { signal, loss }: CursorOptions) {
    const read = loss === undefined ? readSegments : salvageSegments;
    this.#segments = read(source, segmentIds(snapshot), signal);
    this.#loss = loss;
  }

  /** The bytes of the segment that was loaded; undefined at the end. */
  async load(): Promise<Buffer | undefined> {
    let lost: Fault | undefined;
    for (;;) {
      const { value } = await this.#segments.next();
      if (value !== undefined && !Buffer.isBuffer(value)) {
        lost ??= value;
        continue;
      }
      const reader = value && new SegmentReader(value);
      if (lost !== undefined) {
        this.#loss?.addPart(this.#isFirst ? undefined : this.#before, reader?.before, lost.message);
        this.#hasGap = true;
      } else if (reader !== undefined && reader.before !== this.#before)
        throw treeDamaged('its segments do not follow one another');
      this.#reader = reader;
      return value;
    }
  }

  /** False at the end of the segment. */
  next(): boolean {
    if (this.#reader?.next() !== true) return false;
    const { path, body } = this.#reader;
    this.#standIns = this.#hasGap ? this.#order.listMissing(path) : noPaths;
    for (const folder of this.#standIns) this.#order.accept(folder, true);
    this.#order.accept(path, isTypeOf(body, 'folder'));
    this.#before = path;
    this.#isFirst = false;
    this.#hasGap = false;
    return true;
  }

  get path(): TreePath {
    return this.#before;
  }

  /** Folders that lead to the current node and were lost, outermost first. */
  get standIns(): readonly TreePath[] {
    return this.#standIns;
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
