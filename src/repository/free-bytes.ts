/** Below this, memory may come out of Node's pool, which cannot be given back, and is not worth the call. */
const minBytes = 2 * Buffer.poolSize;

/**
 * Gives the memory under the bytes back at once. The collector would too, but it does not see how fast native calls make such buffers:
 * left to it, a busy worker holds a hundred MiB of them. The bytes, and every other view on the same memory, are empty afterwards.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= minBytes) buffer.transfer(0);
}
