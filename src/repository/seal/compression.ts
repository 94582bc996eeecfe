import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { freeBytes } from '../free-bytes.ts';
import type { Level } from '../packs/chunk-sink.ts';

export const codecRaw = 0;
export const codecZstd = 1;

export interface Compressed {
  readonly codec: number;
  readonly payload: Uint8Array;
}

export const zstdLevels = { fast: 1, default: 3 } satisfies Record<Level, number>;

/** One try; see `isWorthIt`. */
export function compress(plain: Uint8Array, level: Level): Compressed {
  const payload = zstdCompressSync(plain, {
    // The output in one piece, and tables as small as the input allows.
    chunkSize: Math.max(plain.length + 1024, constants.Z_MIN_CHUNK),
    pledgedSrcSize: plain.length,
    params: { [constants.ZSTD_c_compressionLevel]: zstdLevels[level] },
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
