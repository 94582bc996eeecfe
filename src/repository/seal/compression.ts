import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { freeBytes } from '../free-bytes.ts';
import type { Level } from '../packs/chunk-sink.ts';
import type { ZstdParameters } from './zstd.ts';

export const codecRaw = 0;
export const codecZstd = 1;

export interface Compressed {
  readonly codec: number;
  readonly payload: Uint8Array;
}

/**
 * `default` is level 3 with tables that stay in the cache of a processor that does other things, too: a sixth less time for half a per cent more bytes.
 */
export const zstdParameters = {
  fast: { [constants.ZSTD_c_compressionLevel]: 1 },
  default: {
    [constants.ZSTD_c_compressionLevel]: 3,
    [constants.ZSTD_c_hashLog]: 15,
    [constants.ZSTD_c_chainLog]: 15,
    [constants.ZSTD_c_minMatch]: 5,
  },
} satisfies Record<Level, ZstdParameters>;

/** One try; see `isWorthIt`. */
export function compress(plain: Uint8Array, level: Level): Compressed {
  const payload = zstdCompressSync(plain, {
    // The output in one piece, and tables as small as the input allows.
    chunkSize: Math.max(plain.length + 1024, constants.Z_MIN_CHUNK),
    pledgedSrcSize: plain.length,
    params: zstdParameters[level],
  });
  if (isWorthIt(payload.length, plain.length)) return { codec: codecZstd, payload };
  freeBytes(payload);
  return { codec: codecRaw, payload: plain };
}

/** What gains less than 3 % is kept raw, so that reading it back costs nothing. */
export function isWorthIt(compressedBytes: number, plainBytes: number): boolean {
  return compressedBytes < plainBytes * 0.97;
}

/** Undefined when the payload is no whole frame of exactly `rawLength` bytes; never allocates more than that. */
export function decompress(codec: number, payload: Uint8Array, rawLength: number): Uint8Array | undefined {
  if (codec === codecRaw) return payload.length === rawLength ? payload : undefined;
  if (codec !== codecZstd) return undefined;
  try {
    const plain = zstdDecompressSync(payload, {
      chunkSize: Math.max(rawLength, constants.Z_MIN_CHUNK),
      maxOutputLength: Math.max(rawLength, 1),
    });
    return plain.length === rawLength ? plain : undefined;
  } catch {
    return undefined;
  }
}
