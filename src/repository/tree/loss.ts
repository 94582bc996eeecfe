import { type Fault, isFault } from '../../base/faults.ts';
import type { DamagedRange } from '../contract.ts';
import type { Place } from './content.ts';
import type { TreeNode } from './node.ts';
import { compareTreePaths, parentPath, sharedLength, type TreePath, treePathText } from './path.ts';

interface Lost {
  readonly path: TreePath;
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

/** What a restore of a tree has to do without. Ranges of files read as zeros from then on; nodes that nobody knows are absent. */
export class TreeLoss {
  readonly #nodes: Lost[] = [];
  readonly #absent = new Set<TreePath>();
  readonly #ranges = new Map<TreePath, Lost[]>();

  get isEmpty(): boolean {
    return this.#nodes.length === 0 && this.#ranges.size === 0;
  }

  addRange(path: TreePath, offset: number, length: number, fault: Fault): void {
    const lost = { path, offset, length, reason: fault.message };
    const known = this.#ranges.get(path);
    if (known === undefined) this.#ranges.set(path, [lost]);
    else known.push(lost);
  }

  /** Something is not there at all. */
  addAbsent(path: TreePath, reason: string): void {
    this.#absent.add(path);
    this.addNode(path, reason);
  }

  isAbsent(path: TreePath): boolean {
    return this.#absent.has(path);
  }

  /** Something is not as it was. */
  addNode(path: TreePath, reason: string): void {
    this.#nodes.push({ path, offset: 0, length: 0, reason });
  }

  /** A part of the tree: all after one path, up to and with another or the end. */
  addPart(after: TreePath | undefined, last: TreePath | undefined, reason: string): void {
    const from = after === undefined ? 'From the beginning' : `After ${treePathText(after)}`;
    const to = last === undefined ? 'the end' : treePathText(last);
    this.addNode(commonFolder(after ?? '', last ?? ''), `${from} up to ${to} nothing is known of the tree: ${reason}`);
  }

  hasHit(path: TreePath): boolean {
    return this.#ranges.has(path);
  }

  /** Another name of a file has lost what the file has. */
  addLink(path: TreePath, target: TreePath): void {
    const lost = this.#ranges.get(target);
    if (lost !== undefined)
      this.#ranges.set(
        path,
        lost.map((range) => ({ ...range, path })),
      );
  }

  isLost(path: TreePath, { offset, length }: Place): boolean {
    return this.#ranges.get(path)?.some((lost) => lost.offset < offset + length && offset < lost.offset + lost.length) === true;
  }

  /** In tree order. */
  list(): DamagedRange[] {
    const all = [...this.#nodes, ...[...this.#ranges.values()].flat()];
    all.sort((a, b) => compareTreePaths(a.path, b.path) || a.offset - b.offset);
    return all.map((lost) => ({ ...lost, path: treePathText(lost.path) }));
  }
}

/** Gives places as they come. Where the list of them breaks off, nothing behind is known: `onLost` is told from where on. */
export async function* listUntilLost(
  node: TreeNode,
  places: AsyncIterable<Place>,
  onLost: ((from: number, fault: Fault) => void) | undefined,
): AsyncGenerator<Place> {
  let end = 0;
  try {
    for await (const place of places) {
      end = place.offset + place.length;
      yield place;
    }
  } catch (error) {
    if (onLost === undefined || !isFault(error) || error.kind !== 'corrupt') throw error;
    if (end < node.size) onLost(end, error);
  }
}

function commonFolder(a: TreePath, b: TreePath): TreePath {
  const shared = sharedLength(a, b);
  const folder = a.slice(0, shared);
  // Both end here, or at a `/`: then it is a whole path.
  const isWhole = (path: TreePath): boolean => path.length === shared || path[shared] === '/';
  return isWhole(a) && isWhole(b) ? folder : parentPath(folder);
}
