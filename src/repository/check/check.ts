import { throwIfAborted } from '../../base/abort.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { CheckSummary, TransferOptions } from '../contract.ts';
import { eachLimited } from '../each-limited.ts';
import { listPacks } from '../gc/trust.ts';
import type { DecodedIndex, IndexRecord } from '../index/format.ts';
import { forgottenKey, packKey, snapshotKey } from '../layout.ts';
import { maxObjectBytes } from '../seal/crypto.ts';
import { listForgotten } from '../snapshots/forget.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { countProgress } from '../volume/read-back.ts';
import { Inspection } from './inspection.ts';
import { checkGc, checkKeys, checkMarks, type SlotParts } from './other-objects.ts';
import { provePack } from './pack-proof.ts';
import { walkSnapshot } from './walk.ts';

/**
 * Looks at everything in the repository: keys, marks, indexes, what snapshots stand on, whether packs are there; and reads packs back to their last
 * byte: so many percent of their bytes, chosen by chance, and all that look suspicious. Damaged packs are marked for the next write to store
 * again what lies in them; a marked one that is found whole is so no more.
 *
 * The order counts: snapshots first, so that what is listed after them has all they need, however many write meanwhile.
 */
export async function checkRepository(parts: SlotParts, percent: number, options: TransferOptions): Promise<CheckSummary> {
  throwIfAborted(options.signal);
  demandPercent(percent);
  const { index, snapshots, bad, store } = parts;
  const { signal } = options;
  const found = new Inspection(parts);
  const slots = await checkKeys(parts, found.damages);
  const ids = await snapshots.list(signal);
  const forgotten = await checkForgotten(parts, found, signal);
  await bad.learn(signal);
  const marks = await checkMarks(parts, found.damages, signal);
  await index.refresh(signal);
  const packs = await PackCheck.start(parts, found, percent, options);
  await found.readIndexes(signal, (object) => packs.proveIndexed(object));
  await packs.proveOthers();

  let newestGc = 0;
  const whole = new Set<string>();
  for (const id of ids) newestGc = Math.max(newestGc, await checkSnapshot(parts, found, whole, id, signal));
  const listAll = async (): Promise<string[]> => [
    ...(await listForgotten(parts, signal)),
    ...(await snapshots.list(signal)),
    ...ids,
  ];
  const gcObjects = await checkGc(parts, found.damages, newestGc, listAll, signal);
  for (const id of found.damages.hitSnapshots) {
    const isThere = (await store.stat(snapshotKey(id), { signal })) ?? (await store.stat(forgottenKey(id), { signal }));
    if (isThere === undefined) found.damages.forget(id);
  }
  await bad.clear(packs.whole, signal);
  return {
    objects: slots + marks + found.indexObjects + packs.count + ids.length + forgotten + gcObjects,
    blobs: found.chunks,
    readBytes: packs.readBytes,
    ...found.finish(),
  };
}

/** The newest garbage collection that the snapshot's writer knew of. What hangs on maps in `whole` was looked at and is well. */
async function checkSnapshot(
  parts: SlotParts,
  found: Inspection,
  whole: Set<string>,
  id: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  let record: SnapshotRecord | undefined;
  try {
    record = await parts.snapshots.get(id, signal);
    const isKnown = (map: Uint8Array): boolean => whole.has(nameOf(map));
    let isHit = false;
    for await (const map of walkSnapshot(parts.core, record, { signal, isKnown })) {
      isHit = (await found.lookAtMap(id, map)) || isHit;
      if (map.isList) continue;
      if (!isHit) whole.add(nameOf(map.id));
      isHit = false;
    }
  } catch (error) {
    if (isFault(error, 'repository.snapshot_absent')) return 0; // forgotten meanwhile
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    found.damages.add(snapshotKey(id), 'snapshot', error.message);
    found.damages.hit(snapshotKey(id), id, 'all');
  }
  return record?.gcGeneration ?? 0;
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}

/** Objects of forgotten snapshots alone: what they need may be on its way out. Returns how many there are. */
async function checkForgotten(parts: SlotParts, found: Inspection, signal: AbortSignal | undefined): Promise<number> {
  const ids = await listForgotten(parts, signal);
  for (const id of ids) {
    try {
      parts.snapshots.open(id, await parts.store.get(forgottenKey(id), { maxBytes: maxObjectBytes, signal }));
    } catch (error) {
      if (isFault(error, 'storage.missing')) continue; // undeleted meanwhile
      if (!isFault(error) || error.kind !== 'corrupt') throw error;
      found.damages.add(forgottenKey(id), 'forgotten', 'does not open: this snapshot cannot be had back');
      found.damages.hit(forgottenKey(id), id, 'all');
    }
  }
  return ids.length;
}

