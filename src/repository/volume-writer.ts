import { canonicalJson, type Json } from '../base/canonical-json.ts';
import type { Clock } from '../base/clock.ts';
import { Fault, isFault } from '../base/faults.ts';
import { abortableItems } from './abortable.ts';
import type { Level } from './chunk-sink.ts';
import type { ChunkSource } from './chunk-source.ts';
import type { Extent, SnapshotSummary, VolumeInput, WriteOptions } from './contract.ts';
import type { RepositoryCore, WriteSession } from './core.ts';
import { eachLimited } from './each-limited.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import {
  decodeLeaf,
  decodeRoot,
  digestInput,
  digestText,
  emptySlots,
  encodeLeaf,
  encodeRoot,
  type LeafSlots,
  leafCount,
  leafSpanBytes,
  slotBytes,
  slotCountOf,
  slotId,
  slotsPerLeaf,
} from './volume-map.ts';
import { identifySource, type OpenVolume, openVolume } from './volume-source.ts';
import { identify, isHole, readSegment, type SegmentInput, segmentBytes, storeMap } from './volume-tasks.ts';

const idBytes = 32;

/** Leaves of the parent that are looked at together: 2 MiB of map, 16 GiB of volume. */
const leavesPerWindow = 64;

/** A leaf that is being read: its slots fill up segment by segment, in any order. */
interface Leaf {
  readonly number: number;
  readonly slots: LeafSlots;
  missingBytes: number;
}

/** What one task reads, and the leaf its ids go into. */
interface Segment {
  readonly leaf: Leaf;
  readonly offset: number;
  readonly length: number;
}

interface SourcedSegment extends Segment {
  readonly from: SegmentInput['from'];
}

interface ParentVolume {
  readonly record: SnapshotRecord;
  readonly leaves: readonly (Buffer | undefined)[];
}

/** Everything outside the changed extents is as it was in the parent. */
interface Reuse {
  readonly parent: ParentVolume;
  readonly changed: readonly Extent[];
}

export async function writeVolume(
  core: RepositoryCore,
  clock: Clock,
  input: VolumeInput,
  options: WriteOptions,
): Promise<SnapshotSummary> {
  const session = core.openSession(options);
  try {
    const record =
      'stream' in input
        ? await writeStream(core, session, input, options)
        : await writePath(core, session, clock, input, options);
    const { id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings } = record;
    return { id, kind, sizeBytes, storedBytes, reusedBytes, digest, files, warnings };
  } finally {
    await session.close();
  }
}

async function writeStream(
  core: RepositoryCore,
  session: WriteSession,
  { stream, sizeBytes }: { readonly stream: AsyncIterable<Uint8Array>; readonly sizeBytes: number },
  options: WriteOptions,
): Promise<SnapshotRecord> {
  const parent = await core.findParent(options.subject, session.signal);
  session.setTotal(sizeBytes);
  const free: ArrayBuffer[] = [];
  const volume = new VolumeWrite(core, session, sizeBytes, options.level ?? 'default');
  const pieces = abortableItems(stream, session.signal);
  await volume.readAll(streamSegments(pieces, volume, free), (bytes) => void free.push(bytes));
  return volume.finish(options.subject, parent?.id ?? null, null, []);
}

async function writePath(
  core: RepositoryCore,
  session: WriteSession,
  clock: Clock,
  input: Extract<VolumeInput, { path: string }>,
  options: WriteOptions,
): Promise<SnapshotRecord> {
  const opened = await openVolume(input.path, 'r');
  try {
    const { sizeBytes } = opened;
    session.setTotal(sizeBytes);
    const source = identifySource(opened, clock.now());
    const parent = await findParentVolume(core, input, options, session.signal);
    const changed = options.readEverything ? undefined : changedExtents(input, parent, source, sizeBytes);
    const volume = new VolumeWrite(core, session, sizeBytes, options.level ?? 'default');
    await volume.readAll(fileSegments(opened, volume, parent && changed && { parent, changed }), () => undefined);
    const after = await opened.handle.stat({ bigint: true });
    const steady =
      after.mtimeNs === opened.stats.mtimeNs && after.ctimeNs === opened.stats.ctimeNs && after.size === opened.stats.size;
    const warnings = steady
      ? []
      : [`${input.path} changed while it was read; quiesce it with a hook or protect a snapshot of it.`];
    return await volume.finish(options.subject, parent?.record.id ?? null, steady ? source : null, warnings);
  } finally {
    await opened.handle.close();
  }
}

/** The snapshot named by `changed.since`, which must be there; otherwise the newest of the subject, which is only a hint. */
async function findParentVolume(
  core: RepositoryCore,
  { changed }: Extract<VolumeInput, { path: string }>,
  { subject }: WriteOptions,
  signal: AbortSignal,
): Promise<ParentVolume | undefined> {
  const record = changed ? await core.getSnapshot(changed.since, signal) : await core.findParent(subject, signal);
  if (record === undefined || (record.kind !== 'volume' && changed === undefined)) return undefined;
  // Ids under another root key are other ids: nothing of it can be taken over.
  if (record.keyId !== core.writingKeyId) return undefined;
  return { record, leaves: decodeRoot(record).leaves };
}

