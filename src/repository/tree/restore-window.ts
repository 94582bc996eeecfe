import type { TreeNode } from './node.ts';
import { NodeListWriter } from './node-list.ts';
import type { TreePath } from './path.ts';

/** Chunks that are fetched and written together at most: few enough to start soon, then enough that nearly every pack is fetched once. */
const firstWants = 4 * 1024;
const maxWants = 64 * 1024;
const maxNodeBytes = 8 * 1024 * 1024;
/** What one task reads back. */
const checkNodes = 256;
const checkBytes = 8 * 1024 * 1024;

/** Who wants the chunks of some batches; seen by all threads. */
export interface Wants {
  /** A node list. */
  readonly nodes: Uint8Array<SharedArrayBuffer>;
  /** For each want, where in `nodes` its file stands. */
  readonly nodeAt: Uint32Array<SharedArrayBuffer>;
  /** Where in the file the chunk goes; -1: it is the whole file. */
  readonly offsets: Float64Array<SharedArrayBuffer>;
  readonly lengths: Uint32Array<SharedArrayBuffer>;
}

export interface LinkToMake {
  readonly path: TreePath;
  readonly target: TreePath;
}

/** What is restored together: nodes that follow one another in the tree, named by where they stand in `wants.nodes`. */
export interface RestoreWindow {
  readonly wants: Wants;
  /** 32 bytes a want. */
  readonly ids: Buffer;
  /** Made once the chunks are written: what has no content, or more than one chunk. */
  readonly later: readonly number[];
  readonly links: readonly LinkToMake[];
  /** All of them but folders and links, in lists of what one task reads back. */
  readonly checks: readonly (readonly number[])[];
  /** Those whose content is read back place by place. */
  readonly listed: readonly number[];
}

/** Collects one window after the other. */
export class WindowBuilder {
  readonly #nodes = new NodeListWriter();
  #wantsLimit = firstWants;
  #nodeAt: number[] = [];
  #offsets: number[] = [];
  #lengths: number[] = [];
  #ids: Uint8Array[] = [];
  #later: number[] = [];
  #links: LinkToMake[] = [];
  #checks: number[][] = [];
  #listed: number[] = [];
  #checkBytes = 0;

  get isFull(): boolean {
    return this.#nodeAt.length >= this.#wantsLimit || this.#nodes.byteLength + this.#links.length * 100 >= maxNodeBytes;
  }

  /** Gives where the node stands, for the calls below. */
  add(path: TreePath, body: Uint8Array): number {
    return this.#nodes.add(path, body);
  }

  want(nodeAt: number, offset: number, length: number, id: Uint8Array): void {
    this.#nodeAt.push(nodeAt);
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#ids.push(id);
  }

  makeLater(nodeAt: number): void {
    this.#later.push(nodeAt);
  }

  link(link: LinkToMake): void {
    this.#links.push(link);
  }

  check(nodeAt: number, { size, content }: TreeNode): void {
    const last = this.#checks.at(-1);
    if (last === undefined || last.length >= checkNodes || this.#checkBytes >= checkBytes) {
      this.#checks.push([nodeAt]);
      this.#checkBytes = size;
    } else {
      last.push(nodeAt);
      this.#checkBytes += size;
    }
    if (content.form === 'listed') this.#listed.push(nodeAt);
  }

  take(): RestoreWindow {
    const wants = {
      nodes: this.#nodes.takeShared(),
      nodeAt: new Uint32Array(new SharedArrayBuffer(this.#nodeAt.length * 4)),
      offsets: new Float64Array(new SharedArrayBuffer(this.#offsets.length * 8)),
      lengths: new Uint32Array(new SharedArrayBuffer(this.#lengths.length * 4)),
    };
    wants.nodeAt.set(this.#nodeAt);
    wants.offsets.set(this.#offsets);
    wants.lengths.set(this.#lengths);
    const window = {
      wants,
      ids: Buffer.concat(this.#ids),
      later: this.#later,
      links: this.#links,
      checks: this.#checks,
      listed: this.#listed,
    };
    this.#wantsLimit = Math.min(this.#wantsLimit * 2, maxWants);
    this.#nodeAt = [];
    this.#offsets = [];
    this.#lengths = [];
    this.#ids = [];
    this.#later = [];
    this.#links = [];
    this.#checks = [];
    this.#listed = [];
    return window;
  }
}
