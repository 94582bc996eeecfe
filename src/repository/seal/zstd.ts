import { createRequire } from 'node:module';

/** Numbers of parameters, which never change, and their values; as `node:zlib` takes them. */
export type ZstdParameters = Readonly<Record<number, number>>;

/** zstd from memory to memory, with contexts that live as long as the thread. */
export interface Zstd {
  /** Bytes of the frame that was written; undefined when the target is too small for it. */
  compress(plain: Uint8Array, parameters: ZstdParameters, target: Uint8Array): number | undefined;
  /** Bytes that were written; undefined when the payload is no whole frame, or one of more than the target holds. */
  decompress(payload: Uint8Array, target: Uint8Array): number | undefined;
}

/** As in zstd.h. */
const resetParameters = 2;
/** The highest that is asked for: how much memory a context gets. */
const maxLevel = 3;

/**
 * Node's own zstd, called without node:zlib, which makes a stream with a context of its own for every call: a quarter of the CPU of packing
 * volumes and of opening packs. Contexts lie in memory of this thread, so that a thread that is ended leaves nothing behind.
 * Undefined where Node does not show its symbols or the C interface cannot be loaded.
 */
export function openZstd(): Zstd | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    const declare = (prototype: string): ((...args: unknown[]) => unknown) => library.func(prototype);
    const setParameter = declare('size_t ZSTD_CCtx_setParameter(void *, int, int)');
    const reset = declare('size_t ZSTD_CCtx_reset(void *, int)');
    const compress = declare('size_t ZSTD_compress2(void *, void *, size_t, const void *, size_t)');
    const decompress = declare('size_t ZSTD_decompressDCtx(void *, void *, size_t, const void *, size_t)');
    const writerMemory = Buffer.allocUnsafeSlow(Number(declare('size_t ZSTD_estimateCCtxSize(int)')(maxLevel)));
    const readerMemory = Buffer.allocUnsafeSlow(Number(declare('size_t ZSTD_estimateDCtxSize()')()));
    // A context made in given memory begins where that begins: the memory stands for it from here on.
    const writer = declare('void *ZSTD_initStaticCCtx(void *, size_t)')(writerMemory, writerMemory.length);
    const reader = declare('void *ZSTD_initStaticDCtx(void *, size_t)')(readerMemory, readerMemory.length);
    if (!writer || !reader) return undefined;
    return {
      compress(plain, parameters, target) {
        reset(writerMemory, resetParameters);
        for (const [number, value] of Object.entries(parameters)) setParameter(writerMemory, Number(number), value);
        return countOf(compress(writerMemory, target, target.length, plain, plain.length));
      },
      decompress: (payload, target) => countOf(decompress(readerMemory, target, target.length, payload, payload.length)),
    };
  } catch {
    return undefined;
  }
}

/** Errors are numbers near the end of 64 bits, which do not fit into a JavaScript number. */
function countOf(result: unknown): number | undefined {
  return typeof result === 'number' ? result : undefined;
}