/** What has to be read although there is a parent; undefined for everything. */
function changedExtents(
  input: Extract<VolumeInput, { path: string }>,
  parent: ParentVolume | undefined,
  source: Json,
  sizeBytes: number,
): readonly Extent[] | undefined {
  if (parent === undefined) return undefined;
  const before = parent.record.sizeBytes;
  if (input.changed) {
    if (before === sizeBytes) return input.changed.extents;
    // Grown or shrunk: the slot at the old or new end is another chunk now, and everything behind it is new.
    const from = Math.floor(Math.min(before, sizeBytes) / slotBytes) * slotBytes;
    return [...input.changed.extents, { offset: from, length: Math.max(0, sizeBytes - from) }];
  }
  const same = source !== null && before === sizeBytes && canonicalJson(source) === canonicalJson(parent.record.source);
  return same ? [] : undefined;
}

/** One volume on its way into the repository. */
class VolumeWrite {
  readonly sizeBytes: number;
  readonly #core: RepositoryCore;
  readonly #session: WriteSession;
  readonly #level: Level;
  readonly #leafIds: (Buffer | undefined)[];

  constructor(core: RepositoryCore, session: WriteSession, sizeBytes: number, level: Level) {
    this.sizeBytes = sizeBytes;
    this.#core = core;
    this.#session = session;
    this.#level = level;
    this.#leafIds = new Array<Buffer | undefined>(leafCount(sizeBytes)).fill(undefined);
  }

  /** Everything that has to be read, in ascending order; what the parent has is taken over on the way. */
  async *segments(reuse: Reuse | undefined, fd: number | undefined): AsyncGenerator<Segment> {
    const touched = reuse && touchedRuns(reuse.changed, this.sizeBytes);
    for (let first = 0; first < this.#leafIds.length; first += leavesPerWindow) {
      const end = Math.min(first + leavesPerWindow, this.#leafIds.length);
      const known = reuse ? await this.#parentLeaves(reuse.parent, first, end) : new Map<number, LeafSlots>();
      for (let number = first; number < end; number++) {
        const base = number * leafSpanBytes;
        const bytes = Math.min(leafSpanBytes, this.sizeBytes - base);
        // Asked once a leaf, so that a terabyte of hole is passed over in no time; each segment asks again.
        if (fd !== undefined && !known.has(number) && isHole(fd, base, bytes)) this.#session.countReused(bytes);
        else yield* this.#leafSegments(number, known.get(number), touched?.get(number) ?? []);
      }
    }
  }

  async *#leafSegments(number: number, known: LeafSlots | undefined, touched: readonly Extent[]): AsyncGenerator<Segment> {
    const base = number * leafSpanBytes;
    const bytes = Math.min(leafSpanBytes, this.sizeBytes - base);
    const runs = known ? touched : [{ offset: 0, length: bytes }];
    const leaf: Leaf = { number, slots: known ?? emptySlots(), missingBytes: runs.reduce((sum, { length }) => sum + length, 0) };
    if (bytes > leaf.missingBytes) this.#session.countReused(bytes - leaf.missingBytes);
    if (leaf.missingBytes === 0) await this.#storeLeaf(leaf);
    for (const run of runs) {
      for (let at = run.offset; at < run.offset + run.length; at += segmentBytes) {
        yield { leaf, offset: base + at, length: Math.min(segmentBytes, run.offset + run.length - at) };
      }
    }
  }

  /**
   * The slots of those leaves that can be taken over. One of which the bank has lost a chunk (a lost index, a damaged pack) is
   * left out, so that it is read in full: that is how it heals.
   */
  async #parentLeaves({ record, leaves }: ParentVolume, first: number, end: number): Promise<Map<number, LeafSlots>> {
    const { source, log } = this.#core;
    const known = new Map<number, LeafSlots>();
    const numbers = [...range(first, Math.min(end, leaves.length))];
    for (const number of numbers) if (leaves[number] === undefined) known.set(number, emptySlots());
    const stored = numbers.flatMap((number) => {
      const id = leaves[number];
      return id !== undefined && source.has(id) ? [{ number, id }] : [];
    });
    try {
      const plains = await source.fetch(Buffer.concat(stored.map(({ id }) => id)), { signal: this.#session.signal });
      stored.forEach(({ number }, at) => {
        const slots = decodeLeaf(plains[at] ?? Buffer.alloc(0), slotCountOf(record.sizeBytes, number), record.id);
        if (isStored(slots, source)) known.set(number, slots);
      });
    } catch (error) {
      if (!isFault(error) || error.kind !== 'corrupt') throw error;
      log.warn('A part of the parent snapshot cannot be read; the source is read instead.', {
        snapshot: record.id,
        reason: error.message,
      });
    }
    // A volume that became shorter: slots behind its end are none of its own.
    for (const [number, slots] of known) slots.fill(0, slotCountOf(this.sizeBytes, number) * idBytes);
    return known;
  }

  async readAll(segments: AsyncIterable<SourcedSegment>, recycle: (bytes: ArrayBuffer) => void): Promise<void> {
    await eachLimited(segments, this.#core.threads * 2, async ({ leaf, offset, length, from }) => {
      const transfer = 'bytes' in from ? [from.bytes] : [];
      const { ids, bytes } = await this.#session.run(readSegment, { from, length, purpose: { store: this.#level } }, transfer);
      leaf.slots.set(ids, ((offset % leafSpanBytes) / slotBytes) * idBytes);
      if (bytes) recycle(bytes);
      leaf.missingBytes -= length;
      if (leaf.missingBytes === 0) await this.#storeLeaf(leaf);
    });
  }

