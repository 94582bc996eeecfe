import { type Fault, isFault } from '../../base/faults.ts';
import type { LostRange } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader } from '../tree/bytes.ts';
import { PlaceReader, splitIds } from '../tree/content.ts';
import { readBody, readRuns } from '../tree/node.ts';
import { type TreePath, treePathText } from '../tree/path.ts';
import { segmentIds } from '../tree/reader.ts';
import { SegmentReader } from '../tree/segments.ts';
import { decodeLeaf, decodeRoot, leafSpanBytes, slotBytes, slotCountOf, slotId } from '../volume/map.ts';

/** A chunk of content, and where it stands. */
export interface StandingChunk {
  readonly id: Uint8Array;
  readonly path: TreePath;
  readonly offset: number;
  readonly length: number;
}

/** A chunk that says where others are: a leaf, a segment, or a list of runs. */
export interface WalkedMap {
  readonly id: Uint8Array;
  /** What is gone when it cannot be read; may have to look at its neighbours for that. */
  readonly part: () => Promise<LostRange>;
  /** Why it cannot be read. */
  readonly fault?: Fault;
  readonly chunks: readonly StandingChunk[];
  /** A list belongs to the next map that is none. */
  readonly isList?: boolean;
}

export interface WalkOptions {
  readonly signal: AbortSignal | undefined;
  /** Such a leaf or segment is passed over, with all that it leads to. */
  readonly isKnown: (map: Uint8Array) => boolean;
}

/** Maps read at once: 2 MiB of a volume, some more of a tree. */
const leavesAtOnce = 64;
const segmentsAtOnce = 8;

/**
 * Everything a snapshot stands on, map by map, in bounded memory. A map that cannot be read does not end the walk.
 * @throws {Fault} corrupt when the snapshot's own object contradicts itself
 */
export function walkSnapshot(core: RepositoryCore, record: SnapshotRecord, options: WalkOptions): AsyncGenerator<WalkedMap> {
  return record.kind === 'tree' ? walkTree(core, record, options) : walkVolume(core, record, options);
}

export function rangeOf({ path, offset, length }: StandingChunk): LostRange {
  return { path: path === '' ? '' : treePathText(path), offset, length };
}

async function* walkVolume(
  core: RepositoryCore,
  record: SnapshotRecord,
  { signal, isKnown }: WalkOptions,
): AsyncGenerator<WalkedMap> {
  const { leaves } = decodeRoot(record);
  for (let first = 0; first < leaves.length; first += leavesAtOnce) {
    const wanted = leaves
      .slice(first, first + leavesAtOnce)
      .flatMap((id, at) => (id && !isKnown(id) ? [{ id, number: first + at }] : []));
    const plains = await readMaps(
      core,
      wanted.map(({ id }) => id),
      signal,
    );
    for (const [at, { id, number }] of wanted.entries()) {
      const offset = number * leafSpanBytes;
      const part = { path: '', offset, length: Math.min(leafSpanBytes, record.sizeBytes - offset) };
      yield { id, part: async () => part, ...parse(plains[at], (plain) => slotChunks(record, number, plain)) };
    }
  }
}

function slotChunks(record: SnapshotRecord, leaf: number, plain: Buffer): StandingChunk[] {
  const count = slotCountOf(record.sizeBytes, leaf);
  const slots = decodeLeaf(plain, count, record.id);
  const chunks: StandingChunk[] = [];
  for (let slot = 0; slot < count; slot++) {
    const id = slotId(slots, slot);
    const offset = leaf * leafSpanBytes + slot * slotBytes;
    if (id) chunks.push({ id, path: '', offset, length: Math.min(slotBytes, record.sizeBytes - offset) });
  }
  return chunks;
}

async function* walkTree(
  core: RepositoryCore,
  record: SnapshotRecord,
  { signal, isKnown }: WalkOptions,
): AsyncGenerator<WalkedMap> {
  const ids = splitIds(segmentIds(record));
  for (let first = 0; first < ids.length; first += segmentsAtOnce) {
    const wanted = ids
      .slice(first, first + segmentsAtOnce)
      .flatMap((id, at) => (isKnown(id) ? [] : [{ id, number: first + at }]));
    const plains = await readMaps(
      core,
      wanted.map(({ id }) => id),
      signal,
    );
    for (const [at, { id, number }] of wanted.entries()) {
      const lists: ListedFile[] = [];
      const parsed = parse(plains[at], (plain) => segmentChunks(plain, lists));
      for (const file of lists) yield* walkLists(core, file, signal);
      yield { id, part: () => describeLostSegment(core, ids, number, signal), ...parsed };
    }
  }
}

