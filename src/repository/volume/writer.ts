import type { Json } from '../../base/canonical-json.ts';
import type { Clock } from '../../base/clock.ts';
import { isFault } from '../../base/faults.ts';
import { abortableItems } from '../abortable.ts';
import type { Extent, SnapshotSummary, VolumeInput, VolumeReader, WriteOptions } from '../contract.ts';
import type { RepositoryCore, WriteSession } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import type { Level } from '../packs/chunk-sink.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { type LeafPromise, refuseLies } from './lies.ts';
import {
  decodeLeaf,
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
} from './map.ts';
import { findParentVolume, type ParentVolume, planReuse, type Reuse, touchedRuns } from './reuse.ts';
import {
  fileSegments,
  type Leaf,
  readerSegments,
  type Segment,
  type SegmentedVolume,
  type SourcedSegment,
  streamSegments,
  type ZeroTest,
} from './segments.ts';
import { identifySource, openVolume } from './source.ts';
import { areStored, identify, readSegment, segmentBytes, storeMap } from './tasks.ts';

const idBytes = 32;

/** Leaves of the parent that are looked at together: 2 MiB of map, 16 GiB of volume. */
const leavesPerWindow = 64;

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
        : 'reader' in input
          ? await writeReader(core, session, input, options)
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

async function writeReader(
  core: RepositoryCore,
  session: WriteSession,
  { reader, changed }: Extract<VolumeInput, { reader: VolumeReader }>,
  options: WriteOptions,
): Promise<SnapshotRecord> {
  const { sizeBytes } = reader;
  session.setTotal(sizeBytes);
  const parent = await findParentVolume(core, changed, options, session.signal);
  const reuse = planReuse(changed, parent, null, sizeBytes, options);
  const volume = new VolumeWrite(core, session, sizeBytes, options.level ?? 'default');
  const free: ArrayBuffer[] = [];
  await volume.readAll(readerSegments(reader, volume, reuse, session.signal, free), (bytes) => void free.push(bytes));
  return volume.finish(options.subject, parent?.record.id ?? null, null, [], parent);
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
    const parent = await findParentVolume(core, input.changed, options, session.signal);
    const reuse = planReuse(input.changed, parent, source, sizeBytes, options);
    const volume = new VolumeWrite(core, session, sizeBytes, options.level ?? 'default');
    await volume.readAll(fileSegments(opened, volume, reuse), () => undefined);
    const after = await opened.handle.stat({ bigint: true });
    const steady =
      after.mtimeNs === opened.stats.mtimeNs && after.ctimeNs === opened.stats.ctimeNs && after.size === opened.stats.size;
    const warnings = steady
      ? []
      : [`${input.path} changed while it was read; quiesce it with a hook or protect a snapshot of it.`];
    return await volume.finish(options.subject, parent?.record.id ?? null, steady ? source : null, warnings, parent);
  } finally {
    await opened.handle.close();
  }
}

