import { freeBytes } from '../free-bytes.ts';
import type { Level } from '../packs/chunk-sink.ts';
import { type Compressed, codecRaw, codecZstd, compress, decompress, isWorthIt, zstdParameters } from './compression.ts';
import { ThreadMemory } from './thread-memory.ts';
import { openZstd, type Zstd } from './zstd.ts';

/**
 * Compression of blocks, of which a thread does thousands a second: into memory of the thread, which the next call uses again. What is handed out
 * is good until then.
 */

let zstd: Zstd | 'absent' | undefined;
const packed = new ThreadMemory();
const unpacked = new ThreadMemory();

/** One try; what gains less than 3 % is kept raw, so that reading it back costs nothing. */
export function compressBlock(plain: Uint8Array, level: Level): Compressed {
  const native = loadZstd();
  if (native === undefined) {
    const { codec, payload } = compress(plain, level);
    return codec === codecRaw ? { codec, payload } : { codec, payload: keep(packed, payload) };
  }
  const target = packed.take(plain.length);
  const length = native.compress(plain, zstdParameters[level], target);
  if (length === undefined || !isWorthIt(length, plain.length)) return { codec: codecRaw, payload: plain };
  return { codec: codecZstd, payload: target.subarray(0, length) };
}

/** Undefined when the payload is no whole frame of exactly `rawLength` bytes; the payload itself when it is raw. */
export function decompressBlock(codec: number, payload: Uint8Array, rawLength: number): Uint8Array | undefined {
  const native = loadZstd();
  if (codec === codecRaw) return decompress(codec, payload, rawLength);
  if (native === undefined) {
    const raw = decompress(codec, payload, rawLength);
    return raw && keep(unpacked, raw);
  }
  if (codec !== codecZstd) return undefined;
  const target = unpacked.take(rawLength);
  return native.decompress(payload, target) === rawLength ? target : undefined;
}

function loadZstd(): Zstd | undefined {
  zstd ??= openZstd() ?? 'absent';
  return zstd === 'absent' ? undefined : zstd;
}

function keep(memory: ThreadMemory, bytes: Uint8Array): Buffer {
  const kept = memory.take(bytes.length);
  kept.set(bytes);
  freeBytes(bytes);
  return kept;
}
