import { type Fault, isFault } from '../../base/faults.ts';
import type { DamagedRange } from '../contract.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { readLeaves } from './leaves.ts';
import { decodeRoot, digestInput, digestText, emptySlots, encodeLeaf, type LeafSlots, leafSpanBytes, slotBytes } from './map.ts';
import { identify } from './tasks.ts';

/** What a restore of a volume has to do without. It counts as zeros, so the digest of what can be had is known and compared as any other. */
export class VolumeLoss {
  readonly ranges: DamagedRange[] = [];
  readonly #core: RepositoryCore;
  readonly #record: SnapshotRecord;
  readonly #leaves: (Uint8Array | undefined)[];
  readonly #hit = new Set<number>();

  constructor(core: RepositoryCore, record: SnapshotRecord) {
    this.#core = core;
    this.#record = record;
    this.#leaves = [...decodeRoot(record).leaves];
  }

  /** As `readLeaves`; a leaf that cannot be read is lost as a whole. */
  async readLeaves(
    first: number,
    leaves: readonly (Buffer | undefined)[],
    signal: AbortSignal | undefined,
  ): Promise<LeafSlots[]> {
    const read = (from: number, some: readonly (Buffer | undefined)[]): Promise<LeafSlots[]> =>
      readLeaves(this.#core, this.#record, from, some, signal);
    const all = await orFault(read(first, leaves));
    if (Array.isArray(all)) return all;
    const slots: LeafSlots[] = [];
    for (const [at, leaf] of leaves.entries()) {
      const one = await orFault(read(first + at, [leaf]));
      if (Array.isArray(one)) slots.push(...one);
      else {
        const offset = (first + at) * leafSpanBytes;
        this.#add(offset, Math.min(leafSpanBytes, this.#record.sizeBytes - offset), one);
        this.#leaves[first + at] = undefined;
        slots.push(emptySlots());
      }
    }
    return slots;
  }

  /** The slot at this place of the volume is lost, and zero in its leaf from now on. */
  addSlot(offset: number, fault: Fault, leaf: LeafSlots | undefined): void {
    const slot = (offset % leafSpanBytes) / slotBytes;
    leaf?.fill(0, slot * 32, slot * 32 + 32);
    this.#hit.add(Math.floor(offset / leafSpanBytes));
    this.#add(offset, Math.min(slotBytes, this.#record.sizeBytes - offset), fault);
  }

  #add(offset: number, length: number, fault: Fault): void {
    this.ranges.push({ path: '', offset, length, reason: fault.message });
  }

  /** Names the leaves anew that have lost slots. */
  async settleLeaves(first: number, window: readonly LeafSlots[], signal: AbortSignal | undefined): Promise<void> {
    for (const number of this.#hit) {
      const slots = window[number - first];
      const plain = slots && encodeLeaf(slots);
      this.#leaves[number] = plain && (await this.#core.run(identify, { plain, keyId: this.#record.keyId }, { signal }));
    }
    this.#hit.clear();
    this.ranges.sort((a, b) => a.offset - b.offset);
  }

  /** The digest of the volume with zeros for what is lost: the snapshot's own when nothing is. */
  async digest(): Promise<string> {
    const { sizeBytes, keyId, digest } = this.#record;
    if (this.ranges.length === 0) return digest;
    return digestText(await this.#core.run(identify, { plain: digestInput(sizeBytes, this.#leaves), keyId }, {}));
  }
}

async function orFault<T>(work: Promise<T>): Promise<T | Fault> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error) && error.kind === 'corrupt') return error;
    throw error;
  }
}
