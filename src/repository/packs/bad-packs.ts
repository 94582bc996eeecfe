import { type Fault, toFault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { badKey, badPrefix, findId, findPackId } from '../layout.ts';
import { sealObject } from '../seal/crypto.ts';
import type { KeyRing } from '../seal/keys.ts';

export interface BadPacksOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly index: ChunkIndex;
}

/**
 * Packs that somebody found damaged, under `bad/<pack-id>`: what lies in them is stored again by the next write that meets it. The name says it all; what
 * is in the object is for people, so one that does not open counts as well.
 */
export class BadPacks {
  readonly ids = new Set<string>();
  readonly #options: BadPacksOptions;
  readonly #onTheirWay = new Set<Promise<void>>();

  constructor(options: BadPacksOptions) {
    this.#options = options;
  }

  async learn(signal: AbortSignal | undefined): Promise<void> {
    for await (const { key } of this.#options.store.list(badPrefix, { signal })) {
      const id = findId(key);
      if (id !== undefined && key === badKey(id)) this.ids.add(id);
    }
    this.#options.index.distrust(this.ids);
  }

  /** Takes note of a fault that names a pack, in this process at once and in the bank soon; any other fault is passed over. */
  note(fault: Fault): void {
    const { object } = fault.details;
    const id = fault.kind === 'corrupt' && typeof object === 'string' ? findPackId(object) : undefined;
    if (id === undefined) return;
    const { index, keys, projectId, store, log } = this.#options;
    index.distrust([id]); // a known one, too: what is known of the index may have been read since
    if (this.ids.has(id)) return;
    this.ids.add(id);
    const text = JSON.stringify({ format: 1, pack: id, what: fault.message });
    const put = store
      .put(badKey(id), sealObject(keys.writing, projectId, 'bad', id, Buffer.from(text)), { ifAbsent: true })
      .catch((error: unknown) => {
        if (toFault(error).code === 'storage.exists') return;
        log.warn('A damaged pack could not be marked as such; whoever meets it next will try again.', {
          pack: id,
          reason: String(error),
        });
      })
      .finally(() => this.#onTheirWay.delete(put));
    this.#onTheirWay.add(put);
  }

  /** The pack was read to its last byte and is whole: put back from a copy, or only reached badly before. It is trusted from the next opening on. */
  async clear(ids: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const marked = ids.filter((id) => this.ids.has(id));
    if (marked.length === 0) return;
    await this.#options.store.delete(marked.map(badKey), { signal });
    for (const id of marked) this.ids.delete(id);
  }

  /** Resolves when every mark is in the bank, or was complained of. */
  async settle(): Promise<void> {
    await Promise.all(this.#onTheirWay);
  }
}
