import { readSync, writeSync } from 'node:fs';
import { MiB } from '../../base/bytes.ts';
import { Fault } from '../../base/faults.ts';
import { fileFault } from '../file-faults.ts';
import type { Level } from '../packs/chunk-sink.ts';
import type { BlockBatch, Identified } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';
import { loadPosix } from '../tree/posix.ts';
import type { AnyTask, Task, WorkerContext } from '../workers/task.ts';
import { slotBytes, slotId, slotsPerLeaf } from './map.ts';

/** A volume is worked on in pieces of 4 MiB: long enough that messages cost nothing, short enough to cancel between two. */
export const segmentBytes = 4 * MiB;
const zeros = Buffer.alloc(slotBytes);
const idBytes = 32;

/** Stores what is new under the writing key; or only says the ids that the chunks have under the given root key. */
type Purpose = { readonly store: Level } | { readonly identify: string };

export interface SegmentInput {
  /** An open file, read at `offset`, where holes are passed over unless there are none; or the bytes themselves, which come back in the output for reuse. */
  readonly from:
    | { readonly fd: number; readonly offset: number; readonly name: string; readonly hasHoles: boolean }
    | { readonly bytes: ArrayBuffer };
  /** At most `segmentBytes`; a multiple of a slot but for the volume's end. */
  readonly length: number;
  readonly purpose: Purpose;
}

export interface SegmentOutput {
  /** 32 bytes a slot; all zero bytes for a slot of zeros. */
  readonly ids: Uint8Array<ArrayBuffer>;
  readonly bytes?: ArrayBuffer;
}

let scratch: Buffer | undefined;

/** What is read at once: it stays in the processor's cache until it is hashed and compressed. */
const pieceBytes = MiB;

function scratchBytes(length: number): Buffer {
  scratch ??= Buffer.allocUnsafeSlow(pieceBytes);
  return scratch.subarray(0, length);
}

export const readSegment: Task<SegmentInput, SegmentOutput> = {
  name: 'volume.read_segment',
  run({ from, length, purpose }, context) {
    const ids = new Uint8Array(Math.ceil(length / slotBytes) * idBytes);
    context.transfer(ids.buffer);
    if ('bytes' in from) {
      nameSlots(Buffer.from(from.bytes, 0, length), ids, purpose, context);
      context.transfer(from.bytes);
      return { ids, bytes: from.bytes };
    }
    let done = 0;
    const runs = from.hasHoles ? dataRuns(from.fd, from.offset, length) : [{ at: 0, end: length }];
    for (const { at, end } of runs) {
      if ('store' in purpose) context.sink.countReused(at - done);
      for (let piece = at; piece < end; piece += pieceBytes) {
        const bytes = scratchBytes(Math.min(pieceBytes, end - piece));
        readFully(from.fd, bytes, from.offset + piece, from.name);
        nameSlots(bytes, ids.subarray((piece / slotBytes) * idBytes), purpose, context);
      }
      done = end;
    }
    if ('store' in purpose) context.sink.countReused(length - done);
    return { ids };
  },
};

/** Fills in the ids of all slots but those of zeros. */
function nameSlots(bytes: Buffer, ids: Uint8Array, purpose: Purpose, context: WorkerContext): void {
  for (let from = 0; from < bytes.length; ) {
    context.throwIfAborted();
    let end = from;
    while (end < bytes.length && !isZero(bytes.subarray(end, end + slotBytes))) end += slotBytes;
    const slot = (from / slotBytes) * idBytes;
    if (end > from) ids.set(nameRun(bytes.subarray(from, end), purpose, context), slot);
    if ('store' in purpose && end < bytes.length) context.sink.countReused(Math.min(slotBytes, bytes.length - end));
    from = end + slotBytes;
  }
}

function nameRun(plain: Buffer, purpose: Purpose, context: WorkerContext): Uint8Array {
  if ('store' in purpose) return context.sink.storeRun(plain, slotBytes, purpose.store);
  const ids = new Uint8Array(Math.ceil(plain.length / slotBytes) * idBytes);
  for (let at = 0, slot = 0; at < plain.length; at += slotBytes, slot += idBytes)
    ids.set(context.identify(plain.subarray(at, at + slotBytes), purpose.identify), slot);
  return ids;
}

/** Looks at the ends first: data is told from zeros without a comparison. */
function isZero(bytes: Buffer): boolean {
  return (
    bytes[0] === 0 &&
    bytes[bytes.length - 1] === 0 &&
    bytes.equals(bytes.length === slotBytes ? zeros : zeros.subarray(0, bytes.length))
  );
}

