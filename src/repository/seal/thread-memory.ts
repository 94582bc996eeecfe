/** Memory of one thread that is used again and again: it is neither made nor given back a thousand times a second. */
export class ThreadMemory {
  #bytes = Buffer.alloc(0);

  /** What it held before is overwritten from here on. */
  take(length: number): Buffer {
    if (this.#bytes.length < length) this.#bytes = Buffer.allocUnsafeSlow(length);
    return this.#bytes.subarray(0, length);
  }
}
