import { Fault, toFault } from '../../base/faults.ts';

/** Keyed BLAKE3-256. One object a thread and key. */
export interface KeyedHash {
  readonly made: 'native' | 'wasm';
  digest(bytes: Uint8Array): Buffer;
}

/** Native where its binary loads (6 GB/s a thread), WebAssembly elsewhere (0.8 GB/s); both give the same bytes. */
export async function openKeyedHash(key: Buffer, wanted?: 'native' | 'wasm'): Promise<KeyedHash> {
  if (key.length !== 32) throw new Fault('internal', 'repository.bad_key_length', 'A hash key must have 32 bytes.');
  if (wanted !== 'wasm') {
    const native = await loadNative();
    if (!(native instanceof Fault)) return nativeHash(native, key);
    if (wanted === 'native') throw native;
  }
  const { createBLAKE3 } = await import('hash-wasm');
  const hasher = await createBLAKE3(256, key);
  return { made: 'wasm', digest: (bytes) => Buffer.from(hasher.init().update(bytes).digest('binary')) };
}

const digestBytes = 32;

type Native = typeof import('@napi-rs/blake-hash');

async function loadNative(): Promise<Native | Fault> {
  try {
    const loaded: { default?: Native } & Native = await import('@napi-rs/blake-hash');
    return loaded.default ?? loaded;
  } catch (error) {
    // No prebuilt binary for this platform: slower, not broken.
    return toFault(error);
  }
}

/**
 * One hasher for all digests, which come as text: one made for each, and each digest as bytes of its own, is memory that the collector does not see
 * (150 MiB for 60 000 of them), and nearly twice the time of a small one.
 */
function nativeHash(native: Native, key: Buffer): KeyedHash {
  const hasher = native.Blake3Hasher.newKeyed(key);
  return {
    made: 'native',
    digest(bytes) {
      hasher.reset();
      const digest = Buffer.allocUnsafeSlow(digestBytes);
      digest.write(hasher.update(asBuffer(bytes)).digest('hex'), 'hex');
      return digest;
    },
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
