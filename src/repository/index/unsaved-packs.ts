import type { PackedBlock } from '../packs/format.ts';
import { type IndexRecord, maxIndexRecords, type PackEntry } from './format.ts';

/** A finished pack as it came from a worker. */
export interface NewPack extends PackEntry {
  readonly number: number;
  readonly blocks: readonly PackedBlock[];
}

/** Packs that are durable and that no index object names yet. */
export class UnsavedPacks {
  sizeBytes = 0;
  readonly #write: (packs: readonly NewPack[], signal: AbortSignal | undefined) => Promise<number>;
  #packs: NewPack[] = [];
  #saving: Promise<unknown> = Promise.resolve();

  /** `write` puts one index object and gives its bytes. */
  constructor(write: (packs: readonly NewPack[], signal: AbortSignal | undefined) => Promise<number>) {
    this.#write = write;
  }

  add(pack: NewPack): void {
    this.#packs.push(pack);
    this.sizeBytes += pack.sizeBytes;
  }

  /** Only when nothing is being saved. */
  clear(): void {
    this.#packs = [];
    this.sizeBytes = 0;
  }

  /** One at a time: when it returns, all packs added before the call are named. What could not be written stays for the next call. */
  save(signal: AbortSignal | undefined): Promise<number> {
    const saved = this.#saving.then(() => this.#saveAll(signal));
    this.#saving = saved.catch(() => undefined); // whoever called for it has the rejection
    return saved;
  }

  async #saveAll(signal: AbortSignal | undefined): Promise<number> {
    let written = 0;
    while (this.#packs.length > 0) {
      const packs = this.#takeBatch();
      try {
        written += await this.#write(packs, signal);
      } catch (error) {
        this.#packs = [...packs, ...this.#packs];
        throw error;
      } finally {
        this.sizeBytes = this.#packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      }
    }
    return written;
  }

  /** As many packs as fit into one object; one pack's chunks are never split. */
  #takeBatch(): NewPack[] {
    let records = 0;
    const end = this.#packs.findIndex(({ blocks }, at) => {
      for (const { chunks } of blocks) records += chunks.length;
      return at > 0 && records > maxIndexRecords;
    });
    return this.#packs.splice(0, end === -1 ? this.#packs.length : end);
  }
}

export function listRecords(packs: readonly Pick<NewPack, 'blocks'>[]): IndexRecord[] {
  return packs.flatMap(({ blocks }, pack) =>
    blocks.flatMap((block) =>
      block.chunks.map(({ id, offset, length }) => ({
        id,
        pack,
        blockOffset: block.offset,
        blockLength: block.length,
        rawLength: block.rawLength,
        chunkOffset: offset,
        chunkLength: length,
      })),
    ),
  );
}