/** Runs of whole slots of that range that hold data, from its begin; all of it where the file system does not tell of holes. */
function* dataRuns(fd: number, offset: number, length: number): Generator<{ readonly at: number; readonly end: number }> {
  const posix = loadPosix();
  for (let at = 0; at < length; ) {
    const data = posix.seek(fd, offset + at, 'data');
    const hole = typeof data === 'number' ? posix.seek(fd, data, 'hole') : data;
    if (data === undefined || (typeof data === 'number' && data >= offset + length)) return;
    const begin = typeof data === 'number' ? Math.max(at, data - offset) : 0;
    const end = typeof hole === 'number' ? hole - offset : length;
    at = Math.min(length, Math.ceil(end / slotBytes) * slotBytes);
    yield { at: Math.floor(begin / slotBytes) * slotBytes, end: at };
  }
}

/** Nothing but a hole in that range; false where the file system does not tell. */
export function isHole(fd: number, offset: number, length: number): boolean {
  const data = loadPosix().seek(fd, offset, 'data');
  return data === undefined || (data !== 'unsupported' && data >= offset + length);
}

/** A leaf of the map, or anything else the repository makes for itself. */
export const storeMap: Task<{ readonly plain: Uint8Array }, Uint8Array> = {
  name: 'volume.store_map',
  run: ({ plain }, context) => context.sink.storeMap(plain),
};

/** Whether every chunk that the slots of a leaf name is there. */
export const areStored: Task<{ readonly slots: Uint8Array }, boolean> = {
  name: 'volume.are_stored',
  run({ slots }, context) {
    const leaf = Buffer.from(slots.buffer, slots.byteOffset, slots.byteLength);
    for (let slot = 0; slot < slotsPerLeaf; slot++) {
      const id = slotId(leaf, slot);
      if (id && !context.sink.has(id)) return false;
    }
    return true;
  },
};

/** The keyed hash of the bytes, as a chunk of them would be called. */
export const identify: Task<{ readonly plain: Uint8Array; readonly keyId: string }, Uint8Array> = {
  name: 'volume.identify',
  run: ({ plain, keyId }, context) => context.identify(plain, keyId),
};

export interface PlaceInput {
  readonly fd: number;
  readonly name: string;
  readonly batch: BlockBatch;
  /** Where in the file each entry of `batch.wants` goes. */
  readonly offsets: Float64Array<ArrayBuffer>;
  /** Nothing is written behind it. */
  readonly sizeBytes: number;
  readonly identified: Identified;
}

export interface PlaceOutput {
  readonly written: number;
  /** What could not be opened, and is not written. */
  readonly bad: readonly BadPiece[];
}

/** Writes the chunks of a batch to every place that wants them. */
export const placeChunks: Task<PlaceInput, PlaceOutput> = {
  name: 'volume.place_chunks',
  run({ fd, name, batch, offsets, sizeBytes, identified }, context) {
    let written = 0;
    const bad: BadPiece[] = [];
    const write = (plain: Uint8Array, wants: Uint32Array, firstWant: number): void => {
      context.throwIfAborted();
      for (let n = 0; n < wants.length; n++) {
        const offset = offsets[firstWant + n] ?? 0;
        // A chunk that nobody has compared with its id yet may be longer than its slot.
        const bytes = plain.subarray(0, Math.min(slotBytes, sizeBytes - offset));
        writeFully(fd, bytes, offset, name);
        written += bytes.length;
      }
    };
    context.openBatch(batch, write, (piece) => bad.push(piece), identified);
    return { written, bad };
  },
};

/** Makes the bytes zero, writing only where they are not: what is a hole stays one. */
export const clearSegment: Task<
  { readonly fd: number; readonly name: string; readonly offset: number; readonly length: number },
  void
> = {
  name: 'volume.clear_segment',
  run({ fd, name, offset, length }, context) {
    if (isHole(fd, offset, length)) return;
    for (let at = 0; at < length; at += slotBytes) {
      context.throwIfAborted();
      const slot = scratchBytes(Math.min(slotBytes, length - at));
      readFully(fd, slot, offset + at, name);
      if (!isZero(slot)) writeFully(fd, zeros.subarray(0, slot.length), offset + at, name);
    }
  },
};

export const volumeTasks: readonly AnyTask[] = [readSegment, storeMap, areStored, identify, placeChunks, clearSegment];

function readFully(fd: number, bytes: Uint8Array, offset: number, name: string): void {
  for (let done = 0; done < bytes.length; ) {
    const count = attempt('read', name, () => readSync(fd, bytes, done, bytes.length - done, offset + done));
    if (count === 0) {
      throw new Fault('conflict', 'repository.source_changed', `${name} ended at byte ${offset + done} while it was read.`, {
        retry: 'later',
        help: 'Something made it shorter; protect it again when it is quiet.',
      });
    }
    done += count;
  }
}

function writeFully(fd: number, bytes: Uint8Array, offset: number, name: string): void {
  for (let done = 0; done < bytes.length; ) {
    done += attempt('write', name, () => writeSync(fd, bytes, done, bytes.length - done, offset + done));
  }
}

function attempt<T>(verb: string, name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fileFault(error, verb, name);
  }
}
