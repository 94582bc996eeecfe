const idBytes = 32;
const ways = 4;

/**
 * Remembers which id stands for which: a fixed 8 MiB for some 130 000 pairs, whatever passes through. What is forgotten has to be found
 * out again, so losing a pair costs time and nothing else.
 */
export class IdMemo {
  readonly #sets: number;
  readonly #keys: Buffer;
  readonly #values: Buffer;
  #next = 0;

  constructor(pairs = 1 << 17) {
    this.#sets = pairs / ways;
    this.#keys = Buffer.alloc(pairs * idBytes);
    this.#values = Buffer.alloc(pairs * idBytes);
  }

  /** A view; valid until the next `set`. */
  get(id: Uint8Array): Buffer | undefined {
    const at = this.#find(id);
    return at === undefined ? undefined : this.#values.subarray(at, at + idBytes);
  }

  set(id: Uint8Array, value: Uint8Array): void {
    const at = this.#find(id) ?? this.#find(noId, this.#setOf(id)) ?? this.#setOf(id) + (this.#next++ % ways) * idBytes;
    this.#keys.set(id, at);
    this.#values.set(value, at);
  }

  #find(id: Uint8Array, from = this.#setOf(id)): number | undefined {
    for (let at = from; at < from + ways * idBytes; at += idBytes) {
      if (this.#keys.compare(id, 0, idBytes, at, at + idBytes) === 0) return at;
    }
    return undefined;
  }

  /** Ids are keyed hashes: any four bytes of them are evenly spread. */
  #setOf(id: Uint8Array): number {
    const hash = ((id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24)) >>> 0;
    return (hash % this.#sets) * ways * idBytes;
  }
}

const noId = Buffer.alloc(idBytes);
