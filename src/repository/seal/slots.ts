import { createHash, randomBytes } from 'node:crypto';
import { isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { destroyedKey, findSlot, keysPrefix, slotKey } from '../layout.ts';
import { joinParts, open, type RootKey, randomId, seal, tagBytes } from './crypto.ts';

/**
 * A key slot, 117 bytes; FORMAT.md, "Key slots":
 *
 *     0   8  "KARRIKEY"      25  12  nonce
 *     8   1  version 1       37  48  root key, sealed by the provider's key, with tag
 *     9  16  "blake3"        85  32  SHA-256 of all before: tells a damaged slot from a wrong key
 */
const magic = Buffer.from('KARRIKEY');
const headBytes = 25;
const slotBytes = 117;
const chunkIdAlgorithm = 'blake3';
/** So that no single lost object is the loss of everything. */
const slotsPerKey = 2;

export interface SlotOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly providerKey: Uint8Array;
}

/** `closed`: whole, but another provider key sealed it, or it belongs elsewhere. */
export type Slot = { readonly keyId: string; readonly slotId: string } & (
  | { readonly state: 'open'; readonly root: RootKey }
  | { readonly state: 'damaged' | 'closed' }
);

export interface FoundSlots {
  readonly slots: readonly Slot[];
  /** The mark of `destroyKeys` is there. */
  readonly isDestroyed: boolean;
}

/** Reads every key slot again. */
export async function readSlots(options: SlotOptions): Promise<FoundSlots> {
  const names: { readonly key: string; readonly keyId: string; readonly slotId: string }[] = [];
  let isDestroyed = false;
  for await (const { key } of options.store.list(keysPrefix)) {
    if (key === destroyedKey) isDestroyed = true;
    const name = findSlot(key);
    if (name) names.push({ key, ...name });
  }
  const slots = await Promise.all(
    names.map(async ({ key, keyId, slotId }): Promise<Slot[]> => {
      const bytes = await readSlot(options.store, key);
      return bytes ? [{ keyId, slotId, ...openSlot(bytes, keyId, slotId, options) }] : [];
    }),
  );
  return { slots: slots.flat(), isDestroyed };
}

/** Undefined when the slot is gone. */
async function readSlot(store: ObjectStore, key: string): Promise<Buffer | undefined> {
  try {
    return await store.get(key, { maxBytes: 4096 });
  } catch (error) {
    if (isFault(error, 'storage.missing')) return undefined;
    if (isFault(error) && error.kind === 'corrupt') return Buffer.alloc(0); // no slot has that size
    throw error;
  }
}

function openSlot(
  bytes: Buffer,
  keyId: string,
  slotId: string,
  { projectId, providerKey }: SlotOptions,
): { readonly state: 'open'; readonly root: RootKey } | { readonly state: 'damaged' | 'closed' } {
  if (bytes.length !== slotBytes) return { state: 'damaged' };
  const body = bytes.subarray(0, slotBytes - 32);
  if (!sha256(body).equals(bytes.subarray(slotBytes - 32))) return { state: 'damaged' };
  const head = body.subarray(0, headBytes);
  if (!head.equals(slotHead())) return { state: 'damaged' };
  const sealed = body.subarray(headBytes + 12);
  const secret = open(
    Buffer.from(providerKey),
    body.subarray(headBytes, headBytes + 12),
    joinParts(head, projectId, keyId, slotId),
    sealed.subarray(0, 32),
    sealed.subarray(sealed.length - tagBytes),
  );
  return secret ? { state: 'open', root: { id: keyId, secret } } : { state: 'closed' };
}

/** Writes as many slots of the root key as it takes to have two, `there` being those there are. */
export async function writeSlots(options: SlotOptions, root: RootKey, there: number): Promise<number> {
  const { store, projectId, providerKey } = options;
  for (let count = there; count < slotsPerKey; count++) {
    const slotId = randomId();
    const head = slotHead();
    const nonce = randomBytes(12);
    const associated = joinParts(head, projectId, root.id, slotId);
    const { sealed, tag } = seal(Buffer.from(providerKey), nonce, associated, root.secret);
    const body = Buffer.concat([head, nonce, sealed, tag]);
    await store.put(slotKey(root.id, slotId), Buffer.concat([body, sha256(body)]));
  }
  return Math.max(0, slotsPerKey - there);
}

function slotHead(): Buffer {
  const head = Buffer.alloc(headBytes);
  magic.copy(head);
  head.writeUInt8(1, 8);
  head.write(chunkIdAlgorithm, 9, 'ascii');
  return head;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
