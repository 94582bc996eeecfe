import { throwIfAborted } from '../../base/abort.ts';
import { type Fault, isFault } from '../../base/faults.ts';
import type { CheckSummary, LostRange, TransferOptions } from '../contract.ts';
import { eachLimited } from '../each-limited.ts';
import { findPackId, packKey, snapshotKey } from '../layout.ts';
import { batchTransfer } from '../packs/chunk-source.ts';
import { packDamaged } from '../packs/open-batch.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { countProgress } from '../volume/read-back.ts';
import { demandPercent } from './check.ts';
import { type CheckParts, Inspection } from './inspection.ts';
import { proveBatch } from './tasks.ts';
import { rangeOf, type StandingChunk, walkSnapshot } from './walk.ts';

/** Chunks read together: bounds memory, and gives each pack a fair chance to be read once only. */
const chunksPerRound = 65_536;
const statsAtOnce = 8;

/**
 * Everything that one snapshot stands on: maps, indexes, whether packs are there; and so many percent of its chunks, chosen by chance, read back, opened
 * and compared with their ids. What lies in packs that are marked as damaged is read in any case.
 */
export async function verifySnapshot(
  parts: CheckParts,
  snapshotId: string,
  percent: number,
  options: TransferOptions,
): Promise<CheckSummary> {
  throwIfAborted(options.signal);
  demandPercent(percent);
  const { index, snapshots, bad } = parts;
  const { signal } = options;
  const found = new Inspection(parts);
  let readBytes = 0;
  try {
    const record = await snapshots.get(snapshotId, signal);
    await bad.learn(signal);
    await index.refresh(signal);
    await found.readIndexes(signal, async () => undefined);
    const reading = new Reading(parts, found, record, percent, options);
    for await (const map of walkSnapshot(parts.core, record, { signal, isKnown: () => false })) {
      await found.lookAtMap(snapshotId, map);
      await reading.add({ id: map.id, path: '', offset: 0, length: 0 }, map.part);
      for (const chunk of map.chunks) await reading.add(chunk, async () => rangeOf(chunk));
    }
    readBytes = await reading.finish();
    await lookForPacks(parts, found, record, signal);
  } catch (error) {
    if (!isFault(error) || error.kind !== 'corrupt') throw error;
    found.damages.add(snapshotKey(snapshotId), 'snapshot', error.message);
    found.damages.hit(snapshotKey(snapshotId), snapshotId, 'all');
  }
  return { objects: found.needed.size + 1, blobs: found.chunks, readBytes, ...found.finish() };
}

/** Packs that are gone; only then the snapshot is walked again, to find out what they cost. */
async function lookForPacks(
  { core, store }: CheckParts,
  found: Inspection,
  record: SnapshotRecord,
  signal: AbortSignal | undefined,
): Promise<void> {
  const absent: string[] = [];
  await eachLimited([...found.needed], statsAtOnce, async (id) => {
    if ((await store.stat(packKey(id), { signal })) === undefined) absent.push(id);
  });
  if (absent.length === 0) return;
  for (const id of absent) found.breakPack(id, { what: 'is not there', blocks: 'all' });
  const { chunks } = found;
  for await (const map of walkSnapshot(core, record, { signal, isKnown: () => false })) await found.lookAtMap(record.id, map);
  found.chunks = chunks;
}

/** Reads the chosen chunks, a round at a time. */
class Reading {
  readonly #parts: CheckParts;
  readonly #found: Inspection;
  readonly #record: SnapshotRecord;
  readonly #percent: number;
  readonly #signal: AbortSignal | undefined;
  readonly #progress: (bytes: number) => void;
  #round: { readonly id: Uint8Array; readonly part: () => Promise<LostRange> }[] = [];
  #readBytes = 0;
  #seenBytes = 0;

  constructor(parts: CheckParts, found: Inspection, record: SnapshotRecord, percent: number, options: TransferOptions) {
    this.#parts = parts;
    this.#found = found;
    this.#record = record;
    this.#percent = percent;
    this.#signal = options.signal;
    this.#progress = countProgress('verify', record.sizeBytes, options);
  }

  async add({ id }: StandingChunk, part: () => Promise<LostRange>): Promise<void> {
    const { index, bad } = this.#parts;
    const place = index.find(id);
    if (place === undefined) return; // looked at already
    const isChosen = this.#percent >= 100 || Math.random() * 100 < this.#percent || bad.ids.has(place.pack.id);
    if (!isChosen) return;
    this.#round.push({ id, part });
    if (this.#round.length >= chunksPerRound) await this.#read();
  }

  /** Bytes of plaintext that were found good. */
  async finish(): Promise<number> {
    await this.#read();
    this.#progress(this.#record.sizeBytes - this.#seenBytes);
    return this.#readBytes;
  }

  async #read(): Promise<void> {
    const { core } = this.#parts;
    const signal = this.#signal;
    const round = this.#round;
    this.#round = [];
    const hits: Promise<void>[] = [];
    const onDamage = (fault: Fault, wants: readonly number[]): void => void hits.push(this.#note(fault, wants, round));
    const batches = core.source.batches(Buffer.concat(round.map(({ id }) => id)), { signal, onDamage });
    await eachLimited(batches, core.threads + 1, async (batch) => {
      const { bytes, bad } = await core.run(proveBatch, { batch }, { signal, transfer: batchTransfer(batch) });
      for (const { packId, what, wants } of bad) {
        const fault = packDamaged(packId, what);
        core.noteDamage(fault);
        onDamage(fault, wants);
      }
      this.#readBytes += bytes;
      const { sizeBytes } = this.#record;
      this.#progress(Math.min(bytes, sizeBytes - this.#seenBytes));
      this.#seenBytes = Math.min(sizeBytes, this.#seenBytes + bytes);
    });
    await Promise.all(hits);
  }

  async #note(
    fault: Fault,
    wants: readonly number[],
    round: readonly { readonly part: () => Promise<LostRange> }[],
  ): Promise<void> {
    const { object, what } = fault.details;
    if (typeof object !== 'string' || findPackId(object) === undefined) return; // no index names it: looked at already
    this.#found.damages.add(object, 'pack', String(what));
    for (const want of wants) this.#found.damages.hit(object, this.#record.id, await round[want]?.part());
  }
}
