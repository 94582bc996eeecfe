import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { createSeeded } from './seeded.ts';

/** Names of packs, objects and keys, and nonces, come out of the seed from now on, so that what depends on their order can be repeated. */
export function seedIds(seed: number): void {
  const chance = createSeeded('ids', seed);
  Object.assign(crypto, { randomBytes: (count: number) => chance.bytes(count) });
  syncBuiltinESMExports(); // for those who imported it by its name
}
