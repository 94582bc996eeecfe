import { freeBytes } from '../free-bytes.ts';
import { type AesGcm, openAesGcm } from './aes-gcm.ts';
import { open, seal, tagBytes } from './crypto.ts';
import { ThreadMemory } from './thread-memory.ts';

/** Encryption of blocks, of which a thread does thousands a second, without new memory for each. */

let native: AesGcm | 'absent' | undefined;
const opened = new ThreadMemory();

/** Writes ciphertext and tag to the begin of `target`. */
export function sealInto(target: Uint8Array, key: Buffer, nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array): void {
  const gcm = loadNative();
  if (gcm !== undefined) {
    gcm.seal(key, nonce, associated, plain, target);
    return;
  }
  const { sealed, tag } = seal(key, nonce, associated, plain);
  target.set(sealed);
  target.set(tag, sealed.length);
  freeBytes(sealed);
}

/** The plaintext of ciphertext and tag, good until this thread opens the next; undefined when the tag does not fit. */
export function openSealed(key: Buffer, nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const end = sealed.length - tagBytes;
  const target = opened.take(end);
  const gcm = loadNative();
  if (gcm !== undefined) return gcm.open(key, nonce, associated, sealed, target) ? target : undefined;
  const plain = open(key, nonce, associated, sealed.subarray(0, end), sealed.subarray(end));
  if (plain === undefined) return undefined;
  target.set(plain);
  freeBytes(plain);
  return target;
}

function loadNative(): AesGcm | undefined {
  native ??= openAesGcm() ?? 'absent';
  return native === 'absent' ? undefined : native;
}
