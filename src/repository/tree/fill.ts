import { linkSync, lstatSync, mkdirSync } from 'node:fs';
import { throwIfAborted } from '../../base/abort.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import { batchTransfer } from '../packs/chunk-source.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { identifySegmentsTask, treeDigestTask } from './digest.ts';
import { readBody, type TreeNode } from './node.ts';
import { NodeListWriter } from './node-list.ts';
import { parentPath, systemPath, type TreePath } from './path.ts';
import { readPlaces, TreeCursor } from './reader.ts';
import { countBytes, type RestoreRun } from './restore-run.ts';
import { makeNodesTask, restoreBatchTask } from './restore-task.ts';
import { WorkWindow } from './window.ts';

/** Chunks that are fetched and written together: enough that nearly every pack is fetched once, about 20 MiB of memory. */
const maxWants = 64 * 1024;
const maxWindowBytes = 8 * 1024 * 1024;
/** Nodes that a worker thread makes at once. */
const batchNodes = 256;

interface Want {
  readonly nodeAt: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * The first pass of a restore: makes everything, folders without their metadata. Nodes are taken in tree order, some ten thousands at a time;
 * their chunks are written pack by pack, then what had to wait for them is made, hard links last.
 */
export class TreeFill {
  sizeBytes = 0;
  files = 0;
  readonly #run: RestoreRun;
  readonly #count: (bytes: number) => void;
  /** One more than threads, each with a pack: that is what bounds memory. */
  readonly #window: WorkWindow;
  /** Files that chunks are still to come for. */
  readonly #filling = new NodeListWriter();
  #wants: Want[] = [];
  #wantedIds: Uint8Array[] = [];
  /** Nodes to make once the chunks are written. */
  readonly #later = new NodeListWriter();
  #laterLists: Buffer<ArrayBuffer>[] = [];
  #laterBytes = 0;
  #links: { readonly path: TreePath; readonly target: TreePath }[] = [];
  /** The folder of the last hard link's first name: reached through folders alone. */
  #checkedParent: TreePath | undefined;
  #ownersDiffer = false;

  constructor(run: RestoreRun) {
    this.#run = run;
    this.#count = countBytes(run, 'restore');
    this.#window = new WorkWindow(run.core.threads + 1);
  }

