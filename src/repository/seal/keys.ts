import { randomBytes } from 'node:crypto';
import { Fault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { indexesPrefix, packsPrefix, slotKey, snapshotsPrefix } from '../layout.ts';
import { type RootKey, randomId } from './crypto.ts';
import { readSlots, type Slot, type SlotOptions, writeSlots } from './slots.ts';

export interface KeyRing {
  /** The key that new things are sealed with. */
  readonly writing: RootKey;
  readonly all: ReadonlyMap<string, RootKey>;
}

export interface KeyRingOptions extends SlotOptions {
  readonly create: boolean;
  readonly log: Log;
}

/**
 * Reads every root key that the provider's key opens; makes one when there is none and `create` says so. Two makers at
 * once leave two root keys, which is harmless: everything names its key, and writers agree on the smallest.
 * @throws {Fault} `repository.absent` (not-found), `repository.wrong_key` (invalid), `repository.key_damaged`, `repository.keys_lost` (corrupt),
 * `repository.destroyed` (conflict)
 */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { store, projectId, create } = options;
  demandKeyLength(options.providerKey);
  let slots = await readLiveSlots(options);
  if (slots.length === 0) {
    if (!create) {
      throw new Fault(
        'not-found',
        'repository.absent',
        `There is no repository of project ${projectId} in ${store.description}.`,
        {
          help: 'Check the bank setting of the provider and the project id; the first protect makes the repository.',
        },
      );
    }
    await writeSlots(options, { id: randomId(), secret: randomBytes(32) }, 0);
    slots = await readLiveSlots(options);
  }
  const ring = ringOf(slots, options);
  // Its maker died between the two, or one was lost: whoever may make keys makes the other one.
  if (create && slots.length === 1) await writeSlots(options, ring.writing, 1);
  return ring;
}

/** @throws {Fault} `repository.wrong_key` (invalid) */
export function demandKeyLength(providerKey: Uint8Array): void {
  if (providerKey.length === 32) return;
  throw new Fault('invalid', 'repository.wrong_key', `The provider key has ${providerKey.length} bytes; it must have 32.`, {
    help: keyHelp,
  });
}

/**
 * Every slot; none when there is no repository.
 * @throws {Fault} `repository.destroyed` (conflict), `repository.keys_lost` (corrupt)
 */
export async function readLiveSlots(options: SlotOptions): Promise<readonly Slot[]> {
  const { store, projectId } = options;
  const found = await readSlots(options);
  if (found.isDestroyed) {
    throw new Fault(
      'conflict',
      'repository.destroyed',
      `The keys of project ${projectId} in ${store.description} were destroyed: nothing that lies there can be read any more.`,
      {
        help: 'To begin anew, delete what is left of the repository from the bank first, or use another bank.',
      },
    );
  }
  if (found.slots.length > 0 || !(await isUsed(store))) return found.slots;
  // Whoever has made it meanwhile wrote its keys before anything else.
  const { slots } = await readSlots(options);
  if (slots.length > 0) return slots;
  throw new Fault(
    'corrupt',
    'repository.keys_lost',
    `The repository of project ${projectId} in ${store.description} has no keys any more, but data: nothing in it can be read.`,
    {
      help: 'Put the objects under "keys/" back from a copy of the bank. To give the data up and begin anew, delete what is left of the repository.',
    },
  );
}

/** Whether anything was ever sealed here: then a new root key would hide that the old one is lost. */
async function isUsed(store: ObjectStore): Promise<boolean> {
  for (const prefix of [snapshotsPrefix, indexesPrefix, packsPrefix]) for await (const _ of store.list(prefix)) return true;
  return false;
}

/**
 * The root keys of these slots, of which there is at least one.
 * @throws {Fault} `repository.wrong_key` (invalid), also when it opens some of the root keys and not others; `repository.key_damaged` (corrupt)
 */
function ringOf(slots: readonly Slot[], { store, projectId, log }: Omit<KeyRingOptions, 'create'>): KeyRing {
  const all = new Map<string, RootKey>();
  for (const slot of slots) if (slot.state === 'open') all.set(slot.keyId, slot.root);
  const damaged = slots.filter(({ state }) => state === 'damaged').map(({ keyId, slotId }) => slotKey(keyId, slotId));
  for (const key of damaged)
    log.warn('A key slot of the repository is damaged; "karri check --repair" replaces it while another one is whole.', { key });
  const writing = [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1))[0];
  const closed = slots.find(({ keyId, state }) => state === 'closed' && !all.has(keyId));
  if (writing !== undefined && closed === undefined) return { writing, all };
  if (writing !== undefined) {
    throw new Fault(
      'invalid',
      'repository.wrong_key',
      `The provider key opens only a part of the keys of project ${projectId} in ${store.description}: it is about to be replaced by another.`,
      {
        help: 'Use the new key, or run "karri key rotate" again to finish what was begun.',
      },
    );
  }
  if (closed === undefined) {
    throw new Fault(
      'corrupt',
      'repository.key_damaged',
      `Every key of the repository is damaged: ${damaged.join(', ')} in ${store.description}.`,
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

const keyHelp =
  'Check the "key" setting of the provider: it must be the key the repository was made with, or that it was rotated to.';