interface ListedFile {
  readonly path: TreePath;
  readonly size: number;
  readonly lists: Uint8Array;
}

/** Content of a segment's nodes; files whose runs lie in chunks of their own go into `lists`. */
function segmentChunks(plain: Buffer, lists: ListedFile[]): StandingChunk[] {
  const chunks: StandingChunk[] = [];
  const reader = new SegmentReader(plain);
  while (reader.next()) {
    const { path } = reader;
    const { content, size } = readBody(new ByteReader(reader.body));
    if (content.form === 'chunk') chunks.push({ id: content.id, path, offset: 0, length: size });
    else if (content.form === 'runs') chunks.push(...runChunks(path, content.runs, new PlaceReader(size)));
    else if (content.form === 'listed') lists.push({ path, size, lists: content.lists });
  }
  return chunks;
}

function runChunks(path: TreePath, runs: Uint8Array, places: PlaceReader): StandingChunk[] {
  const bytes = Buffer.from(runs.buffer, runs.byteOffset, runs.byteLength);
  return [...readRuns(new ByteReader(bytes))].map((run) => ({ ...places.place(run), path }));
}

/** One list after the other: the file may be of any size. Behind one that is lost nobody knows where the next one's runs are. */
async function* walkLists(
  core: RepositoryCore,
  { path, size, lists }: ListedFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<WalkedMap> {
  const places = new PlaceReader(size);
  let end = 0;
  for (const id of splitIds(lists)) {
    const [plain] = await readMaps(core, [id], signal);
    const parsed = parse(plain, (runs) => runChunks(path, runs, places));
    const part = rangeOf({ id, path, offset: end, length: size - end });
    yield { id, part: async () => part, isList: true, ...parsed };
    if (parsed.fault) return;
    const last = parsed.chunks.at(-1);
    if (last) end = last.offset + last.length;
  }
}

/** The names right before and after it, from its neighbours: what was between them is gone. */
async function describeLostSegment(
  core: RepositoryCore,
  ids: readonly Uint8Array[],
  number: number,
  signal: AbortSignal | undefined,
): Promise<LostRange> {
  const read = async (at: number): Promise<SegmentReader | undefined> => {
    const [plain] = await readMaps(core, ids.slice(at, at + 1), signal);
    const parsed = parse(plain, (bytes) => [new SegmentReader(bytes)]);
    return parsed.fault ? undefined : parsed.chunks[0];
  };
  let path = '';
  for (let at = number - 1; at >= 0; at--) {
    const reader = await read(at);
    if (reader === undefined) continue;
    while (reader.next()) path = reader.path;
    break;
  }
  let untilPath = '';
  for (let at = number + 1; at < ids.length && untilPath === ''; at++) untilPath = (await read(at))?.before ?? '';
  const text = (name: TreePath): string => (name === '' ? '' : treePathText(name));
  return { path: text(path), untilPath: text(untilPath), offset: 0, length: 0 };
}

/** Each map's plaintext, or why it cannot be had. */
async function readMaps(
  core: RepositoryCore,
  ids: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<(Buffer | Fault)[]> {
  if (ids.length === 0) return [];
  const all = await orFault(core.source.fetch(Buffer.concat(ids), { signal }));
  if (Array.isArray(all)) return all;
  if (ids.length === 1) return [all];
  const plains: (Buffer | Fault)[] = [];
  for (const id of ids) plains.push(...(await readMaps(core, [id], signal)));
  return plains;
}

async function orFault<T>(work: Promise<T>): Promise<T | Fault> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.kind === 'corrupt') return error;
    throw error;
  }
}

function parse<T>(
  plain: Buffer | Fault | undefined,
  read: (plain: Buffer) => T[],
): { readonly chunks: T[]; readonly fault?: Fault } {
  if (isFault(plain)) return { chunks: [], fault: plain };
  try {
    return { chunks: read(plain ?? Buffer.alloc(0)) };
  } catch (error) {
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    return { chunks: [], fault: error };
  }
}
