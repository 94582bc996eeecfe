import { createRequire } from 'node:module';
import { Fault } from '../../base/faults.ts';

/** AES-256-GCM from memory to memory. Keys have 32 bytes, nonces 12, tags 16. */
export interface AesGcm {
  /** Writes ciphertext and tag; the target has room for both. */
  seal(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array, target: Uint8Array): void;
  /** Ciphertext and tag back to plaintext; false when the tag does not fit: then nothing in the target may be used. */
  open(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array, target: Uint8Array): boolean;
}

/** As in openssl/evp.h. */
const getTag = 0x10;
const setTag = 0x11;
const tagBytes = 16;

/**
 * Node's own OpenSSL, called without node:crypto, which makes new memory for every output, to be copied where it belongs: a twentieth of the CPU of
 * packing a volume. Undefined where Node does not show its symbols or the C interface cannot be loaded.
 */
export function openAesGcm(): AesGcm | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    const declare = (prototype: string): ((...args: unknown[]) => unknown) => library.func(prototype);
    const newContext = declare('void *EVP_CIPHER_CTX_new()');
    const freeContext = declare('void EVP_CIPHER_CTX_free(void *)');
    const init = declare('int EVP_CipherInit_ex(void *, const void *, void *, const void *, const void *, int)');
    const update = declare('int EVP_CipherUpdate(void *, void *, void *, const void *, int)');
    const final = declare('int EVP_CipherFinal_ex(void *, void *, void *)');
    const control = declare('int EVP_CIPHER_CTX_ctrl(void *, int, int, void *)');
    const cipher = declare('const void *EVP_aes_256_gcm()')();
    const count = Buffer.allocUnsafeSlow(4);
    const nothing = Buffer.allocUnsafeSlow(tagBytes);

    /** A context a call: a thread that is ended leaves at most the one behind that it was using. */
    const run = (
      direction: 'seal' | 'open',
      [key, nonce, associated]: readonly [Uint8Array, Uint8Array, Uint8Array],
      input: Uint8Array,
      output: Uint8Array,
      tag: Uint8Array,
    ): boolean => {
      const context = newContext();
      try {
        const isSealing = direction === 'seal';
        return (
          init(context, cipher, null, key, nonce, isSealing ? 1 : 0) === 1 &&
          update(context, null, count, associated, associated.length) === 1 &&
          update(context, output, count, input, input.length) === 1 &&
          (isSealing || control(context, setTag, tagBytes, tag) === 1) &&
          final(context, nothing, count) === 1 &&
          (!isSealing || control(context, getTag, tagBytes, tag) === 1)
        );
      } finally {
        freeContext(context);
      }
    };
    return {
      seal(key, nonce, associated, plain, target) {
        checkSizes(key, nonce, plain.length + tagBytes, target);
        const tag = target.subarray(plain.length, plain.length + tagBytes);
        if (!run('seal', [key, nonce, associated], plain, target, tag))
          throw new Fault('internal', 'repository.cipher_failed', 'OpenSSL did not encrypt a block.');
      },
      open(key, nonce, associated, sealed, target) {
        const end = sealed.length - tagBytes;
        if (end < 0) return false;
        checkSizes(key, nonce, end, target);
        return run('open', [key, nonce, associated], sealed.subarray(0, end), target, sealed.subarray(end));
      },
    };
  } catch {
    return undefined;
  }
}

/** C asks nobody how long a buffer is. */
function checkSizes(key: Uint8Array, nonce: Uint8Array, needed: number, target: Uint8Array): void {
  if (key.length === 32 && nonce.length === 12 && target.length >= needed) return;
  throw new Fault('internal', 'repository.cipher_failed', 'A key, nonce or target of a block has the wrong size.');
}
