/** What the stranger's reader says when something does not check out; it gives no bytes then. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

export function check(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Refused(why);
}

/** Reads on from where it last ended, and never beyond the end. All integers are little-endian. */
export interface Cursor {
  take(count: number): Buffer;
  hex(count: number): string;
  u8(): number;
  u32(): number;
  u64(): bigint;
  varint(): number;
  /** Bytes that stand behind their own length, a varint. */
  prefixed(limit: number): Buffer;
  isAtEnd(): boolean;
  /** How many bytes were read. */
  place(): number;
}

export function createCursor(bytes: Buffer, what: string): Cursor {
  let at = 0;
  const take = (count: number): Buffer => {
    check(count <= bytes.length - at, `${what} ends in the middle`);
    at += count;
    return bytes.subarray(at - count, at);
  };
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(take(1).readUInt8());
      value |= (byte & 0x7fn) << shift;
      check(value <= Number.MAX_SAFE_INTEGER && shift <= 49n, `${what} has a number that is too large`);
      if (byte < 0x80n) return Number(value);
    }
  };
  return {
    take,
    hex: (count) => take(count).toString('hex'),
    u8: () => take(1).readUInt8(),
    u32: () => take(4).readUInt32LE(),
    u64: () => take(8).readBigUInt64LE(),
    varint,
    prefixed(limit) {
      const length = varint();
      check(length <= limit, `${what} has a part of ${length} bytes; at most ${limit} are allowed`);
      return take(length);
    },
    isAtEnd: () => at === bytes.length,
    place: () => at,
  };
}

/** `parts(a, b, …)` of the format: each part behind its length, a u32. */
export function parts(...values: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(values.flatMap((value) => [u32(Buffer.byteLength(value)), Buffer.from(value)]));
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
