import { type Fault, isFault } from '../../base/faults.ts';
import type { RepositoryCore } from '../core.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader } from './bytes.ts';
import { splitIds } from './content.ts';
import { type Content, findPlainContent, readBody } from './node.ts';
import { compareTreePaths, type TreePath } from './path.ts';
import { readPlaces, TreeCursor } from './reader.ts';

/**
 * Looks up, path by path in tree order, what an earlier snapshot says. It is a hint: when it cannot be read, `damage` is told once and
 * from there on nothing is found.
 */
export class ParentNodes {
  readonly #core: Pick<RepositoryCore, 'source' | 'isWhole'>;
  readonly #parent: SnapshotRecord | undefined;
  readonly #signal: AbortSignal;
  readonly #damage: (fault: Fault) => void;
  #cursor: TreeCursor | undefined;
  #hasNode = false;
  /** All of the parent is known to be there: no chunk has to be looked up. */
  #isWhole = false;

  constructor(
    core: Pick<RepositoryCore, 'source' | 'isWhole'>,
    parent: SnapshotRecord | undefined,
    signal: AbortSignal,
    damage: (fault: Fault) => void,
  ) {
    this.#core = core;
    this.#parent = parent;
    this.#signal = signal;
    this.#damage = damage;
    if (parent !== undefined) this.#guard(() => (this.#cursor = new TreeCursor(core.source, parent, { signal })));
  }

  /** The body at the path, or 'load': then `await load()` and ask again. Paths must come in tree order. */
  find(path: TreePath): Buffer | undefined | 'load' {
    const cursor = this.#cursor;
    if (cursor === undefined) return undefined;
    try {
      for (;;) {
        if (this.#hasNode) {
          const order = compareTreePaths(cursor.path, path);
          if (order === 0) return cursor.body;
          if (order > 0) return undefined;
        }
        this.#hasNode = cursor.next();
        if (!this.#hasNode) return 'load';
      }
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  async load(): Promise<void> {
    try {
      if ((await this.#cursor?.load()) === undefined) this.#cursor = undefined;
      this.#isWhole = this.#parent !== undefined && this.#core.isWhole(this.#parent.id);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Whether the bank has all that the content of a node stands on. */
  async hasContent(body: Buffer): Promise<boolean> {
    try {
      const node = readBody(new ByteReader(body));
      const { content } = node;
      if (content.form === 'listed' && !splitIds(content.lists).every((id) => this.#core.source.has(id))) return false;
      for await (const place of readPlaces(this.#core.source, node, this.#signal))
        if (!this.#core.source.has(place.id)) return false;
      return content.form !== 'chunk' || this.#core.source.has(content.id);
    } catch (error) {
      this.#giveUp(error);
      return false;
    }
  }

  /** The common case of `hasContent` without a promise; undefined when only that can tell. */
  hasSimpleContent(body: Buffer): boolean | undefined {
    if (this.#isWhole) return true;
    const content = findPlainContent(body) ?? this.#contentOf(body);
    if (content?.form === 'none') return true;
    return content?.form === 'chunk' ? this.#core.source.has(content.id) : undefined;
  }

  #contentOf(body: Buffer): Content | undefined {
    try {
      return readBody(new ByteReader(body)).content;
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Damage and absence end the use of the parent; everything else (no connection, cancelled) ends the write. */
  #giveUp(error: unknown): void {
    if (!isFault(error) || !['corrupt', 'not-found', 'unsupported', 'invalid'].includes(error.kind)) throw error;
    this.#cursor = undefined;
    this.#damage(error);
  }

  async close(): Promise<void> {
    await this.#cursor?.close();
  }
}
