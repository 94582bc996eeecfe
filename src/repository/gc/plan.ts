import { throwIfAborted } from '../../base/abort.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { GcAmount, GcOptions, GcPlan } from '../contract.ts';
import { ChunkMarks } from '../index/chunk-marks.ts';
import { maxIndexRecords } from '../index/format.ts';
import { badKey, forgottenKey, gcKey, packKey } from '../layout.ts';
import { listForgotten } from '../snapshots/forget.ts';
import { type MarkParts, markSnapshot } from './mark.ts';
import { findNeeded, type IndexObject } from './needed.ts';
import { fingerprint, type GcRecord } from './record.ts';
import { listPacks, type TrustParts } from './trust.ts';
import { keptGenerations } from './view.ts';

/** Index objects with fewer records are put together when there are many of them. */
const smallRecords = maxIndexRecords / 4;
const manySmall = 16;

/** A snapshot that was never finished may have lost packs to a garbage collection no sooner than so many generations after it was begun. */
const generationsToLose = 3;

/**
 * Finds out what may go. The order counts: verdicts are read first, then packs are listed, then snapshots. So a snapshot that comes too late to be seen here finds the
 * verdicts when it looks for them; and a pack that is stored too late to be listed is none of this run's business.
 * @throws {Fault} `repository.bad_grace` (invalid)
 */
export async function planGc(parts: TrustParts, { graceGenerations = 2, signal }: GcOptions): Promise<GcPlan> {
  if (!Number.isSafeInteger(graceGenerations) || graceGenerations < 1) {
    throw new Fault(
      'invalid',
      'repository.bad_grace',
      `${graceGenerations} is no number of generations to wait; 1 is the least.`,
    );
  }
  throwIfAborted(signal);
  const { store, index, view, bad, snapshots } = parts;
  await view.learnSettled(signal);
  const generation = view.generation + 1;
  const verdicts = new Verdicts(view.newestAgreed, new Set(view.deleting), generation, graceGenerations);
  const oldObjects = [...view.objects].filter(([, object]) => object.generation <= generation - keptGenerations);
  await bad.learn(signal);
  const sizes = new Map<string, number>();
  for await (const { packId, sizeBytes } of listPacks(store, signal)) sizes.set(packId, sizeBytes);
  const listed = await snapshots.list(signal);
  const forgotten = await listForgotten(parts, signal);
  await index.refresh(signal);

  const damages = [...index.damaged].map((key) => `${key}: does not open.`);
  const marks = new ChunkMarks(index.recordCount);
  const follow = (lookUp: boolean): Promise<Followed> =>
    followAll(parts, listed, { marks, walked: new Set(), lookUp, signal }, verdicts);
  let followed = await follow(false);
  const { deleting } = verdicts;
  const needed = await findNeeded({ store, index, bad, marks, present: sizes, deleting }, signal);
  for (const key of needed.damaged) if (!index.damaged.has(key)) damages.push(`${key}: does not open.`);
  // Something that is needed is named by no index: to find out whose it is costs a search for each chunk.
  if (!marks.areAllSeen) followed = await follow(true);
  const { live, stillborn } = followed;
  damages.push(...followed.damages);

  const fates = verdicts.pass([...sizes.keys()].filter((id) => !needed.packs.has(id)));
  const retired = forgotten.filter((id) => verdicts.isRetired(id));
  const record: GcRecord = {
    generation,
    suspects: fates.suspects,
    quarantined: fates.quarantined,
    // Handed on while the pack is there, needed or not: a run that sleeps may still be about to delete it.
    deleting: [...[...deleting].filter((id) => sizes.has(id)), ...fates.condemned],
    forgotten: new Map(forgotten.filter((id) => !retired.includes(id)).map((id) => [id, verdicts.forgottenSince(id)])),
    snapshots: live.map(fingerprint),
  };
  const lost = await findLost(parts, needed.objects, (id) => sizes.has(id) || needed.packs.has(id), signal);
  const drop = new Set([...fates.deletes, ...lost]);
  const rewrites = groupObjects(needed.objects, drop);
  const removeKeys = [
    ...oldObjects.map(([name]) => gcKey(name)),
    ...retired.map(forgottenKey),
    ...[...bad.ids].filter((id) => drop.has(id) || (!sizes.has(id) && !needed.packs.has(id))).map(badKey),
  ];
  const sum = (ids: Iterable<string>): GcAmount => amount(ids, sizes);
  return {
    generation,
    damages,
    deletes: sum(fates.deletes),
    deletesNext: sum(fates.condemned),
    quarantined: sum(fates.quarantined.keys()),
    suspects: sum(fates.suspects),
    keeps: sum([...sizes.keys()].filter((id) => needed.packs.has(id))),
    otherObjects: rewrites.reduce((count, { sources }) => count + sources.length, 0) + removeKeys.length,
    retired,
    stillborn,
    work: { record, deletePacks: fates.deletes, dropPacks: [...drop], rewrites, removeKeys },
  };
}

interface Followed {
  readonly live: readonly string[];
  readonly stillborn: readonly string[];
  readonly damages: readonly string[];
}

/** Marks what these snapshots stand on. */
async function followAll(
  parts: TrustParts,
  ids: readonly string[],
  marking: Pick<MarkParts, 'marks' | 'walked' | 'lookUp' | 'signal'>,
  verdicts: Verdicts,
): Promise<Followed> {
  const live: string[] = [];
  const stillborn: string[] = [];
  const damages: string[] = [];
  for (const id of ids) {
    const outcome = await markOne(parts, id, marking, verdicts);
    if (outcome === 'live') live.push(id);
    else if (outcome === 'stillborn') stillborn.push(id);
    else if (outcome !== 'absent') damages.push(outcome);
  }
  return { live, stillborn, damages };
}

