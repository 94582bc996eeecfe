import { isFault } from '../../base/faults.ts';
import { ByteReader } from '../tree/bytes.ts';
import { splitIds } from '../tree/content.ts';
import { type Content, readBody, readRuns, type TreeNode } from '../tree/node.ts';
import { compareTreePaths, type TreePath } from '../tree/path.ts';
import { readPlaces, segmentIds } from '../tree/reader.ts';
import { SegmentReader } from '../tree/segments.ts';
import type { CopyRun } from './volume.ts';

/** A segment of the other repository that stands for one of the original, with every chunk it needs stored. */
export interface TakenSegment {
  readonly id: Uint8Array;
  readonly plain: Buffer;
  /** Of the files in it. */
  readonly sizeBytes: number;
}

interface SegmentPair {
  readonly original: Uint8Array;
  readonly copy: Uint8Array;
}

/**
 * What an earlier copy of the same subject saves. Segments of a copy stand in the order of the original's, so they pair up by their place.
 * All of it is a hint: what cannot be read is not used.
 */
export class EarlierTree {
  readonly #run: CopyRun;
  /** By the original's id, hex. */
  readonly #copies = new Map<string, Uint8Array>();
  /** Segments that the new snapshot does not have, in order: most of their files are in some other segment of it. */
  readonly #left: SegmentPair[] = [];
  #pending: { readonly original: Buffer; readonly copy: Buffer } | undefined;

  constructor(run: CopyRun, segments: readonly Uint8Array[]) {
    this.#run = run;
    if (run.earlier === undefined) return;
    const originals = splitIds(segmentIds(run.earlier.original));
    const copies = splitIds(segmentIds(run.earlier.copy));
    const wanted = new Set(segments.map(hex));
    originals.forEach((original, at) => {
      const copy = copies[at];
      if (copy === undefined) return;
      if (wanted.has(hex(original))) this.#copies.set(hex(original), copy);
      else this.#left.push({ original, copy });
    });
  }

  /** For each of the segments, the copy that it has already; undefined where there is none, or not all of it is stored. */
  async takeOver(window: readonly Uint8Array[]): Promise<(TakenSegment | undefined)[]> {
    const ids = window.map((id) => this.#copies.get(hex(id)));
    const taken = await this.#asHint(async () => {
      const plains = await this.#run.to.source.fetch(Buffer.concat(ids.filter((id) => id !== undefined)), this.#options);
      let next = 0;
      const found: (TakenSegment | undefined)[] = [];
      for (const id of ids) {
        const plain = id && plains[next++];
        const sizeBytes = plain && (await this.#sizeWhenStored(plain));
        found.push(id && plain && sizeBytes !== undefined ? { id, plain, sizeBytes } : undefined);
      }
      return found;
    });
    return taken ?? window.map(() => undefined);
  }

  /** Tells the chunk copy which chunks the earlier copy has, as far as the files up to that path may need them. */
  async learnUpTo(path: TreePath | undefined): Promise<void> {
    if (path === undefined) return;
    await this.#asHint(async () => {
      for (;;) {
        this.#pending ??= await this.#loadPair();
        if (this.#pending === undefined || compareTreePaths(new SegmentReader(this.#pending.original).before, path) > 0) return;
        const { original, copy } = this.#pending;
        this.#pending = undefined;
        await this.#learnSegment(new SegmentReader(original), new SegmentReader(copy));
      }
    });
  }

  get #options(): { readonly signal: AbortSignal } {
    return { signal: this.#run.session.signal };
  }

  async #loadPair(): Promise<{ original: Buffer; copy: Buffer } | undefined> {
    const pair = this.#left.shift();
    if (pair === undefined) return undefined;
    const { from, to } = this.#run;
    const [[original], [copy]] = await Promise.all([
      from.source.fetch(pair.original, this.#options),
      to.source.fetch(pair.copy, this.#options),
    ]);
    return original && copy && { original, copy };
  }

  async #learnSegment(original: SegmentReader, copy: SegmentReader): Promise<void> {
    while (original.next() && copy.next()) {
      if (original.path !== copy.path) return;
      const one = readBody(new ByteReader(original.body)).content;
      const other = readBody(new ByteReader(copy.body)).content;
      if (one.form === 'chunk' && other.form === 'chunk') this.#run.chunks.learn(one.id, other.id);
      else if (one.form === 'runs' && other.form === 'runs') this.#learnRuns(one.runs, other.runs);
      else if (one.form === 'listed' && other.form === 'listed') await this.#learnLists(one, other);
    }
  }

  async #learnLists(one: Extract<Content, { form: 'listed' }>, other: Extract<Content, { form: 'listed' }>): Promise<void> {
    const { from, to } = this.#run;
    const otherLists = splitIds(other.lists);
    for (const [at, id] of splitIds(one.lists).entries()) {
      const otherId = otherLists[at];
      if (otherId === undefined) return;
      const [[list], [otherList]] = await Promise.all([
        from.source.fetch(id, this.#options),
        to.source.fetch(otherId, this.#options),
      ]);
      if (list && otherList) this.#learnRuns(list, otherList);
    }
  }

  #learnRuns(one: Uint8Array, other: Uint8Array): void {
    const others = readRuns(reader(other));
    for (const run of readRuns(reader(one))) {
      const { value } = others.next();
      if (!value || value.length !== run.length) return;
      this.#run.chunks.learn(run.id, value.id);
    }
  }

  /** Bytes of the files in the segment; undefined when the bank lacks a chunk of one. */
  async #sizeWhenStored(segment: Buffer): Promise<number | undefined> {
    const files = new SegmentReader(segment);
    let sizeBytes = 0;
    while (files.next()) {
      const node = readBody(new ByteReader(files.body));
      if (!(await this.#isStored(node))) return undefined;
      sizeBytes += node.size;
    }
    return sizeBytes;
  }

  async #isStored(node: TreeNode): Promise<boolean> {
    const { source } = this.#run.to;
    const { content } = node;
    if (content.form === 'none') return true;
    if (content.form === 'chunk') return source.has(content.id);
    if (content.form === 'listed' && !splitIds(content.lists).every((id) => source.has(id))) return false;
    for await (const { id } of readPlaces(source, node, this.#run.session.signal)) if (!source.has(id)) return false;
    return true;
  }

  async #asHint<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || error.kind !== 'corrupt') throw error;
      this.#copies.clear();
      this.#left.length = 0;
      this.#run.to.log.warn('An earlier copy cannot be compared with; what it has is read again.', { reason: error.message });
      return undefined;
    }
  }
}

function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex');
}

function reader(bytes: Uint8Array): ByteReader {
  return new ByteReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}
