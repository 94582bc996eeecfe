import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Fault } from '../../base/faults.ts';
import { fileFault } from '../file-faults.ts';
import { freeBytes } from '../free-bytes.ts';
import {
  bucketBits,
  bucketOf,
  encodeTail,
  minBits,
  type RunObject,
  type RunView,
  readBucket,
  runRecordBytes,
  runRecordWords,
  swap,
} from './run-format.ts';

/** Records that are sorted together: 14 MiB while that is done. */
const partRecords = 1 << 17;
/** A float holds 32 bits of an id and a position below this exactly. */
const maxSorted = 2 ** 21;

/** Writes one run; worker threads only, as all of it is synchronous. What fails leaves no file. */
class RunWriter {
  readonly #path: string;
  readonly #fd: number;
  readonly #bits: number;
  readonly #buckets: Uint32Array;
  #records = 0;
  #bucket = 0;

  /** At most that many records will be added. */
  constructor(path: string, records: number) {
    this.#path = path;
    this.#fd = attempt('make', path, () => openSync(path, 'wx', 0o600));
    this.#bits = bucketBits(records);
    this.#buckets = new Uint32Array(2 * 2 ** this.#bits + 1);
  }

  /** Sorted records, all of them behind those before, and whole buckets. Uses the bytes up. */
  add(bytes: Buffer): void {
    const words = wordsOf(bytes);
    const counts = 2 ** this.#bits + 1;
    const count = words.length / runRecordWords;
    let first = 0;
    for (let at = 0; at <= count; at++) {
      const bucket = at < count ? bucketOf(swap(words[at * runRecordWords] ?? 0), this.#bits) : -1;
      if (at > first && bucket !== this.#bucket) {
        this.#buckets[counts + this.#bucket] = crc32(bytes.subarray(first * runRecordBytes, at * runRecordBytes));
        first = at;
      }
      if (bucket === -1) break;
      while (this.#bucket < bucket) this.#buckets[++this.#bucket] = this.#records + at;
    }
    this.#records += count;
    this.#write(bytes);
    freeBytes(bytes);
  }

  /** Not made durable: what a power cut leaves of it is told by the checksums. */
  finish(key: Buffer, objects: readonly RunObject[], packs: Buffer): void {
    while (this.#bucket < 2 ** this.#bits) this.#buckets[++this.#bucket] = this.#records;
    const tail = encodeTail(key, { objects, packs, bits: this.#bits, buckets: this.#buckets, recordCount: this.#records });
    this.#write(tail);
    freeBytes(tail);
    closeSync(this.#fd);
  }

  abandon(): void {
    closeSync(this.#fd);
    unlinkSync(this.#path);
  }

  #write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; )
      done += attempt('write', this.#path, () => writeSync(this.#fd, bytes, done, bytes.length - done));
  }
}

export interface NewRun {
  readonly path: string;
  /** For the MAC over its tables. */
  readonly key: Buffer;
  readonly objects: readonly RunObject[];
  readonly packs: Buffer;
}

/** One run out of records in any order, at most 2^21 of them; `pack` in them is already the place in the run's list of packs. */
export function writeRun({ path, key, objects, packs }: NewRun, records: Buffer): void {
  const writer = new RunWriter(path, records.length / runRecordBytes);
  try {
    writer.add(sortRecords(records));
    writer.finish(key, objects, packs);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

export interface MergeSource extends Pick<RunView, 'fd' | 'bits' | 'buckets'> {
  /** Place of each of its packs in the new run's list; `droppedPack` for those whose records are left out. */
  readonly packs: Uint32Array;
}

export const droppedPack = 0xffffffff;

/** One run out of several. Returns the place of a source that is damaged; then nothing was made. */
export function mergeRuns(
  { path, key, objects, packs }: NewRun,
  sources: readonly MergeSource[],
  throwIfAborted: () => void,
): number | undefined {
  const total = sources.reduce((sum, { bits, buckets }) => sum + (buckets[2 ** bits] ?? 0), 0);
  const partBits = Math.min(minBits, Math.max(0, Math.ceil(Math.log2(total / partRecords))));
  const writer = new RunWriter(path, total);
  let isWhole = false;
  try {
    for (let part = 0; part < 2 ** partBits; part++) {
      throwIfAborted();
      const pieces: Buffer[] = [];
      for (const [at, source] of sources.entries()) {
        const piece = readPart(source, part, partBits);
        if (piece === undefined) return at;
        pieces.push(piece);
      }
      writer.add(sortRecords(joinRecords(pieces)));
    }
    writer.finish(key, objects, packs);
    isWhole = true;
    return undefined;
  } finally {
    if (!isWhole) writer.abandon();
  }
}

/** In a buffer of their own, so that they can be seen as words. Uses the pieces up. */
export function joinRecords(pieces: readonly Uint8Array[]): Buffer {
  const joined = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
    freeBytes(piece);
  }
  return joined;
}

/** The records of one of 2^partBits parts of a run, with their packs as the new run has them; undefined when it is damaged. */
function readPart(source: MergeSource, part: number, partBits: number): Buffer | undefined {
  const { bits, buckets, packs } = source;
  const width = 2 ** (bits - partBits);
  const first = buckets[part * width] ?? 0;
  const end = buckets[(part + 1) * width] ?? 0;
  const bytes = Buffer.allocUnsafeSlow((end - first) * runRecordBytes);
  for (let bucket = part * width; bucket < (part + 1) * width; bucket++) {
    const at = buckets[bucket] ?? 0;
    const count = (buckets[bucket + 1] ?? 0) - at;
    if (count > 0 && !readBucket(source, bucket, bytes, (at - first) * runRecordBytes, at, count)) return undefined;
  }
  const words = wordsOf(bytes);
  let kept = 0;
  for (let at = 0; at < words.length; at += runRecordWords) {
    const pack = packs[(words[at + 8] ?? 0) >>> 0] ?? droppedPack;
    if (pack === droppedPack) continue;
    words.copyWithin(kept, at, at + runRecordWords);
    words[kept + 8] = pack;
    kept += runRecordWords;
  }
  return bytes.subarray(0, kept * 4);
}

/**
 * Ascending by id, each place of a chunk once; uses the bytes up. Sorted by 32 bits of the id that are not alike in a part, each with its position in one
 * float: a native sort without a comparison in JavaScript, ten million in two seconds.
 */
function sortRecords(bytes: Buffer): Buffer {
  const words = wordsOf(bytes);
  const count = words.length / runRecordWords;
  if (count > maxSorted)
    throw new Fault('unsupported', 'repository.index_too_large', `${count} index records cannot be sorted at once.`);
  const keys = new Float64Array(count);
  for (let n = 0; n < count; n++) keys[n] = (swap(words[n * runRecordWords] ?? 0) >>> 0) * maxSorted + n;
  keys.sort();
  const sorted = Buffer.allocUnsafeSlow(bytes.length);
  const out = wordsOf(sorted);
  let end = 0;
  for (const key of keys) {
    const from = (key % maxSorted) * runRecordWords;
    // The few whose first four bytes are the same are moved up by hand.
    let at = end;
    while (at > 0 && compare(words, from, out, at - runRecordWords) < 0) at -= runRecordWords;
    if (at > 0 && compare(words, from, out, at - runRecordWords) === 0) continue;
    if (at < end) out.copyWithin(at + runRecordWords, at, end);
    for (let n = 0; n < runRecordWords; n++) out[at + n] = words[from + n] ?? 0;
    end += runRecordWords;
  }
  freeBytes(bytes);
  return sorted.subarray(0, end * 4);
}

/** By id as bytes, then by pack. */
function compare(a: Int32Array, at: number, b: Int32Array, bt: number): number {
  for (let n = 0; n < 9; n++) {
    const x = a[at + n] ?? 0;
    const y = b[bt + n] ?? 0;
    if (x !== y) return n === 8 ? (x >>> 0) - (y >>> 0) : (swap(x) >>> 0) - (swap(y) >>> 0);
  }
  return 0;
}

function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function attempt<T>(verb: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fileFault(error, verb, path);
  }
}
