import { MiB } from '../../base/bytes.ts';
import { decompressBlock } from '../seal/block-compression.ts';
import { openSealed, sealInto } from '../seal/block-sealing.ts';
import { type Compressed, codecRaw } from '../seal/compression.ts';
import { derivePackKey, type RootKey, randomId, tagBytes } from '../seal/crypto.ts';
import type { KeyedHash } from '../seal/keyed-hash.ts';
import { maxChunkBytes } from './chunk-sink.ts';

/**
 * A pack; FORMAT.md, "Packs":
 *
 *     "KARRIPK1" | block | block | … | directory (sealed like a block) | footer
 *     block:   codec 1 | nonce 12 | ciphertext n | tag 16
 *     nonce:   block number, u32 | first 8 bytes of the first chunk's id
 *     directory: blocks u32 | chunks u32 | per block: offset, length, raw length, chunk count (u32 each)
 *                | per chunk: id 32, offset in the raw block u32, length u32
 *     footer:  root key id 16 | directory offset u32 | directory length u32 | version u32 | "KPCK"
 *
 * The nonce holds a part of a keyed hash of the plaintext, so that even a cloned machine that draws the same pack id does not
 * seal two different blocks under one nonce.
 */
const packTargetBytes = 16 * MiB;
export const solidBlockBytes = MiB;
const blockOverheadBytes = 1 + 12 + tagBytes;
export const headMagic = Buffer.from('KARRIPK1');
const footMagic = Buffer.from('KPCK');
export const packFooterBytes = 32;
const directoryNumber = 0xffffffff;
/** What stays free for the directory: 40 bytes a chunk; a pack is closed before it could overflow. */
const directoryRoomBytes = MiB;
/** A pack is closed after the block that fills it, and takes the open solid block with it. Buffers have this size, readers refuse more. */
export const maxPackBytes =
  packTargetBytes + maxChunkBytes + solidBlockBytes + 3 * blockOverheadBytes + directoryRoomBytes + packFooterBytes;

export interface BlockPlace {
  readonly offset: number;
  readonly length: number;
  readonly rawLength: number;
}

export interface ChunkInBlock {
  readonly id: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

export interface PackedBlock extends BlockPlace {
  readonly chunks: readonly ChunkInBlock[];
}

/** What the associated data of every block begins with; the block's offset and codec are filled in per block. */
function blockAssociated(projectId: string, packId: string): Buffer {
  const project = Buffer.from(projectId);
  const bytes = Buffer.alloc(5 + 16 + project.length);
  bytes.write(packId, 5, 'hex');
  project.copy(bytes, 21);
  return bytes;
}

function aim(associated: Buffer, offset: number, codec: number): Buffer {
  associated.writeUInt32LE(offset, 0);
  associated.writeUInt8(codec, 4);
  return associated;
}

export interface FinishedPack {
  readonly id: string;
  readonly keyId: string;
  readonly buffer: ArrayBuffer;
  readonly sizeBytes: number;
  /** For `decodeDirectory`. */
  readonly directory: Uint8Array<ArrayBuffer>;
}

/** Fills one buffer with sealed blocks. One thread, one open pack. */
export class PackBuilder {
  readonly id = randomId();
  readonly #root: RootKey;
  readonly #key: Buffer;
  readonly #associated: Buffer;
  readonly #bytes: Buffer;
  readonly #hash: KeyedHash;
  readonly #blocks: PackedBlock[] = [];
  #used = headMagic.length;
  #chunks = 0;