/** What is wrong, when it is none of the three. */
async function markOne(
  parts: TrustParts,
  id: string,
  marking: Pick<MarkParts, 'marks' | 'walked' | 'lookUp' | 'signal'>,
  verdicts: Verdicts,
): Promise<string> {
  const { core, index, snapshots, bad } = parts;
  let begun: number | undefined;
  try {
    const record = await snapshots.get(id, marking.signal);
    begun = record.gcGeneration;
    await markSnapshot({ core, index, ...marking }, record);
    return 'live';
  } catch (error) {
    if (isFault(error, 'repository.snapshot_absent')) return 'absent'; // forgotten or withdrawn since it was listed
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    bad.note(error);
    return begun !== undefined && verdicts.isStillborn(id, begun)
      ? 'stillborn'
      : `Snapshot ${id} cannot be followed: ${error.message}`;
  }
}

interface Fates {
  readonly suspects: string[];
  readonly quarantined: Map<string, number>;
  readonly condemned: string[];
  readonly deletes: string[];
}

/** What the runs of the generation before agreed on, and what follows from it. */
class Verdicts {
  readonly deleting: ReadonlySet<string>;
  readonly #before: readonly {
    readonly record: GcRecord;
    readonly suspects: ReadonlySet<string>;
    readonly snapshots: ReadonlySet<string>;
  }[];
  readonly #generation: number;
  readonly #grace: number;

  constructor(before: readonly GcRecord[], deleting: ReadonlySet<string>, generation: number, grace: number) {
    this.#before = before.map((record) => ({ record, suspects: new Set(record.suspects), snapshots: new Set(record.snapshots) }));
    this.deleting = deleting;
    this.#generation = generation;
    this.#grace = grace;
  }

  /** One step down for each of these packs, which nothing needs. */
  pass(packs: Iterable<string>): Fates {
    const fates: Fates = { suspects: [], quarantined: new Map(), condemned: [], deletes: [] };
    for (const id of packs) {
      if (this.deleting.has(id)) fates.deletes.push(id);
      else if (!this.#wasUnneeded(id)) fates.suspects.push(id);
      else {
        const since = this.#since(({ quarantined }) => quarantined.get(id));
        if (this.#generation - since >= this.#grace) fates.condemned.push(id);
        else fates.quarantined.set(id, since);
      }
    }
    return fates;
  }

  #wasUnneeded(packId: string): boolean {
    const { length } = this.#before;
    return length > 0 && this.#before.every(({ record, suspects }) => suspects.has(packId) || record.quarantined.has(packId));
  }

  /** The latest generation that the runs before name; this one where any of them names none. */
  #since(find: (record: GcRecord) => number | undefined): number {
    return this.#before.reduce(
      (latest, { record }) => Math.max(latest, find(record) ?? this.#generation),
      this.#before.length > 0 ? 0 : this.#generation,
    );
  }

  forgottenSince(snapshotId: string): number {
    return this.#since(({ forgotten }) => forgotten.get(snapshotId));
  }

  /** Packs that only it needed became suspects when it was first seen, so they leave the quarantine now. */
  isRetired(snapshotId: string): boolean {
    return this.#generation - this.forgottenSince(snapshotId) > this.#grace;
  }

  /**
   * A snapshot that cannot be followed is damaged; unless no run has seen it before although it was begun long ago: then its writer slept, put it, and died before
   * it could take it back. Nobody was told of it.
   */
  isStillborn(snapshotId: string, begun: number): boolean {
    if (this.#before.length === 0 || this.#generation < begun + generationsToLose) return false;
    return this.#before.every(({ snapshots }) => !snapshots.has(fingerprint(snapshotId)));
  }
}

/** Packs that are named although they are neither there nor needed: lost ones that were replaced, or named by a writer that woke up too late. */
async function findLost(
  { store }: TrustParts,
  objects: readonly IndexObject[],
  isExplained: (packId: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const lost: string[] = [];
  for (const id of new Set(objects.flatMap(({ packs }) => packs))) {
    // It may have come after the packs were listed.
    if (!isExplained(id) && (await store.stat(packKey(id), { signal })) === undefined) lost.push(id);
  }
  return lost;
}

/** Index objects to replace: those that name what goes, and small ones where they are many. */
function groupObjects(objects: readonly IndexObject[], drop: ReadonlySet<string>): { readonly sources: readonly string[] }[] {
  const small = objects.filter(({ records }) => records < smallRecords);
  const chosen = new Set(objects.filter(({ packs }) => packs.length === 0 || packs.some((id) => drop.has(id))));
  if (small.length >= manySmall) for (const object of small) chosen.add(object);
  const groups: { readonly sources: string[]; records: number }[] = [];
  for (const { id, records } of [...chosen].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const group = groups.at(-1);
    if (group !== undefined && group.records + records <= maxIndexRecords) {
      group.sources.push(id);
      group.records += records;
    } else groups.push({ sources: [id], records });
  }
  return groups.map(({ sources }) => ({ sources }));
}

function amount(ids: Iterable<string>, sizes: ReadonlyMap<string, number>): GcAmount {
  let packs = 0;
  let bytes = 0;
  for (const id of ids) {
    packs++;
    bytes += sizes.get(id) ?? 0;
  }
  return { packs, bytes };
}
