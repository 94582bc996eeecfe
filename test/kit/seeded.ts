import { createCipheriv, createHash, randomInt } from 'node:crypto';

/** The seed of this run: `KARRI_TEST_SEED` repeats one. */
export const seed = Number(process.env.KARRI_TEST_SEED ?? randomInt(2 ** 31));

export interface Seeded {
  /** 0 ≤ n < 1 */
  fraction(): number;
  /** Bytes that do not compress. */
  bytes(count: number): Buffer;
}

/** Chance that can be repeated: the same seed and name give the same numbers. */
export function createSeeded(name: string, from = seed): Seeded {
  const key = createHash('sha256').update(`${from} ${name}`).digest();
  const stream = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  const bytes = (count: number): Buffer => stream.update(Buffer.alloc(count));
  return { bytes, fraction: () => bytes(4).readUInt32LE() / 2 ** 32 };
}
