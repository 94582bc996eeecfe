import { Fault, isFault } from '../../base/faults.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { findGcName, gcKey, gcPrefix } from '../layout.ts';
import { maxObjectBytes, openObject } from '../seal/crypto.ts';
import type { KeyRing } from '../seal/keys.ts';
import { decodeGcRecord, type GcRecord } from './record.ts';

/**
 * Objects of so many generations are kept: the newest and those before it. A writer that looks again within so many generations finds every verdict that was
 * passed meanwhile; one that slept for longer looks for the packs themselves.
 */
export const keptGenerations = 3;

export interface GcViewOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
}

/** What this process knows of garbage collections, by whomever: see `learn`. */
export class GcView {
  /** The newest generation; 0 before the first. */
  generation = 0;
  /** Packs on which some run has passed the final verdict. Only grows. */
  readonly deleting = new Set<string>();
  /** Object name → what it says, or that it does not open; those that are in the bank. */
  readonly objects = new Map<string, { readonly generation: number; readonly record: GcRecord | undefined }>();
  readonly #options: GcViewOptions;
  #learning: Promise<unknown> = Promise.resolve();

  constructor(options: GcViewOptions) {
    this.#options = options;
  }

  /**
   * Reads the objects that are new. One at a time, so that nobody sees the half of what another call has read.
   * @throws {Fault} `repository.gc_damaged` (corrupt) when none of several generations can be read
   */
  learn(signal: AbortSignal | undefined): Promise<void> {
    const learned = this.#learning.then(() => this.#learn(signal));
    this.#learning = learned.catch(() => undefined); // whoever called for it has the rejection
    return learned;
  }

  /**
   * As `learn`, until a second look finds nothing that the first had not: then everything is known that was written before what is known. A single look takes
   * its time, and may miss an object although it finds a later one.
   */
  async learnSettled(signal: AbortSignal | undefined): Promise<void> {
    for (let before: string | undefined; ; ) {
      await this.learn(signal);
      const names = [...this.objects.keys()].sort().join();
      if (names === before) return;
      before = names;
    }
  }

  async #learn(signal: AbortSignal | undefined): Promise<void> {
    while (!(await this.#readNew(signal)));
    for (const { record } of this.objects.values()) for (const pack of record?.deleting ?? []) this.deleting.add(pack);
    // A verdict is only passed on what was in quarantine a generation before, and verdicts are handed on.
    if (this.damaged.length > 0) for (const pack of this.quarantined(this.#readable)) this.deleting.add(pack);
  }

  /** False when an object was gone before it could be read: its verdicts are in a newer one, which the list may not show. */
  async #readNew(signal: AbortSignal | undefined): Promise<boolean> {
    const { store } = this.#options;
    const listed = new Set<string>();
    for await (const { key } of store.list(gcPrefix, { signal })) {
      const found = findGcName(key);
      if (found === undefined) continue;
      const { name, generation } = found;
      listed.add(name);
      this.generation = Math.max(this.generation, generation);
      if (this.objects.get(name)?.record !== undefined) continue;
      const bytes = await store.get(key, { maxBytes: maxObjectBytes, signal }).catch((error: unknown) => {
        if (isFault(error, 'storage.missing')) return undefined;
        if (isFault(error) && error.kind === 'corrupt') return Buffer.alloc(0);
        throw error;
      });
      if (bytes === undefined) return false;
      this.objects.set(name, { generation, record: this.#open(name, generation, bytes) });
    }
    for (const name of this.objects.keys()) if (!listed.has(name)) this.objects.delete(name);
    if (this.damaged.length > 0 && this.#readable.length === 0 && this.generation >= keptGenerations) {
      const keys = this.damaged.join(', ');
      throw new Fault(
        'corrupt',
        'repository.gc_damaged',
        `Nothing says which packs are being deleted: ${keys} in ${store.description} is damaged.`,
        {
          help: 'Put the object back from a copy of the bank; or delete it when no garbage collection is under way anywhere.',
        },
      );
    }
    return true;
  }

  #open(name: string, generation: number, bytes: Buffer): GcRecord | undefined {
    const { keys, projectId } = this.#options;
    const opened = openObject(keys.all, projectId, 'gc', name, bytes);
    return opened && decodeGcRecord(opened.plain, generation);
  }

  get #readable(): GcRecord[] {
    return [...this.objects.values()].flatMap(({ record }) => record ?? []);
  }

  /** Keys of the objects that do not open. */
  get damaged(): string[] {
    return [...this.objects].flatMap(([name, { record }]) => (record === undefined ? [gcKey(name)] : []));
  }

  /** What was found in the newest generation; several when runs met. Unreadable ones are left out. */
  get newest(): GcRecord[] {
    return this.#readable.filter(({ generation }) => generation === this.generation);
  }

  /** As `newest`; none at all when one of them does not open, as then nobody knows what they agree on. */
  get newestAgreed(): GcRecord[] {
    const newest = [...this.objects.values()].filter(({ generation }) => generation === this.generation);
    return newest.every(({ record }) => record !== undefined) ? this.newest : [];
  }

  /** What is in quarantine by any of these records. */
  quarantined(records: readonly GcRecord[] = this.newest): Set<string> {
    return new Set(records.flatMap(({ quarantined }) => [...quarantined.keys()]));
  }
}
