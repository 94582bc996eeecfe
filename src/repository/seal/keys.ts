import { createHash, randomBytes } from 'node:crypto';
import { Fault, isFault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { findSlot, keysPrefix, slotKey } from '../layout.ts';
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

export interface KeyRing {
  /** The key that new things are sealed with. */
  readonly writing: RootKey;
  readonly all: ReadonlyMap<string, RootKey>;
}

export interface KeyRingOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly providerKey: Uint8Array;
  readonly create: boolean;
  readonly log: Log;
}

/**
 * Reads every root key that the provider's key opens; makes one when there is none and `create` says so. Two makers at
 * once leave two root keys, which is harmless: everything names its key, and writers agree on the smallest.
 * @throws {Fault} `repository.absent` (not-found), `repository.wrong_key` (invalid), `repository.key_damaged` (corrupt)
 */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { store, projectId, providerKey } = options;
  if (providerKey.length !== 32) {
    throw new Fault('invalid', 'repository.wrong_key', `The provider key has ${providerKey.length} bytes; it must have 32.`, {
      help: keyHelp,
    });
  }
  let found = await readSlots(options);
  if (found.slots === 0) {
    if (!options.create) {
      throw new Fault(
        'not-found',
        'repository.absent',
        `There is no repository of project ${projectId} in ${store.description}.`,
        {
          help: 'Check the bank setting of the provider and the project id; the first protect makes the repository.',
        },
      );
    }
    await createRootKey(options);
    found = await readSlots(options);
  }
  const writing = [...found.keys.values()].sort((a, b) => (a.id < b.id ? -1 : 1))[0];
  if (writing !== undefined) return { writing, all: found.keys };
  if (found.damaged.length > 0) {
    throw new Fault(
      'corrupt',
      'repository.key_damaged',
      `Every key of the repository is damaged: ${found.damaged.join(', ')} in ${store.description}.`,
      {
        help: 'Put these objects back from a copy of the bank; without one of them nothing in the repository can be read.',
      },
    );
  }
  throw new Fault(
    'invalid',
    'repository.wrong_key',
    `The provider key does not open the repository of project ${projectId} in ${store.description}.`,
    {
      help: keyHelp,
    },
  );
}

const keyHelp = 'Check the "key" setting of the provider: it must be the key the repository was made with.';

/** Reads every key slot again; `damaged` are the keys of objects that are no whole slot. */
export async function readSlots(
  options: Omit<KeyRingOptions, 'create'>,
): Promise<{ slots: number; keys: Map<string, RootKey>; damaged: string[] }> {
  const keys = new Map<string, RootKey>();
  const damaged: string[] = [];
  let slots = 0;
  for await (const { key } of options.store.list(keysPrefix)) {
    const slot = findSlot(key);
    if (slot === undefined) continue;
    slots++;
    const secret = openSlot(await readSlot(options.store, key), slot.keyId, slot.slotId, options);
    if (secret === 'damaged') {
      damaged.push(key);
      options.log.warn('A key slot of the repository is damaged; put it back from a copy before the other ones are lost too.', {
        key,
      });
    } else if (secret !== undefined) keys.set(slot.keyId, { id: slot.keyId, secret });
  }
  return { slots, keys, damaged };
}

async function readSlot(store: ObjectStore, key: string): Promise<Buffer> {
  try {
    return await store.get(key, { maxBytes: 4096 });
  } catch (error) {
    if (isFault(error) && error.kind === 'corrupt') return Buffer.alloc(0); // no slot has that size
    throw error;
  }
}

/** The root key; undefined when another provider key sealed it, or it belongs elsewhere. */
function openSlot(
  bytes: Buffer,
  keyId: string,
  slotId: string,
  options: Omit<KeyRingOptions, 'create'>,
): Buffer | 'damaged' | undefined {
  if (bytes.length !== slotBytes) return 'damaged';
  const body = bytes.subarray(0, slotBytes - 32);
  if (
    !createHash('sha256')
      .update(body)
      .digest()
      .equals(bytes.subarray(slotBytes - 32))
  )
    return 'damaged';
  const head = body.subarray(0, headBytes);
  if (!head.equals(slotHead())) return 'damaged';
  const sealed = body.subarray(headBytes + 12);
  const tag = sealed.subarray(sealed.length - tagBytes);
  const associated = joinParts(head, options.projectId, keyId, slotId);
  return open(
    Buffer.from(options.providerKey),
    body.subarray(headBytes, headBytes + 12),
    associated,
    sealed.subarray(0, 32),
    tag,
  );
}

/** Two slots, so that no single lost object is the loss of everything. */
async function createRootKey(options: KeyRingOptions): Promise<void> {
  const secret = randomBytes(32);
  const keyId = randomId();
  for (const slotId of [randomId(), randomId()]) {
    const head = slotHead();
    const nonce = randomBytes(12);
    const { sealed, tag } = seal(
      Buffer.from(options.providerKey),
      nonce,
      joinParts(head, options.projectId, keyId, slotId),
      secret,
    );
    const body = Buffer.concat([head, nonce, sealed, tag]);
    await options.store.put(slotKey(keyId, slotId), Buffer.concat([body, createHash('sha256').update(body).digest()]));
  }
}

function slotHead(): Buffer {
  const head = Buffer.alloc(headBytes);
  magic.copy(head);
  head.writeUInt8(1, 8);
  head.write(chunkIdAlgorithm, 9, 'ascii');
  return head;
}