  async #storeLeaf({ number, slots }: Leaf): Promise<void> {
    const plain = encodeLeaf(slots);
    if (plain) this.#leafIds[number] = Buffer.from(await this.#session.run(storeMap, { plain }));
  }

  async finish(subject: string, parent: string | null, source: Json, warnings: readonly string[]): Promise<SnapshotRecord> {
    const plain = digestInput(this.sizeBytes, this.#leafIds);
    const digest = await this.#core.run(identify, { plain, keyId: this.#core.writingKeyId }, { signal: this.#session.signal });
    return this.#session.finish({
      kind: 'volume',
      subject,
      sizeBytes: this.sizeBytes,
      files: 1,
      digest: digestText(digest),
      warnings,
      parent,
      source,
      root: encodeRoot({ leaves: this.#leafIds }),
    });
  }
}

export function isStored(slots: LeafSlots, source: ChunkSource): boolean {
  for (let slot = 0; slot < slotsPerLeaf; slot++) {
    const id = slotId(slots, slot);
    if (id && !source.has(id)) return false;
  }
  return true;
}

async function* fileSegments(
  { handle, path }: OpenVolume,
  volume: VolumeWrite,
  reuse: Reuse | undefined,
): AsyncGenerator<SourcedSegment> {
  for await (const segment of volume.segments(reuse, handle.fd))
    yield { ...segment, from: { fd: handle.fd, offset: segment.offset, name: path } };
}

async function* streamSegments(
  stream: AsyncIterable<Uint8Array>,
  volume: VolumeWrite,
  free: ArrayBuffer[],
): AsyncGenerator<SourcedSegment> {
  const { sizeBytes } = volume;
  const segments = volume.segments(undefined, undefined);
  let segment = await segments.next();
  let bytes: ArrayBuffer | undefined;
  let filled = 0;
  let seen = 0;
  for await (const piece of stream) {
    seen += piece.length;
    if (seen > sizeBytes) throw streamFault(`more than the ${sizeBytes} bytes that were announced`);
    for (let taken = 0; taken < piece.length; ) {
      if (segment.done) throw streamFault(`more than the ${sizeBytes} bytes that were announced`);
      bytes ??= free.pop() ?? new ArrayBuffer(segmentBytes);
      const count = Math.min(segment.value.length - filled, piece.length - taken);
      new Uint8Array(bytes).set(piece.subarray(taken, taken + count), filled);
      filled += count;
      taken += count;
      if (filled < segment.value.length) continue;
      yield { ...segment.value, from: { bytes } };
      segment = await segments.next();
      bytes = undefined;
      filled = 0;
    }
  }
  if (seen < sizeBytes) throw streamFault(`${seen} bytes, not the ${sizeBytes} that were announced`);
}

function streamFault(what: string): Fault {
  return new Fault('invalid', 'repository.stream_length', `The stream has ${what}.`, {
    help: 'Give the exact size of what is streamed.',
  });
}

/** Leaf → runs of whole slots in it that an extent touches, ascending, none twice; offsets from the leaf's begin. */
function touchedRuns(extents: readonly Extent[], sizeBytes: number): Map<number, Extent[]> {
  const touched = new Map<number, Extent[]>();
  const sorted = extents.map((extent) => toSlots(extent, sizeBytes)).sort((a, b) => a.from - b.from);
  let covered = 0;
  for (const { from, end } of sorted) {
    for (let at = Math.max(from, covered); at < end; ) {
      const leaf = Math.floor(at / leafSpanBytes);
      const runEnd = Math.min(end, (leaf + 1) * leafSpanBytes);
      const runs = touched.get(leaf) ?? [];
      runs.push({ offset: at - leaf * leafSpanBytes, length: runEnd - at });
      touched.set(leaf, runs);
      at = runEnd;
    }
    covered = Math.max(covered, end);
  }
  return touched;
}

function toSlots({ offset, length }: Extent, sizeBytes: number): { readonly from: number; readonly end: number } {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new Fault('invalid', 'repository.bad_extent', `A changed extent of ${length} bytes at ${offset} is none.`);
  }
  const end = Math.min(Math.ceil((offset + length) / slotBytes) * slotBytes, sizeBytes);
  return { from: Math.floor(offset / slotBytes) * slotBytes, end: length === 0 ? 0 : end };
}

function* range(from: number, end: number): Generator<number> {
  for (let n = from; n < end; n++) yield n;
}
