import { Fault, isFault, toFault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { destroyedKey, findSlot, keysPrefix } from '../layout.ts';
import { openKeyRing } from './keys.ts';

export interface DestroyOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  /** Proves that it is the right repository. */
  readonly providerKey: Uint8Array;
  readonly log: Log;
}

/**
 * Destroys every root key of the repository: what lies in it can never be read again, by anybody, whatever is left of it. A mark goes first: from then on
 * nobody opens the repository or makes a new key there. Returns how many slots were deleted; run it again when it was cut short.
 * @throws {Fault} as `openKeyRing`; `repository.not_destroyed` (conflict) when the bank keeps a slot
 */
export async function destroyKeys({ store, projectId, providerKey, log }: DestroyOptions): Promise<number> {
  if ((await store.stat(destroyedKey)) === undefined) {
    await openKeyRing({ store, projectId, providerKey, create: false, log });
    const text = Buffer.from(`${JSON.stringify({ format: 1, destroyed: 'all keys of this repository' })}\n`);
    await store.put(destroyedKey, text, { ifAbsent: true }).catch((error: unknown) => {
      if (!isFault(error, 'storage.exists')) throw error;
    });
  }
  const slots = await listSlots(store);
  let refusal: Fault | undefined;
  for (const key of slots) {
    await store.delete([key]).catch((error: unknown) => {
      refusal ??= toFault(error);
    });
  }
  const left = await listSlots(store);
  if (left.length === 0) return slots.length;
  throw new Fault(
    'conflict',
    'repository.not_destroyed',
    `${left.length} key slots of project ${projectId} are still in ${store.description}: whoever has the provider key can read the data.`,
    {
      details: { slots: left.join(', ') },
      help: 'A bank that keeps objects for a time lets them go later: run it again then. Until then destroy the provider key itself if nothing else depends on it.',
      ...(refusal && { cause: refusal }),
    },
  );
}

async function listSlots(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(keysPrefix)) if (findSlot(key)) keys.push(key);
  return keys;
}
