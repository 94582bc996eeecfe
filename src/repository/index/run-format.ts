import { createHmac, timingSafeEqual } from 'node:crypto';
import { fstatSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/**
 * A run: the records of some index objects, sorted, in a local file that is only ever a cache. What a look-up needs of it in memory is two
 * numbers a bucket (a quarter of a byte a chunk); the rest is one read of some 2 KiB, mostly out of the page cache.
 *
 *     records   56 bytes each, ascending by id: id 32 | pack, block offset, block length, raw length, chunk offset, chunk length (u32 each)
 *     objects   id 16 | size u32 | count of packs u32              per index object whose records are here
 *     refs      u32                                                per object, the packs it names
 *     packs     id 16 | root key id 16 | size u32                  `pack` of a record and a ref are places in this list
 *     buckets   first record u32, 2^bits + 1 of them | CRC-32 of the bucket's records u32, 2^bits of them
 *     footer    magic 8 | version, bits, records, objects, refs, packs (u32 each) | HMAC-SHA-256 over everything from `objects` to here
 *
 * A bucket holds the ids that begin with the same `bits` bits, some 32 of them, as ids are evenly spread. Numbers are in the byte order of the machine.
 */
export const runRecordBytes = 56;
export const runRecordWords = runRecordBytes / 4;
export const runPackBytes = 36;
const objectBytes = 24;
const footerBytes = 64;
const magic = Buffer.from('KARRIRUN');
const version = 1;
const bucketRecords = 32;
/** Merges cut runs at these bits, so no run has fewer. */
export const minBits = 10;
const maxBits = 26;

export interface RunObject {
  readonly id: string;
  readonly sizeBytes: number;
  /** Places in the run's list of packs. */
  readonly packs: Uint32Array;
}

export interface RunTables {
  readonly objects: readonly RunObject[];
  /** 36 bytes a pack, as in index objects. */
  readonly packs: Buffer;
  readonly bits: number;
  /** First record of each bucket and the end of the last, then the checksum of each bucket. Shared between threads. */
  readonly buckets: Uint32Array;
  readonly recordCount: number;
}

export function bucketBits(records: number): number {
  return Math.min(maxBits, Math.max(minBits, Math.ceil(Math.log2(records / bucketRecords))));
}

/** Which of 2^bits buckets an id of which these are the first four bytes belongs into. */
export function bucketOf(firstBytes: number, bits: number): number {
  return firstBytes >>> (32 - bits);
}

export function encodeTail(key: Buffer, { objects, packs, bits, buckets, recordCount }: RunTables): Buffer {
  const refs = objects.reduce((sum, object) => sum + object.packs.length, 0);
  const heads = Buffer.alloc(objects.length * objectBytes);
  objects.forEach(({ id, sizeBytes, packs: named }, at) => {
    heads.write(id, at * objectBytes, 'hex');
    heads.writeUInt32LE(sizeBytes, at * objectBytes + 16);
    heads.writeUInt32LE(named.length, at * objectBytes + 20);
  });
  const footer = Buffer.alloc(footerBytes);
  magic.copy(footer);
  const numbers = [version, bits, recordCount, objects.length, refs, packs.length / runPackBytes];
  for (const [at, number] of numbers.entries()) footer.writeUInt32LE(number, magic.length + at * 4);
  const parts = [heads, ...objects.map((object) => bytesOf(object.packs)), packs, bytesOf(buckets), footer];
  const tail = Buffer.concat(parts);
  macOf(key, tail).copy(tail, tail.length - 32);
  return tail;
}

/** Everything of the run but its records; undefined when the file is none, or not whole, or another repository's. */
export function readTables(fd: number, key: Buffer): RunTables | undefined {
  const size = fstatSync(fd).size;
  const footer = readAt(fd, footerBytes, size - footerBytes);
  if (footer === undefined || !footer.subarray(0, 8).equals(magic)) return undefined;
  const [found, bits = 0, recordCount = 0, objectCount = 0, refs = 0, packCount = 0] = Array.from({ length: 6 }, (_, at) =>
    footer.readUInt32LE(8 + at * 4),
  );
  if (found !== version || bits < minBits || bits > maxBits) return undefined;
  const bucketCount = 2 ** bits;
  const from = recordCount * runRecordBytes;
  const length = objectCount * objectBytes + refs * 4 + packCount * runPackBytes + (2 * bucketCount + 1) * 4 + footerBytes;
  if (from + length !== size) return undefined;
  const tail = readAt(fd, length, from);
  if (tail === undefined || !timingSafeEqual(macOf(key, tail), tail.subarray(length - 32))) return undefined;

  const objects: RunObject[] = [];
  let refAt = objectCount * objectBytes;
  for (let at = 0; at < objectCount * objectBytes; at += objectBytes) {
    const count = tail.readUInt32LE(at + 20);
    const packs = numbersIn(tail, refAt, count);
    objects.push({ id: tail.toString('hex', at, at + 16), sizeBytes: tail.readUInt32LE(at + 16), packs });
    refAt += count * 4;
  }
  const bucketsAt = refAt + packCount * runPackBytes;
  const buckets = new Uint32Array(new SharedArrayBuffer((2 * bucketCount + 1) * 4));
  bytesOf(buckets).set(tail.subarray(bucketsAt, length - footerBytes));
  return { objects, packs: Buffer.from(tail.subarray(refAt, bucketsAt)), bits, buckets, recordCount };
}

/** What threads share of an open run. File descriptors are those of the process. */
export interface RunView {
  readonly fd: number;
  readonly bits: number;
  readonly buckets: Uint32Array;
  /** This process's number of each pack of the run. */
  readonly packNumbers: Uint32Array;
  /** One number: not zero once a bucket was found damaged. From then on the run counts for nothing. */
  readonly damaged: Int32Array;
}

/** The words of a record, where they begin, and which record of the run it is. True ends the search. */
export type RunVisit = (words: Int32Array, at: number, record: number) => boolean;

let bucketBytes = Buffer.allocUnsafeSlow(128 * runRecordBytes);
let bucketWords = new Int32Array(bucketBytes.buffer);

/**
 * Visits each record of the id, given as its eight words, until one is taken; says whether one was. A damaged bucket marks the run and
 * is no answer. Costs a read of some 2 KiB, about 3 µs out of the page cache.
 */
export function searchRun(run: RunView, id: Int32Array, visit: RunVisit): boolean {
  if (Atomics.load(run.damaged, 0) !== 0) return false;
  const bucket = bucketOf(swap(id[0] ?? 0), run.bits);
  const first = run.buckets[bucket] ?? 0;
  const count = (run.buckets[bucket + 1] ?? 0) - first;
  if (count === 0) return false;
  if (count * runRecordBytes > bucketBytes.length) {
    bucketBytes = Buffer.allocUnsafeSlow(2 * count * runRecordBytes);
    bucketWords = new Int32Array(bucketBytes.buffer);
  }
  if (!readBucket(run, bucket, bucketBytes, 0, first, count)) {
    Atomics.store(run.damaged, 0, 1);
    return false;
  }
  const words = bucketWords;
  for (let at = 0; at < count * runRecordWords; at += runRecordWords) {
    if (words[at + 1] !== id[1] || words[at] !== id[0]) continue;
    let same = 2;
    while (same < 8 && words[at + same] === id[same]) same++;
    if (same === 8 && visit(words, at, first + at / runRecordWords)) return true;
  }
  return false;
}

/** False when the bytes are not those that were written. */
export function readBucket(
  { fd, bits, buckets }: Pick<RunView, 'fd' | 'bits' | 'buckets'>,
  bucket: number,
  into: Buffer,
  offset: number,
  first: number,
  count: number,
): boolean {
  const length = count * runRecordBytes;
  for (let done = 0; done < length; ) {
    const read = readSync(fd, into, offset + done, length - done, first * runRecordBytes + done);
    if (read === 0) return false;
    done += read;
  }
  return crc32(into.subarray(offset, offset + length)) === buckets[2 ** bits + 1 + bucket];
}

/** The first four bytes of an id as the number they are in byte order of ids. */
export function swap(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function numbersIn(bytes: Buffer, at: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, n) => bytes.readUInt32LE(at + n * 4));
}

function macOf(key: Buffer, tail: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(tail.subarray(0, tail.length - 32))
    .digest();
}

function readAt(fd: number, length: number, position: number): Buffer | undefined {
  if (position < 0) return undefined;
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const read = readSync(fd, bytes, done, length - done, position + done);
    if (read === 0) return undefined;
    done += read;
  }
  return bytes;
}
