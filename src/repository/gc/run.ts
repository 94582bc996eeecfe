import { createHash, randomBytes } from 'node:crypto';
import { throwIfAborted } from '../../base/abort.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { GcPlan, GcSummary, TransferOptions } from '../contract.ts';
import { encodeIndex, type IndexRecord, type PackEntry } from '../index/format.ts';
import { gcKey, indexKey, packKey } from '../layout.ts';
import { sealObject } from '../seal/crypto.ts';
import type { KeyRing } from '../seal/keys.ts';
import { forget } from '../snapshots/forget.ts';
import { encodeGcRecord } from './record.ts';
import type { TrustParts } from './trust.ts';

export interface GcRunParts extends TrustParts {
  readonly projectId: string;
  readonly keys: KeyRing;
}

const keysAtOnce = 1000;

/**
 * Carries a plan out: record, new index objects, old index objects, packs, the rest. What is cut short is finished by a later plan. A plan may be as old as it
 * likes: what it deletes was final before it was made.
 * @throws {Fault} `repository.gc_refused` (corrupt) when the plan names damage
 */
export async function runGc(parts: GcRunParts, plan: GcPlan, { signal }: TransferOptions): Promise<GcSummary> {
  throwIfAborted(signal);
  const [damage] = plan.damages;
  if (damage !== undefined) {
    throw new Fault('corrupt', 'repository.gc_refused', `Nothing is collected while it is unclear what is needed. ${damage}`, {
      details: { damages: plan.damages.length },
      help: 'Put damaged objects back from a copy of the bank, or forget the snapshots that are hit.',
    });
  }
  const { store, keys, projectId, index } = parts;
  const { record, deletePacks, dropPacks, rewrites, removeKeys } = plan.work;
  const name = `${record.generation.toString(16).padStart(8, '0')}-${randomBytes(4).toString('hex')}`;
  await store.put(gcKey(name), sealObject(keys.writing, projectId, 'gc', name, encodeGcRecord(record)), {
    ifAbsent: true,
    signal,
  });
  for (const id of plan.stillborn) await forget(parts, id);
  const drop = new Set(dropPacks);
  let isDone = true;
  for (const { sources } of rewrites) isDone = (await rewrite(parts, sources, drop, signal)) && isDone;
  if (isDone) {
    await removeAll(parts, deletePacks.map(packKey), signal);
    await removeAll(parts, removeKeys, signal);
  }
  await index.refresh(signal);
  const { packs, bytes } = isDone ? plan.deletes : { packs: 0, bytes: 0 };
  return { generation: record.generation, deletedPacks: packs, deletedBytes: bytes, isDone };
}

/**
 * One index object in place of several, without the packs that go. Its name is made from what it replaces and what it holds: the same
 * work done twice gives one object, and an object never comes to stand for one that stood for it. False when another run was faster.
 */
async function rewrite(
  { store, index, keys, projectId }: GcRunParts,
  sources: readonly string[],
  drop: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const packs: PackEntry[] = [];
  const records: IndexRecord[] = [];
  const taken = new Set<string>();
  for (const source of sources) {
    const decoded = await index.readObject(source, signal);
    if (decoded === 'missing' || decoded === 'damaged') return false;
    const places = decoded.packs.map((pack) => (drop.has(pack.id) || taken.has(pack.id) ? -1 : packs.push(pack) - 1));
    for (const pack of decoded.packs) taken.add(pack.id);
    for (const found of decoded.records()) {
      const pack = places[found.pack] ?? -1;
      if (pack >= 0) records.push({ ...found, pack });
    }
  }
  if (packs.length > 0) {
    const lineage = `karri index ${sources.join(' ')} ${packs.map(({ id }) => id).join(' ')}`;
    const id = createHash('sha256').update(lineage).digest('hex').slice(0, 32);
    const sealed = sealObject(keys.writing, projectId, 'index', id, encodeIndex(packs, records));
    await store.put(indexKey(id), sealed, { ifAbsent: true, signal }).catch((error: unknown) => {
      if (!isFault(error, 'storage.exists')) throw error;
    });
  }
  await store.delete(sources.map(indexKey), { signal });
  return true;
}

async function removeAll({ store }: GcRunParts, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  for (let at = 0; at < keys.length; at += keysAtOnce) await store.delete(keys.slice(at, at + keysAtOnce), { signal });
}
