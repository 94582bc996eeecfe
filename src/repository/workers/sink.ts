import { Fault, toFault } from '../../base/faults.ts';
import type { ChunkTable, Claim } from '../index/chunk-table.ts';
import { type ChunkId, type ChunkSink, type Level, maxChunkBytes, type SinkCounters } from '../packs/chunk-sink.ts';
import { type ChunkInBlock, type FinishedPack, PackBuilder, solidBlockBytes } from '../packs/format.ts';
import { compressBlock } from '../seal/block-compression.ts';
import type { RootKey } from '../seal/crypto.ts';
import type { KeyedHash } from '../seal/keyed-hash.ts';

export interface WorkerSinkOptions {
  readonly root: RootKey;
  readonly projectId: string;
  readonly hash: KeyedHash;
  readonly table: ChunkTable;
  takePackNumber(): number;
  /** An empty pack buffer; waits while all of them are on their way into the bank. @throws {Fault} `base.cancelled` */
  takeBuffer(): ArrayBuffer;
  send(number: number, pack: FinishedPack): void;
}

const idBytes = 32;

/** Bounds the directory of a pack of very many very small chunks. */
const solidBlockChunks = 4096;

type ClaimedChunk = ChunkInBlock & { readonly claim: Claim };

interface OpenBlock {
  readonly bytes: Buffer;
  readonly used: number;
  readonly level: Level;
  readonly chunks: ClaimedChunk[];
}

interface OpenPack {
  readonly builder: PackBuilder;
  readonly number: number;
}

/** The write side of one thread: at most one open pack and one open solid block, both shared by all sessions. */
export class WorkerSink implements ChunkSink {
  readonly #options: WorkerSinkOptions;
  #block: OpenBlock = { bytes: Buffer.allocUnsafeSlow(solidBlockBytes), used: 0, level: 'fast', chunks: [] };
  #pack: OpenPack | undefined;
  #broken: Fault | undefined;
  #counters = newCounters();

  constructor(options: WorkerSinkOptions) {
    this.#options = options;
  }

  /** The counters since the last call. */
  takeCounters(): SinkCounters {
    const counters = this.#counters;
    this.#counters = newCounters();
    return counters;
  }

  store(plain: Uint8Array, level: Level): ChunkId {
    return this.#count(plain, this.#seal(plain, level));
  }

  storeRun(plain: Uint8Array, chunkBytes: number, level: Level): Uint8Array {
    const ids = new Uint8Array(Math.ceil(plain.length / chunkBytes) * idBytes);
    let chunks: ClaimedChunk[] = [];
    let from = 0;
    const sealChunks = (end: number): void => {
      const open = chunks;
      chunks = [];
      if (open.length > 0) this.#sealChunks(plain.subarray(from, end), level, open);
    };
    try {
      for (let at = 0; at < plain.length; at += chunkBytes) {
        const chunk = plain.subarray(at, at + chunkBytes);
        if (at + chunk.length - from > solidBlockBytes) sealChunks(at);
        const id = this.identify(chunk);
        const claim = this.#options.table.claim(id);
        this.#count(chunk, { id, isNew: claim !== undefined });
        ids.set(id, (at / chunkBytes) * idBytes);
        if (claim === undefined) sealChunks(at);
        else {
          if (chunks.length === 0) from = at;
          chunks.push({ id, offset: at - from, length: chunk.length, claim });
        }
      }
      sealChunks(plain.length);
    } catch (error) {
      for (const { claim } of chunks) this.#options.table.release(claim);
      throw error;
    }
    return ids;
  }

  storeSmall(plain: Uint8Array, level: Level): ChunkId {
    return this.#count(plain, this.#collect(plain, level));
  }

  storeMap(plain: Uint8Array): ChunkId {
    return this.#collect(plain, 'fast').id;
  }

  countReused(bytes: number): void {
    this.#counters.logicalBytes += bytes;
    this.#counters.reusedBytes += bytes;
  }

  identify(plain: Uint8Array): ChunkId {
    if (plain.length > maxChunkBytes) {
      throw new Fault('internal', 'repository.chunk_too_large', `A chunk of ${plain.length} bytes is beyond ${maxChunkBytes}.`);
    }
    return this.#options.hash.digest(plain);
  }

