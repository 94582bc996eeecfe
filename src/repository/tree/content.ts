import { ByteWriter, treeDamaged } from './bytes.ts';
import { type Content, idBytes, maxInlineRunBytes, type Run, writeRun } from './node.ts';

/** Chunks of run lists end before they reach this size. */
const listBytes = 256 * 1024;

/** Collects the chunks of one file, in order of their place, and describes them as the content of its node. */
export class ContentBuilder {
  readonly #writer = new ByteWriter(64);
  readonly #lists: Buffer<ArrayBuffer>[] = [];
  #end = 0;
  #first: { readonly offset: number; readonly length: number; readonly id: Uint8Array } | undefined;
  #runs = 0;

  add(offset: number, length: number, id: Uint8Array): void {
    // A copy: the sink may use its bytes again.
    this.#first ??= { offset, length, id: Buffer.from(id) };
    this.#runs++;
    writeRun(this.#writer, { gap: offset - this.#end, length, id });
    this.#end = offset + length;
    if (this.#writer.length > listBytes) this.#lists.push(this.#writer.take());
  }

  /** Lists that have to be stored as chunks; their ids go into `describe`. Call once, when all runs are added. */
  takeLists(): readonly Buffer<ArrayBuffer>[] {
    if (this.#lists.length === 0 && this.#writer.length <= maxInlineRunBytes) return [];
    if (this.#writer.length > 0) this.#lists.push(this.#writer.take());
    return this.#lists;
  }

  describe(size: number, listIds: readonly Uint8Array[]): Content {
    if (this.#first === undefined) return { form: 'none' };
    if (this.#runs === 1 && this.#first.offset === 0 && this.#first.length === size) return { form: 'chunk', id: this.#first.id };
    if (listIds.length > 0) return { form: 'listed', lists: Buffer.concat(listIds) };
    return { form: 'runs', runs: this.#writer.take() };
  }
}

/** A run with its place in the file. */
export interface Place {
  readonly offset: number;
  readonly length: number;
  readonly id: Uint8Array;
}

/** Turns runs into places, across the lists of one file, and checks that they stay within it. */
export class PlaceReader {
  readonly #size: number;
  #end = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** @throws {Fault} `repository.tree_damaged` (corrupt) */
  place(run: Run): Place {
    const offset = this.#end + run.gap;
    this.#end = offset + run.length;
    if (this.#end > this.#size) throw treeDamaged('it holds a file with content beyond its end');
    return { offset, length: run.length, id: run.id };
  }
}

/** The ids of a node's list chunks, one by one. */
export function splitIds(ids: Uint8Array): Uint8Array[] {
  return Array.from({ length: ids.length / idBytes }, (_, i) => ids.subarray(i * idBytes, (i + 1) * idBytes));
}