  /** `buffer` has at least `maxPackBytes`. */
  constructor(root: RootKey, projectId: string, hash: KeyedHash, buffer: ArrayBuffer) {
    this.#root = root;
    this.#hash = hash;
    this.#key = derivePackKey(root, this.id);
    this.#associated = blockAssociated(projectId, this.id);
    this.#bytes = Buffer.from(buffer);
    headMagic.copy(this.#bytes);
  }

  get isFull(): boolean {
    return this.#used >= packTargetBytes || (this.#chunks + this.#blocks.length) * 40 > directoryRoomBytes / 2;
  }

  /** Seals one block and returns where it lies. */
  add(compressed: Compressed, rawLength: number, chunks: readonly ChunkInBlock[]): BlockPlace {
    const first = chunks[0]?.id ?? new Uint8Array(8);
    const place = { ...this.#append(this.#blocks.length, first, compressed), rawLength };
    this.#blocks.push({ ...place, chunks });
    this.#chunks += chunks.length;
    return place;
  }

  finish(): FinishedPack {
    const directory = encodeDirectory(this.#blocks);
    const place = this.#append(directoryNumber, this.#hash.digest(directory), { codec: codecRaw, payload: directory });
    const footer = this.#bytes.subarray(this.#used, this.#used + packFooterBytes);
    footer.write(this.#root.id, 0, 'hex');
    footer.writeUInt32LE(place.offset, 16);
    footer.writeUInt32LE(place.length, 20);
    footer.writeUInt32LE(1, 24);
    footMagic.copy(footer, 28);
    this.#used += packFooterBytes;
    return {
      id: this.id,
      keyId: this.#root.id,
      buffer: this.#bytes.buffer as ArrayBuffer,
      sizeBytes: this.#used,
      directory: new Uint8Array(directory),
    };
  }

  #append(number: number, firstId: Uint8Array, { codec, payload }: Compressed): { offset: number; length: number } {
    const offset = this.#used;
    const bytes = this.#bytes;
    bytes.writeUInt8(codec, offset);
    bytes.writeUInt32LE(number, offset + 1);
    bytes.set(firstId.subarray(0, 8), offset + 5);
    const nonce = bytes.subarray(offset + 1, offset + 13);
    const length = payload.length + blockOverheadBytes;
    sealInto(bytes.subarray(offset + 13, offset + length), this.#key, nonce, aim(this.#associated, offset, codec), payload);
    this.#used += length;
    return { offset, length };
  }
}

/** Opens blocks of one pack. */
export class PackOpener {
  readonly #key: Buffer;
  readonly #associated: Buffer;

  constructor(root: RootKey, projectId: string, packId: string) {
    this.#key = derivePackKey(root, packId);
    this.#associated = blockAssociated(projectId, packId);
  }

  /**
   * The raw block; undefined when any byte of it is wrong. `sealed` is exactly the block, `offset` where it lies in the pack.
   * It is good until this thread opens the next one.
   */
  openBlock(sealed: Uint8Array, offset: number, rawLength: number): Uint8Array | undefined {
    if (sealed.length < blockOverheadBytes) return undefined;
    const codec = sealed[0] ?? codecRaw;
    const payload = openSealed(this.#key, sealed.subarray(1, 13), aim(this.#associated, offset, codec), sealed.subarray(13));
    return payload && decompressBlock(codec, payload, rawLength);
  }

  /** The blocks of the pack, from the sealed directory and where it lies; undefined when any byte of it is wrong. */
  openDirectory(sealed: Uint8Array, offset: number): PackedBlock[] | undefined {
    const raw = this.openBlock(sealed, offset, sealed.length - blockOverheadBytes);
    return raw && decodeDirectory(Buffer.from(raw), offset); // a copy: what is decoded points into it
  }
}

export interface PackFooter {
  readonly keyId: string;
  readonly directoryOffset: number;
  readonly directoryLength: number;
}

/** The last 32 bytes of a pack of the given size; undefined when they are none. */
export function parseFooter(tail: Buffer, packSizeBytes: number): PackFooter | undefined {
  if (tail.length !== packFooterBytes || !tail.subarray(28).equals(footMagic) || tail.readUInt32LE(24) !== 1) return undefined;
  const directoryOffset = tail.readUInt32LE(16);
  const directoryLength = tail.readUInt32LE(20);
  if (directoryOffset < headMagic.length || directoryOffset + directoryLength + packFooterBytes !== packSizeBytes)
    return undefined;
  return { keyId: tail.toString('hex', 0, 16), directoryOffset, directoryLength };
}

const directoryHeadBytes = 8;
const directoryBlockBytes = 16;
const directoryChunkBytes = 40;

function encodeDirectory(blocks: readonly PackedBlock[]): Buffer {
  const chunkCount = blocks.reduce((sum, { chunks }) => sum + chunks.length, 0);
  const bytes = Buffer.alloc(directoryHeadBytes + blocks.length * directoryBlockBytes + chunkCount * directoryChunkBytes);
  bytes.writeUInt32LE(blocks.length, 0);
  bytes.writeUInt32LE(chunkCount, 4);
  let at = directoryHeadBytes;
  let chunkAt = at + blocks.length * directoryBlockBytes;
  for (const block of blocks) {
    bytes.writeUInt32LE(block.offset, at);
    bytes.writeUInt32LE(block.length, at + 4);
    bytes.writeUInt32LE(block.rawLength, at + 8);
    bytes.writeUInt32LE(block.chunks.length, at + 12);
    at += directoryBlockBytes;
    for (const chunk of block.chunks) {
      bytes.set(chunk.id, chunkAt);
      bytes.writeUInt32LE(chunk.offset, chunkAt + 32);
      bytes.writeUInt32LE(chunk.length, chunkAt + 36);
      chunkAt += directoryChunkBytes;
    }
  }
  return bytes;
}

/** Authentic bytes, but checked all the same: a defective writer must not make a reader run wild. */
export function decodeDirectory(bytes: Buffer, endOfBlocks: number): PackedBlock[] | undefined {
  if (bytes.length < directoryHeadBytes) return undefined;
  const blockCount = bytes.readUInt32LE(0);
  const chunkCount = bytes.readUInt32LE(4);
  const chunksFrom = directoryHeadBytes + blockCount * directoryBlockBytes;
  if (bytes.length !== chunksFrom + chunkCount * directoryChunkBytes) return undefined;
  const blocks: PackedBlock[] = [];
  let next = 0;
  for (let at = directoryHeadBytes; at < chunksFrom; at += directoryBlockBytes) {
    const place = { offset: bytes.readUInt32LE(at), length: bytes.readUInt32LE(at + 4), rawLength: bytes.readUInt32LE(at + 8) };
    const count = bytes.readUInt32LE(at + 12);
    if (!isSanePlace(place) || place.offset + place.length > endOfBlocks || next + count > chunkCount) return undefined;
    const chunks: ChunkInBlock[] = [];
    for (let at = chunksFrom + next * directoryChunkBytes; chunks.length < count; at += directoryChunkBytes) {
      const chunk = { id: bytes.subarray(at, at + 32), offset: bytes.readUInt32LE(at + 32), length: bytes.readUInt32LE(at + 36) };
      if (chunk.offset + chunk.length > place.rawLength) return undefined;
      chunks.push(chunk);
    }
    next += count;
    blocks.push({ ...place, chunks });
  }
  return next === chunkCount ? blocks : undefined;
}

/** Bounds that every block of every pack keeps; an index that says otherwise is damaged. */
export function isSanePlace({ offset, length, rawLength }: BlockPlace): boolean {
  return (
    offset >= headMagic.length &&
    length >= blockOverheadBytes &&
    length <= maxChunkBytes + blockOverheadBytes &&
    rawLength <= maxChunkBytes &&
    offset + length <= maxPackBytes
  );
}
