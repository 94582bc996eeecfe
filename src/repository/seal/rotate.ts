import { Fault, toFault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { slotKey } from '../layout.ts';
import type { RootKey } from './crypto.ts';
import { demandKeyLength, openKeyRing, readLiveSlots } from './keys.ts';
import { readSlots, type Slot, type SlotOptions, writeSlots } from './slots.ts';

export interface RewrapOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly oldKey: Uint8Array;
  readonly newKey: Uint8Array;
  readonly log: Log;
}

export interface RewrapSummary {
  readonly rootKeys: number;
  readonly writtenSlots: number;
  readonly deletedSlots: number;
  /** Slots that the bank did not let go, one line each: the old key opens them still. */
  readonly keptSlots: readonly string[];
}

/**
 * Wraps every root key with the new provider key in place of the old one; no data is touched. New slots are written and read back before the first
 * old one goes, so at any moment one of the two keys opens everything, and a run that was cut short is finished by another.
 * @throws {Fault} as `openKeyRing`; `repository.slot_unwritten` (unavailable)
 */
export async function rewrapKeys({ oldKey, newKey, ...options }: RewrapOptions): Promise<RewrapSummary> {
  const before = { ...options, providerKey: oldKey };
  const after = { ...options, providerKey: newKey };
  demandKeyLength(oldKey);
  demandKeyLength(newKey);
  if (Buffer.compare(oldKey, newKey) === 0) {
    throw new Fault('invalid', 'repository.same_key', 'The new provider key is the one that is in use.', {
      help: 'Make another one.',
    });
  }
  await demandOpenable(before, after);
  let writtenSlots = 0;
  // Somebody with the old key may make a root key meanwhile, in a new repository: so until nothing is left to do.
  for (;;) {
    const written = await wrapAll(before, after);
    writtenSlots += written;
    if (written === 0) break;
  }
  const old = (await readSlots(before)).slots.filter(({ state }) => state === 'open');
  const keptSlots: string[] = [];
  for (const slot of old) {
    const key = slotKey(slot.keyId, slot.slotId);
    // One by one: what is refused is told by name.
    await options.store.delete([key]).catch((error: unknown) => void keptSlots.push(`${key}: ${toFault(error).message}`));
  }
  for (const slot of (await readSlots(before)).slots) {
    const key = slotKey(slot.keyId, slot.slotId);
    if (slot.state === 'open' && !keptSlots.some((line) => line.startsWith(key))) keptSlots.push(`${key}: it is still there`);
  }
  const rootKeys = openRoots((await readSlots(after)).slots).size;
  return { rootKeys, writtenSlots, deletedSlots: old.length - keptSlots.length, keptSlots };
}

type RingOptions = SlotOptions & { readonly log: Log };

/** Every root key has to be opened by one of the two: then a run that was cut short goes on, and a wrong key is told before anything is written. */
async function demandOpenable(before: RingOptions, after: RingOptions): Promise<void> {
  const slots = await readLiveSlots(before);
  const openable = openRoots([...slots, ...(await readLiveSlots(after))]);
  if (slots.every(({ keyId, state }) => state === 'damaged' || openable.has(keyId)) && openable.size > 0) return;
  await openKeyRing({ ...before, create: false }); // says what is wrong
}

/** Makes sure that every root key has two slots that the new key opens, and reads them back. */
async function wrapAll(before: RingOptions, after: RingOptions): Promise<number> {
  const found = (await readSlots(after)).slots;
  const wrapped = openRoots(found);
  const roots = new Map([...openRoots((await readSlots(before)).slots), ...wrapped]);
  let written = 0;
  for (const root of roots.values()) {
    const there = found.filter(({ keyId, state }) => keyId === root.id && state === 'open').length;
    written += await writeSlots(after, root, there);
  }
  if (written === 0) return 0;
  const back = (await readSlots(after)).slots;
  for (const root of roots.values()) {
    const whole = back.filter((slot) => slot.state === 'open' && slot.keyId === root.id && slot.root.secret.equals(root.secret));
    if (whole.length >= 2) continue;
    throw new Fault(
      'unavailable',
      'repository.slot_unwritten',
      `A new key slot of ${after.store.description} was written and cannot be read back.`,
      {
        help: 'Nothing was taken away: the old key still opens everything. Look at the bank, then run it again.',
      },
    );
  }
  return written;
}

function openRoots(slots: readonly Slot[]): Map<string, RootKey> {
  return new Map(slots.flatMap((slot) => (slot.state === 'open' ? [[slot.keyId, slot.root]] : [])));
}