/** One volume on its way into the repository. */
class VolumeWrite implements SegmentedVolume {
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
  async *segments(reuse: Reuse | undefined, isZero: ZeroTest | undefined): AsyncGenerator<Segment> {
    const touched = reuse && touchedRuns(reuse.changed, this.sizeBytes);
    // Then a leaf that nothing touches need not even be looked at, and the maps that are read are as many as there are changes.
    const isWhole = reuse !== undefined && this.#core.isWhole(reuse.parent.record.id);
    for (let first = 0; first < this.#leafIds.length; first += leavesPerWindow) {
      const numbers = [...range(first, Math.min(first + leavesPerWindow, this.#leafIds.length))];
      const same = new Set(numbers.filter((number) => reuse && !touched?.has(number) && this.#isSame(reuse, number)));
      const known = reuse
        ? await this.#parentLeaves(
            reuse.parent,
            numbers.filter((number) => !isWhole || !same.has(number)),
            isWhole,
          )
        : new Map<number, LeafSlots>();
      for (const number of numbers) {
        const base = number * leafSpanBytes;
        const bytes = Math.min(leafSpanBytes, this.sizeBytes - base);
        if (same.has(number) && (isWhole || known.has(number))) {
          this.#leafIds[number] = reuse?.parent.leaves[number];
          this.#session.countReused(bytes);
          continue;
        }
        // Asked once a leaf, so that a terabyte of hole is passed over in no time; each segment asks again.
        if (isZero && !known.has(number) && (await isZero(base, bytes))) this.#session.countReused(bytes);
        else {
          const slots = known.get(number);
          const runs = touched?.get(number) ?? [];
          if (!reuse?.verify || slots === undefined) yield* this.#leafSegments(number, slots, runs);
          else yield* this.#leafSegments(number, undefined, [], { snapshot: reuse.parent.record.id, slots, touched: runs });
        }
      }
    }
  }

  /** Whether the leaf is the parent's to the last slot where nothing has touched it. */
  #isSame({ parent, verify }: Reuse, number: number): boolean {
    const { leaves, record } = parent;
    return !verify && number < leaves.length && slotCountOf(record.sizeBytes, number) === slotCountOf(this.sizeBytes, number);
  }

  async *#leafSegments(
    number: number,
    known: LeafSlots | undefined,
    touched: readonly Extent[],
    promise?: LeafPromise,
  ): AsyncGenerator<Segment> {
    const base = number * leafSpanBytes;
    const bytes = Math.min(leafSpanBytes, this.sizeBytes - base);
    const runs = known ? touched : [{ offset: 0, length: bytes }];
    const missingBytes = runs.reduce((sum, { length }) => sum + length, 0);
    const leaf: Leaf = { number, slots: known ?? emptySlots(), missingBytes, promise };
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
  async #parentLeaves(
    { record, leaves }: ParentVolume,
    wanted: readonly number[],
    isWhole: boolean,
  ): Promise<Map<number, LeafSlots>> {
    const { source, log, threads } = this.#core;
    const { signal } = this.#session;
    const known = new Map<number, LeafSlots>();
    const numbers = wanted.filter((number) => number < leaves.length);
    for (const number of numbers) if (leaves[number] === undefined) known.set(number, emptySlots());
    const stored = numbers.flatMap((number) => {
      const id = leaves[number];
      return id !== undefined && source.has(id) ? [{ number, id }] : [];
    });
    try {
      const plains = await source.fetch(Buffer.concat(stored.map(({ id }) => id)), { signal });
      await eachLimited(stored.entries(), threads * 2, async ([at, { number }]) => {
        const slots = decodeLeaf(plains[at] ?? Buffer.alloc(0), slotCountOf(record.sizeBytes, number), record.id);
        if (isWhole || (await this.#core.run(areStored, { slots }, { signal }))) known.set(number, slots);
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
    await eachLimited(segments, this.#core.threads * 2, async ({ leaf, offset, length, from: given }) => {
      const at = ((offset % leafSpanBytes) / slotBytes) * idBytes;
      const from = typeof given === 'function' ? await given() : given;
      if (from) {
        const transfer = 'bytes' in from ? [from.bytes] : [];
        const { ids, bytes } = await this.#session.run(readSegment, { from, length, purpose: { store: this.#level } }, transfer);
        leaf.slots.set(ids, at);
        if (bytes) recycle(bytes);
      } else {
        leaf.slots.fill(0, at, at + Math.ceil(length / slotBytes) * idBytes);
        this.#session.countReused(length);
      }
      leaf.missingBytes -= length;
      if (leaf.missingBytes === 0) await this.#storeLeaf(leaf);
    });
  }

  async #storeLeaf({ number, slots, promise }: Leaf): Promise<void> {
    if (promise)
      refuseLies(promise, slots, number * leafSpanBytes, Math.min(leafSpanBytes, this.sizeBytes - number * leafSpanBytes));
    const plain = encodeLeaf(slots);
    if (plain) this.#leafIds[number] = Buffer.from(await this.#session.run(storeMap, { plain }));
  }

  /** `earlier`: a snapshot under the same key, whose digest is this one's when nothing has changed; then no thread has to be started. */
  async finish(
    subject: string,
    parent: string | null,
    source: Json,
    warnings: readonly string[],
    earlier?: ParentVolume,
  ): Promise<SnapshotRecord> {
    const digest = earlier && this.#equals(earlier) ? earlier.record.digest : await this.#digest();
    return this.#session.finish({
      kind: 'volume',
      subject,
      sizeBytes: this.sizeBytes,
      files: 1,
      digest,
      warnings,
      parent,
      source,
      root: encodeRoot({ leaves: this.#leafIds }),
    });
  }

  #equals({ record, leaves }: ParentVolume): boolean {
    const isSame = (id: Buffer | undefined, number: number): boolean => {
      const before = leaves[number];
      return id === undefined || before === undefined ? id === before : id.equals(before);
    };
    return record.sizeBytes === this.sizeBytes && this.#leafIds.every(isSame);
  }

  async #digest(): Promise<string> {
    const plain = digestInput(this.sizeBytes, this.#leafIds);
    return digestText(
      await this.#core.run(identify, { plain, keyId: this.#core.writingKeyId }, { signal: this.#session.signal }),
    );
  }
}

function* range(from: number, end: number): Generator<number> {
  for (let n = from; n < end; n++) yield n;
}
