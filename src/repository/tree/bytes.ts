import { Fault } from '../../base/faults.ts';

/** Bytes of the tree format that cannot be what a writer wrote. */
export function treeDamaged(what: string): Fault {
  return new Fault('corrupt', 'repository.tree_damaged', `The directory tree of the snapshot is damaged: ${what}.`, {
    help: 'Restore an earlier checkpoint, and let the bank be checked.',
  });
}

/** Grows as it is written to; `take` gives what was written and starts over. Integers are little-endian. */
export class ByteWriter {
  #bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  #room(bytes: number): Buffer {
    if (this.length + bytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.length + bytes));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
    return this.#bytes;
  }

  byte(value: number): void {
    this.#room(1)[this.length++] = value;
  }

  /** Seven bits a byte, low bits first, up to 2^53 - 1. */
  varint(value: number): void {
    const bytes = this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[this.length++] = rest;
  }

  u32(value: number): void {
    this.#room(4).writeUInt32LE(value, this.length);
    this.length += 4;
  }

  u64(value: bigint): void {
    this.#room(8).writeBigUInt64LE(value, this.length);
    this.length += 8;
  }

  /** Nanoseconds since 1970 as a 96-bit two's complement: every time any file system can hold. */
  time(ns: bigint): void {
    const bytes = this.#room(12);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, ns), this.length);
    bytes.writeInt32LE(Number(BigInt.asIntN(32, ns >> 64n)), this.length + 8);
    this.length += 12;
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length).set(value, this.length);
    this.length += value.length;
  }

  /** A latin1 string, one byte a character. */
  text(value: string): void {
    this.length += this.#room(value.length).write(value, this.length, 'latin1');
  }

  sizedBytes(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  sizedText(value: string): void {
    this.varint(value.length);
    this.text(value);
  }

  /** A copy of its own, which can be transferred. */
  take(): Buffer<ArrayBuffer> {
    const taken = Buffer.from(new ArrayBuffer(this.length));
    this.#bytes.copy(taken, 0, 0, this.length);
    this.length = 0;
    return taken;
  }

  /** A view of it, good until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}

/** Reads what `ByteWriter` wrote; whatever does not fit is the fault `repository.tree_damaged`. */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  #advance(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw treeDamaged('it ends within a record');
    this.at = start + length;
    return start;
  }

  byte(): number {
    return this.bytes[this.#advance(1)] as number;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 0x80;
    }
    throw treeDamaged('it holds a number that is too large');
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.#advance(8));
  }

  time(): bigint {
    const at = this.#advance(12);
    return (BigInt(this.bytes.readInt32LE(at + 8)) << 64n) | this.bytes.readBigUInt64LE(at);
  }

  /** A view, not a copy. */
  view(length: number): Buffer {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    const start = this.#advance(length);
    return this.bytes.toString('latin1', start, start + length);
  }
}
