import { throwIfAborted } from '../../base/abort.ts';
import type { TreeNode } from './node.ts';
import { NodeListWriter } from './node-list.ts';
import type { TreePath } from './path.ts';
import { readPlaces, TreeCursor } from './reader.ts';
import { countBytes, type RestoreRun } from './restore-run.ts';
import { checkNodesTask, checkPlacesTask } from './restore-task.ts';
import { WorkWindow } from './window.ts';

/** What one task reads back. */
const batchNodes = 256;
const batchBytes = 8 * 1024 * 1024;
const pieceBytes = 64 * 1024 * 1024;

/** The second pass of a restore: everything but folders is read back and compared with the snapshot. */
export class TreeReadBack {
  readonly #run: RestoreRun;
  readonly #count: (bytes: number) => void;
  readonly #window: WorkWindow;

  constructor(run: RestoreRun) {
    this.#run = run;
    this.#count = countBytes(run, 'verify');
    this.#window = new WorkWindow(run.core.threads * 2);
  }

  /** @throws {Fault} `repository.digest_differs` (corrupt) */
  async run(): Promise<void> {
    const cursor = new TreeCursor(this.#run.core.source, this.#run.snapshot, this.#run.options.signal);
    const list = new NodeListWriter();
    let bytes = 0;
    try {
      while ((await cursor.load()) !== undefined) {
        throwIfAborted(this.#run.options.signal);
        while (cursor.next()) {
          const { path, body, node } = cursor;
          if (node.type === 'folder') continue;
          list.add(path, body);
          bytes += node.size;
          if (node.content.form === 'listed') await this.#checkListed(path, node);
          if (list.count < batchNodes && bytes < batchBytes) continue;
          await this.#checkNodes(list);
          bytes = 0;
        }
      }
      await this.#checkNodes(list);
      await this.#window.drain();
    } finally {
      await this.#window.idle();
      await cursor.close();
    }
  }

  async #checkNodes(list: NodeListWriter): Promise<void> {
    if (list.count === 0) return;
    const nodes = list.take();
    await this.#window.start(async () => {
      const output = await this.#run.core.run(
        checkNodesTask,
        { target: this.#run.target, nodes },
        { signal: this.#run.options.signal, transfer: [nodes.buffer] },
      );
      for (const line of output.warnings) this.#run.warnings.add(line);
      this.#count(output.bytes);
    });
  }

  async #checkListed(path: TreePath, node: TreeNode): Promise<void> {
    let from = 0;
    let places: number[] = [];
    let ids: Uint8Array[] = [];
    const send = async (to: number): Promise<void> => {
      const input = {
        target: this.#run.target,
        path,
        from,
        to,
        places: Float64Array.from(places),
        ids: new Uint8Array(Buffer.concat(ids)),
      };
      await this.#window.start(async () => {
        await this.#run.core.run(checkPlacesTask, input, { signal: this.#run.options.signal });
        this.#count(input.to - input.from);
      });
      from = to;
      places = [];
      ids = [];
    };
    for await (const place of readPlaces(this.#run.core.source, node, this.#run.options.signal)) {
      places.push(place.offset, place.length);
      ids.push(place.id);
      const end = place.offset + place.length;
      if (end - from >= pieceBytes) await send(end);
    }
    await send(node.size);
  }
}