  /** @throws {Fault} `repository.tree_damaged` (corrupt), also when the digest of the nodes is not the snapshot's */
  async run(): Promise<void> {
    const cursor = new TreeCursor(this.#run.core.source, this.#run.snapshot, this.#run.options.signal);
    const bareIds: Uint8Array[] = [];
    try {
      for (let segment = await cursor.load(); segment !== undefined; segment = await cursor.load()) {
        throwIfAborted(this.#run.options.signal);
        bareIds.push(
          ...(await this.#run.core.run(
            identifySegmentsTask,
            { segments: [segment], keyId: this.#run.target.keyId },
            { signal: this.#run.options.signal },
          )),
        );
        while (cursor.next()) await this.#add(cursor.path, cursor.body);
      }
      await this.#closeWindow();
    } finally {
      // No task may write into the partial folder any more when it is removed.
      await this.#window.idle();
      await cursor.close();
    }
    const digest = await this.#run.core.run(
      treeDigestTask,
      { bareIds, keyId: this.#run.target.keyId },
      { signal: this.#run.options.signal },
    );
    if (digest !== this.#run.snapshot.digest) throw treeDamaged('its digest is not the one the snapshot names');
    if (this.#ownersDiffer) {
      this.#run.warnings.add(
        'Owners were not restored, nor setuid and setgid bits of files of others: only root may set them. Everything belongs to the user Karri runs as.',
      );
    }
  }

  async #add(path: TreePath, body: Buffer): Promise<void> {
    const node = readBody(new ByteReader(body));
    if (node.type !== 'hardlink' && !this.#run.target.setsOwners && node.uid !== process.geteuid?.()) this.#ownersDiffer = true;
    if (node.type === 'folder') {
      if (path !== '') this.#makeFolder(path);
      return;
    }
    this.files++;
    this.sizeBytes += node.size;
    if (node.type === 'hardlink') this.#links.push({ path, target: node.target });
    else if (node.content.form === 'none') this.#makeLater(path, body);
    else await this.#want(path, body, node);
    const bytes = this.#filling.byteLength + this.#laterBytes + this.#links.length * 100;
    if (this.#wants.length >= maxWants || bytes >= maxWindowBytes) await this.#closeWindow();
  }

  #makeFolder(path: TreePath): void {
    const place = systemPath(this.#run.target.root, path);
    try {
      mkdirSync(place, { mode: 0o700 });
    } catch (error) {
      throw fileFault(error, 'make the folder', place);
    }
  }

  async #want(path: TreePath, body: Buffer, node: TreeNode): Promise<void> {
    const nodeAt = this.#filling.add(path, body);
    if (node.content.form === 'chunk') {
      this.#wants.push({ nodeAt, offset: -1, length: node.size });
      this.#wantedIds.push(node.content.id);
      return;
    }
    let at = nodeAt;
    for await (const place of readPlaces(this.#run.core.source, node, this.#run.options.signal)) {
      if (this.#wants.length >= maxWants) {
        await this.#writeChunks();
        at = this.#filling.add(path, body);
      }
      this.#wants.push({ nodeAt: at, offset: place.offset, length: place.length });
      this.#wantedIds.push(place.id);
    }
    // Its size, owner, mode and times wait until all chunks are written.
    this.#makeLater(path, body);
  }

  #makeLater(path: TreePath, body: Buffer): void {
    this.#later.add(path, body);
    if (this.#later.count < batchNodes) return;
    this.#laterBytes += this.#later.byteLength;
    this.#laterLists.push(this.#later.take());
  }

  async #closeWindow(): Promise<void> {
    await this.#writeChunks();
    for (const nodes of [...this.#laterLists, this.#later.take()]) {
      await this.#window.start(async () => {
        const output = await this.#run.core.run(
          makeNodesTask,
          { target: this.#run.target, nodes },
          { signal: this.#run.options.signal, transfer: [nodes.buffer] },
        );
        for (const line of output.warnings) this.#run.warnings.add(line);
      });
    }
    this.#laterLists = [];
    this.#laterBytes = 0;
    await this.#window.drain();
    for (const { path, target } of this.#links) this.#link(path, target);
    this.#links = [];
  }

  async #writeChunks(): Promise<void> {
    if (this.#wants.length === 0) return;
    const list = this.#wants;
    const ids = Buffer.concat(this.#wantedIds);
    this.#wants = [];
    this.#wantedIds = [];
    const wants = {
      nodes: this.#filling.takeShared(),
      nodeAt: new Uint32Array(new SharedArrayBuffer(list.length * 4)),
      offsets: new Float64Array(new SharedArrayBuffer(list.length * 8)),
      lengths: new Uint32Array(new SharedArrayBuffer(list.length * 4)),
    };
    for (const [i, want] of list.entries()) {
      wants.nodeAt[i] = want.nodeAt;
      wants.offsets[i] = want.offset;
      wants.lengths[i] = want.length;
    }
    for await (const batch of this.#run.core.source.batches(ids, { signal: this.#run.options.signal })) {
      await this.#window.start(async () => {
        const input = { target: this.#run.target, wants, batch };
        const output = await this.#run.core.run(restoreBatchTask, input, {
          signal: this.#run.options.signal,
          transfer: batchTransfer(batch),
        });
        for (const line of output.warnings) this.#run.warnings.add(line);
        this.#count(output.bytes);
      });
    }
    await this.#window.drain();
  }

  /** The first name must be a file that was made here, reached through folders alone. */
  #link(path: TreePath, target: TreePath): void {
    const parent = parentPath(target);
    const parts = target.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) {
      throw treeDamaged('it holds a hard link that leads out of it');
    }
    try {
      if (this.#checkedParent !== parent) {
        for (let at = parent; at !== ''; at = parentPath(at)) {
          if (!lstatSync(systemPath(this.#run.target.root, at)).isDirectory())
            throw treeDamaged('it holds a hard link that leads out of it');
        }
        this.#checkedParent = parent;
      }
      const place = systemPath(this.#run.target.root, target);
      if (!lstatSync(place).isFile()) throw treeDamaged('it holds a hard link to something else than a file');
      linkSync(place, systemPath(this.#run.target.root, path));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw treeDamaged('it holds a hard link to nothing');
      throw fileFault(error, 'make the hard link', systemPath(this.#run.target.root, path));
    }
  }
}
