import { ByteReader, ByteWriter } from './bytes.ts';
import { readBody, type TreeNode } from './node.ts';
import type { TreePath } from './path.ts';

/** Nodes on their way to worker threads: varint length and bytes of the path, then of the body. */
export class NodeListWriter {
  readonly #writer = new ByteWriter(64 * 1024);

  get byteLength(): number {
    return this.#writer.length;
  }

  /** Gives what to hand to `readNodeAt`. */
  add(path: TreePath, body: Uint8Array): number {
    const at = this.#writer.length;
    this.#writer.sizedText(path);
    this.#writer.sizedBytes(body);
    return at;
  }

  /** In memory that all threads see, so that every batch of a window can refer to it. */
  takeShared(): Uint8Array<SharedArrayBuffer> {
    const taken = this.#writer.take();
    const shared = new Uint8Array(new SharedArrayBuffer(taken.length));
    shared.set(taken);
    return shared;
  }
}

export interface ListedNode {
  readonly path: TreePath;
  readonly node: TreeNode;
}

export function readNodeAt(list: Uint8Array, at: number): ListedNode {
  const reader = new ByteReader(Buffer.from(list.buffer, list.byteOffset, list.length), at);
  const path = reader.text(reader.varint());
  const length = reader.varint();
  const start = reader.at;
  reader.view(length);
  return { path, node: readBody(new ByteReader(reader.bytes, start, start + length)) };
}