  has(id: ChunkId): boolean {
    return this.#options.table.has(id);
  }

  /** Seals the open block and sends the open pack, however small. */
  flush(): void {
    this.#sendPack();
    if (this.#broken) throw this.#broken;
  }

  #count(plain: Uint8Array, { id, isNew }: Stored): ChunkId {
    this.#counters.logicalBytes += plain.length;
    if (!isNew) this.#counters.reusedBytes += plain.length;
    return id;
  }

  /** One chunk, one block. */
  #seal(plain: Uint8Array, level: Level): Stored {
    const id = this.identify(plain);
    const claim = this.#options.table.claim(id);
    if (claim === undefined) return { id, isNew: false };
    this.#sealChunks(plain, level, [{ id, offset: 0, length: plain.length, claim }]);
    return { id, isNew: true };
  }

  /** A block of its own, in the open pack. */
  #sealChunks(plain: Uint8Array, level: Level, chunks: readonly ClaimedChunk[]): void {
    try {
      this.#addBlock(plain, level, chunks);
    } catch (error) {
      for (const { claim } of chunks) this.#options.table.release(claim);
      throw error;
    }
    if (this.#pack?.builder.isFull) this.#sendPack();
  }

  #addBlock(plain: Uint8Array, level: Level, chunks: readonly ClaimedChunk[]): void {
    const { builder, number } = this.#openPack();
    const place = builder.add(compressBlock(plain, level), plain.length, chunks);
    this.#counters.sealedBytes += place.length;
    for (const { claim, offset, length } of chunks) {
      this.#options.table.place(claim, {
        pack: number,
        blockOffset: place.offset,
        blockLength: place.length,
        rawLength: place.rawLength,
        chunkOffset: offset,
        chunkLength: length,
      });
    }
  }

  /** Into the open solid block, which always goes into the pack that is open now. */
  #collect(plain: Uint8Array, level: Level): Stored {
    if (plain.length > solidBlockBytes / 2) return this.#seal(plain, level);
    const id = this.identify(plain);
    const claim = this.#options.table.claim(id);
    if (claim === undefined) return { id, isNew: false };
    try {
      if (this.#block.used + plain.length > solidBlockBytes || this.#block.chunks.length >= solidBlockChunks) {
        this.#sealBlock();
        if (this.#pack?.builder.isFull) this.#sendPack();
      }
      this.#openPack();
    } catch (error) {
      this.#options.table.release(claim);
      throw error;
    }
    const { bytes, used, chunks } = this.#block;
    bytes.set(plain, used);
    chunks.push({ id, offset: used, length: plain.length, claim });
    this.#block = { bytes, used: used + plain.length, level, chunks };
    return { id, isNew: true };
  }

  #openPack(): OpenPack {
    if (this.#broken) throw this.#broken;
    if (this.#pack === undefined) {
      const { root, projectId, hash } = this.#options;
      const buffer = this.#options.takeBuffer();
      this.#pack = { builder: new PackBuilder(root, projectId, hash, buffer), number: this.#options.takePackNumber() };
    }
    const { packs } = this.#counters;
    if (!packs.includes(this.#pack.number)) packs.push(this.#pack.number);
    return this.#pack;
  }

  #sealBlock(): void {
    const { bytes, used, level, chunks } = this.#block;
    if (chunks.length === 0) return;
    try {
      this.#addBlock(bytes.subarray(0, used), level, chunks);
    } catch (error) {
      for (const { claim } of chunks) this.#options.table.release(claim);
      throw this.#break(error);
    } finally {
      this.#block = { bytes, used: 0, level, chunks: [] };
    }
  }

  #sendPack(): void {
    this.#sealBlock();
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    try {
      this.#options.send(pack.number, pack.builder.finish());
    } catch (error) {
      throw this.#break(error);
    }
  }

  /** Chunks are lost that were promised to tasks that have returned. Every session learns of it: each ends with a flush. */
  #break(error: unknown): Fault {
    this.#broken ??= toFault(error);
    return this.#broken;
  }
}

interface Stored {
  readonly id: ChunkId;
  readonly isNew: boolean;
}

function newCounters(): SinkCounters {
  return { logicalBytes: 0, reusedBytes: 0, sealedBytes: 0, packs: [] };
}
