import { isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { decodeGcRecord, fingerprint, type GcRecord } from '../gc/record.ts';
import { keptGenerations } from '../gc/view.ts';
import { badKey, badPrefix, findGcName, findId, forgottenKey, gcKey, gcPrefix, slotKey, snapshotsPrefix } from '../layout.ts';
import { maxObjectBytes, type ObjectKind, openObject } from '../seal/crypto.ts';
import { readSlots } from '../seal/slots.ts';
import type { DamageList } from './damages.ts';
import type { CheckParts } from './inspection.ts';

export interface SlotParts extends CheckParts {
  readonly providerKey: Uint8Array;
}

/** Every key slot; returns how many there are. */
export async function checkKeys(parts: SlotParts, damages: DamageList): Promise<number> {
  const { slots } = await readSlots(parts);
  for (const keyId of new Set(slots.map((slot) => slot.keyId))) {
    const own = slots.filter((slot) => slot.keyId === keyId);
    for (const { slotId, state } of own) {
      if (state === 'damaged') damages.add(slotKey(keyId, slotId), 'key', 'no whole key slot');
      if (state === 'closed')
        damages.add(
          slotKey(keyId, slotId),
          'key',
          'the provider key does not open it: it was sealed with another one, or belongs elsewhere',
        );
    }
    if (own.length === 1 && own[0]?.state === 'open') damages.add(slotKey(keyId, '*'), 'key', 'one of the two key slots is gone');
  }
  return slots.length;
}

/** Marks of bad packs; what is in them is for people, but one that does not open was damaged all the same. Returns how many there are. */
export async function checkMarks(parts: CheckParts, damages: DamageList, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  for await (const { key } of parts.store.list(badPrefix, { signal })) {
    const id = findId(key);
    if (id === undefined || key !== badKey(id)) continue;
    count++;
    const opened = await readObject(parts, key, 'bad', id, signal);
    if (opened === 'damaged') damages.add(key, 'bad', 'does not open; the pack counts as damaged all the same');
  }
  return count;
}

/**
 * What garbage collections have written, and what it tells of objects that are gone: generations follow each other without a gap, the newest one
 * is known to snapshots, and names the snapshots that were there. Returns how many objects there are. Call it last.
 */
export async function checkGc(
  parts: CheckParts,
  damages: DamageList,
  newestKnown: number,
  listSnapshots: () => Promise<readonly string[]>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let count = 0;
  const records = new Map<number, (GcRecord | undefined)[]>();
  for await (const { key } of parts.store.list(gcPrefix, { signal })) {
    const found = findGcName(key);
    if (found === undefined) continue;
    const { name, generation } = found;
    const plain = await readObject(parts, key, 'gc', name, signal);
    if (plain === 'missing') continue;
    count++;
    const record = plain === 'damaged' ? undefined : decodeGcRecord(plain, generation);
    if (record === undefined) damages.add(key, 'gc', 'does not open');
    records.set(generation, [...(records.get(generation) ?? []), record]);
  }
  const newest = Math.max(newestKnown, 0, ...records.keys());
  for (let generation = Math.max(1, newest - keptGenerations + 1); generation <= newest; generation++) {
    const key = gcKey(`${generation.toString(16).padStart(8, '0')}-*`);
    if (!records.has(generation)) damages.add(key, 'gc', 'what this garbage collection wrote is gone');
  }
  const there = new Set(await listSnapshots());
  const prints = new Set([...there].map(fingerprint));
  for (const record of records.get(newest) ?? []) {
    for (const id of record?.forgotten.keys() ?? [])
      if (!there.has(id)) damages.add(forgottenKey(id), 'forgotten', 'is not there: this snapshot cannot be had back');
    for (const print of record?.snapshots ?? []) {
      const object = `${snapshotsPrefix}*/*${print}`;
      if (!prints.has(print))
        damages.add(object, 'snapshot', 'is not there: the last garbage collection saw it, and it was not forgotten since');
    }
  }
  return count;
}

async function readObject(
  { store, keys, projectId }: { readonly store: ObjectStore } & Pick<CheckParts, 'keys' | 'projectId'>,
  key: string,
  kind: ObjectKind,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Buffer | 'missing' | 'damaged'> {
  try {
    const bytes = await store.get(key, { maxBytes: maxObjectBytes, signal });
    return openObject(keys.all, projectId, kind, name, bytes)?.plain ?? 'damaged';
  } catch (error) {
    if (isFault(error, 'storage.missing')) return 'missing';
    if (isFault(error) && error.kind === 'corrupt') return 'damaged';
    throw error;
  }
}