/** Packs: which are there, and those that are chosen read back. */
class PackCheck {
  /** Marked ones that are not damaged. */
  readonly whole: string[] = [];
  readBytes = 0;
  readonly #parts: SlotParts;
  readonly #found: Inspection;
  readonly #sizes: Map<string, number>;
  readonly #chosen: Set<string>;
  readonly #seen = new Set<string>();
  readonly #progress: (bytes: number) => void;
  readonly #signal: AbortSignal | undefined;

  static async start(parts: SlotParts, found: Inspection, percent: number, options: TransferOptions): Promise<PackCheck> {
    const sizes = new Map<string, number>();
    for await (const { packId, sizeBytes } of listPacks(parts.store, options.signal)) sizes.set(packId, sizeBytes);
    const chosen = choosePacks(sizes, percent, parts.bad.ids);
    return new PackCheck(parts, found, sizes, chosen, options);
  }

  private constructor(
    parts: SlotParts,
    found: Inspection,
    sizes: Map<string, number>,
    chosen: Set<string>,
    options: TransferOptions,
  ) {
    this.#parts = parts;
    this.#found = found;
    this.#sizes = sizes;
    this.#chosen = chosen;
    this.#signal = options.signal;
    const total = [...chosen].reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
    this.#progress = countProgress('verify', total, options);
  }

  get count(): number {
    return this.#sizes.size;
  }

  /** The packs that the index object names, if nobody named them before. */
  async proveIndexed(index: DecodedIndex): Promise<void> {
    const chunks = new Map<number, IndexRecord[]>();
    for (const [number, { id, sizeBytes }] of index.packs.entries()) {
      if (this.#seen.has(id)) continue;
      this.#seen.add(id);
      const size = this.#sizes.get(id) ?? (await this.#statLate(id));
      if (size === undefined) this.#found.breakPack(id, { what: 'is not there', blocks: 'all' });
      else if (size !== sizeBytes || this.#chosen.has(id)) chunks.set(number, []);
    }
    if (chunks.size === 0) return;
    for (const record of index.records()) chunks.get(record.pack)?.push(record);
    await eachLimited(chunks, this.#parts.core.threads + 1, async ([number, records]) => {
      const pack = index.packs[number];
      if (pack) await this.#prove(pack.id, { pack, chunks: records });
    });
  }

  /** Those that no index names: of a writer that is at work, or died. */
  async proveOthers(): Promise<void> {
    const others = [...this.#chosen].filter((id) => !this.#seen.has(id));
    await eachLimited(others, this.#parts.core.threads + 1, (id) => this.#prove(id, undefined));
  }

  /** It may have come after the packs were listed. */
  async #statLate(id: string): Promise<number | undefined> {
    const sizeBytes = (await this.#parts.store.stat(packKey(id), { signal: this.#signal }))?.sizeBytes;
    if (sizeBytes !== undefined) this.#sizes.set(id, sizeBytes);
    return sizeBytes;
  }

  async #prove(id: string, indexed: Parameters<typeof provePack>[2]): Promise<void> {
    const broken = await provePack(this.#parts, id, indexed, this.#signal);
    const size = this.#sizes.get(id) ?? 0;
    if (broken) {
      const wanted = indexed?.pack.sizeBytes ?? size;
      const what = wanted === size ? broken.what : `has ${size} bytes, not ${wanted}; ${broken.what}`;
      this.#found.breakPack(id, { ...broken, what });
    } else if (this.#parts.bad.ids.has(id)) this.whole.push(id);
    this.readBytes += size;
    this.#progress(size);
  }
}

/** Packs that together have so many percent of all bytes, chosen by chance, and the marked ones. */
function choosePacks(sizes: ReadonlyMap<string, number>, percent: number, marked: ReadonlySet<string>): Set<string> {
  const chosen = new Set([...marked].filter((id) => sizes.has(id)));
  const order = [...sizes].map(([id, size]) => ({ id, size, chance: Math.random() })).sort((a, b) => a.chance - b.chance);
  let left = (order.reduce((sum, { size }) => sum + size, 0) * percent) / 100;
  for (const { id, size } of order) {
    if (left <= 0) break;
    chosen.add(id);
    left -= size;
  }
  return chosen;
}

/** @throws {Fault} `repository.bad_percent` (invalid) */
export function demandPercent(percent: number): void {
  if (percent >= 0 && percent <= 100) return;
  throw new Fault('invalid', 'repository.bad_percent', `${percent} is no percentage.`);
}
