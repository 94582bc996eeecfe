import type { ChunkSource } from '../packs/chunk-source.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { idBytes, isTypeOf, readBody, type TreeNode } from './node.ts';
import type { TreePath } from './path.ts';
import { segmentIds } from './reader.ts';
import { SegmentReader } from './segments.ts';

/** Segments fetched at once when one is read after the other, some 200 KiB each. */
const maxSegmentsAhead = 8;

/**
 * Goes through a tree from anywhere, reading few of its segments. The format keeps no paths beside the segments' ids, but a segment begins
 * with the path of the node before it: so one is found by looking into about log2(segments) of them.
 */
export class TreeSeeker {
  readonly #source: ChunkSource;
  readonly #ids: Uint8Array;
  readonly #signal: AbortSignal | undefined;
  /** What the last fetch brought, by number. */
  #fetched = new Map<number, Buffer>();
  #ahead = 1;
  /** Number of the segment that is being read. */
  #at = -1;
  #reader: SegmentReader | undefined;

  /** @throws {Fault} as `segmentIds` */
  constructor(source: ChunkSource, snapshot: SnapshotRecord, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#ids = segmentIds(snapshot);
    this.#signal = signal;
  }

  /** To the node after the current one; before the first call there is none. False at the end. */
  async next(): Promise<boolean> {
    while (this.#reader?.next() !== true) {
      if (this.#at + 1 >= this.#count) return false;
      await this.#load(this.#at + 1);
    }
    return true;
  }

  /**
   * To the first node after the current one that is not `passed`. In tree order `passed` has to be true for all nodes up to one, and false
   * from there on. False at the end.
   */
  async seek(passed: (path: TreePath) => boolean): Promise<boolean> {
    while (this.#reader?.next() === true) if (!passed(this.#reader.path)) return true;
    if (this.#at + 1 < this.#count) await this.#load(await this.#findSegment(passed));
    while (await this.next()) if (!passed(this.path)) return true;
    return false;
  }

  get path(): TreePath {
    return this.#reader?.path ?? '';
  }

  get isFolder(): boolean {
    return isTypeOf(this.body, 'folder');
  }

  /** A view into the segment. */
  get body(): Buffer {
    return this.#reader?.body ?? Buffer.alloc(0);
  }

  get node(): TreeNode {
    return readBody(new ByteReader(this.body));
  }

  get #count(): number {
    return this.#ids.length / idBytes;
  }

  /** The last segment whose node before it is passed: all nodes of those before it are, too. */
  async #findSegment(passed: (path: TreePath) => boolean): Promise<number> {
    let low = this.#at + 1;
    let high = this.#count; // not passed there, or not there at all
    // What is skipped is mostly short; at the beginning nothing is known.
    for (let step = this.#at < 0 ? this.#count : 1; low + step < high; step *= 2) {
      if (passed(new SegmentReader(await this.#fetch(low + step)).before)) low += step;
      else high = low + step;
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (passed(new SegmentReader(await this.#fetch(middle)).before)) low = middle;
      else high = middle;
    }
    return low;
  }

  async #load(number: number): Promise<void> {
    const follows = number === this.#at + 1;
    this.#ahead = follows ? Math.min(this.#ahead * 2, maxSegmentsAhead) : 1;
    const reader = new SegmentReader(await this.#fetch(number, this.#ahead));
    if (follows && reader.before !== this.path) throw treeDamaged('its segments do not follow one another');
    this.#at = number;
    this.#reader = reader;
  }

  async #fetch(number: number, ahead = 1): Promise<Buffer> {
    const known = this.#fetched.get(number);
    if (known !== undefined) return known;
    const wanted = this.#ids.subarray(number * idBytes, (number + ahead) * idBytes);
    const segments = await this.#source.fetch(wanted, { signal: this.#signal });
    this.#fetched = new Map(segments.map((segment, at) => [number + at, segment]));
    const [first] = segments;
    if (first === undefined) throw treeDamaged(`its segment ${number} is not there`);
    return first;
  }
}
