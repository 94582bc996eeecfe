import { isSanePlace, maxPackBytes } from '../packs/format.ts';

/**
 * What an index object says, before sealing; FORMAT.md, "Indexes":
 *
 *     packs u32 | records u32 | per pack: id 16, root key id 16, size u32 | per record, ascending by id:
 *     id 32, pack (its place in this object) u32, block offset u32, block length u32, raw length u32, chunk offset u32, chunk length u32
 */
const headBytes = 8;
const packBytes = 36;
const recordBytes = 56;
/** 3.6 MiB an object. */
export const maxIndexRecords = 65_536;

export interface PackEntry {
  readonly id: string;
  readonly keyId: string;
  readonly sizeBytes: number;
}

export interface IndexRecord {
  readonly id: Uint8Array;
  /** Position in the pack list of the same object. */
  readonly pack: number;
  readonly blockOffset: number;
  readonly blockLength: number;
  readonly rawLength: number;
  readonly chunkOffset: number;
  readonly chunkLength: number;
}

export function encodeIndex(packs: readonly PackEntry[], records: readonly IndexRecord[]): Buffer {
  const bytes = Buffer.alloc(headBytes + packs.length * packBytes + records.length * recordBytes);
  bytes.writeUInt32LE(packs.length, 0);
  bytes.writeUInt32LE(records.length, 4);
  let at = headBytes;
  for (const pack of packs) {
    bytes.write(pack.id, at, 'hex');
    bytes.write(pack.keyId, at + 16, 'hex');
    bytes.writeUInt32LE(pack.sizeBytes, at + 32);
    at += packBytes;
  }
  for (const record of [...records].sort((a, b) => Buffer.compare(a.id, b.id))) {
    bytes.set(record.id, at);
    bytes.writeUInt32LE(record.pack, at + 32);
    bytes.writeUInt32LE(record.blockOffset, at + 36);
    bytes.writeUInt32LE(record.blockLength, at + 40);
    bytes.writeUInt32LE(record.rawLength, at + 44);
    bytes.writeUInt32LE(record.chunkOffset, at + 48);
    bytes.writeUInt32LE(record.chunkLength, at + 52);
    at += recordBytes;
  }
  return bytes;
}

export interface DecodedIndex {
  readonly packs: readonly PackEntry[];
  readonly recordCount: number;
  /** The records as they lie, a view on the object's bytes. */
  readonly recordBytes: Buffer;
  /** The pack list as it lies, 36 bytes each. */
  readonly packBytes: Buffer;
  /** Made as they are consumed; `id` is a view on the object's bytes. */
  records(): Iterable<IndexRecord>;
}

/** Undefined when the bytes contradict themselves. */
export function decodeIndex(bytes: Buffer): DecodedIndex | undefined {
  if (bytes.length < headBytes) return undefined;
  const packCount = bytes.readUInt32LE(0);
  const recordCount = bytes.readUInt32LE(4);
  const from = headBytes + packCount * packBytes;
  if (bytes.length !== from + recordCount * recordBytes) return undefined;
  const packs: PackEntry[] = [];
  for (let at = headBytes; at < from; at += packBytes) {
    packs.push({
      id: bytes.toString('hex', at, at + 16),
      keyId: bytes.toString('hex', at + 16, at + 32),
      sizeBytes: bytes.readUInt32LE(at + 32),
    });
  }
  if (packs.some(({ sizeBytes }) => sizeBytes > maxPackBytes)) return undefined;
  for (let at = from; at < bytes.length; at += recordBytes) {
    const offset = bytes.readUInt32LE(at + 36);
    const length = bytes.readUInt32LE(at + 40);
    const rawLength = bytes.readUInt32LE(at + 44);
    if (!isSanePlace({ offset, length, rawLength })) return undefined;
    if (bytes.readUInt32LE(at + 48) + bytes.readUInt32LE(at + 52) > rawLength) return undefined;
    const size = packs[bytes.readUInt32LE(at + 32)]?.sizeBytes;
    if (size === undefined || offset + length > size) return undefined;
  }
  return {
    packs,
    recordCount,
    recordBytes: bytes.subarray(from),
    packBytes: bytes.subarray(headBytes, from),
    records: () => readRecords(bytes, from),
  };
}

function* readRecords(bytes: Buffer, from: number): Generator<IndexRecord> {
  for (let at = from; at < bytes.length; at += recordBytes) {
    yield {
      id: bytes.subarray(at, at + 32),
      pack: bytes.readUInt32LE(at + 32),
      blockOffset: bytes.readUInt32LE(at + 36),
      blockLength: bytes.readUInt32LE(at + 40),
      rawLength: bytes.readUInt32LE(at + 44),
      chunkOffset: bytes.readUInt32LE(at + 48),
      chunkLength: bytes.readUInt32LE(at + 52),
    };
  }
}
