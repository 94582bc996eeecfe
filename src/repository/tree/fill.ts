import { linkSync, lstatSync, mkdirSync } from 'node:fs';
import { throwIfAborted } from '../../base/abort.ts';
import type { Fault } from '../../base/faults.ts';
import { eachLimited } from '../each-limited.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import { type BlockBatch, batchTransfer } from '../packs/chunk-source.ts';
import type { BadPiece } from '../packs/open-batch.ts';
import { placeChunksOf } from '../packs/place-chunks.ts';
import { ByteReader, treeDamaged } from './bytes.ts';
import { identifySegmentsTask, treeDigestTask } from './digest.ts';
import { listUntilLost } from './loss.ts';
import { readBody, type TreeNode } from './node.ts';
import { readNodeAt } from './node-list.ts';
import { parentPath, systemPath, type TreePath, treePathText } from './path.ts';
import { TreeReadBack } from './read-back.ts';
import { readPlaces, TreeCursor } from './reader.ts';
import { countBytes, type RestoreRun } from './restore-run.ts';
import { makeNodesTask, restoreBatchTask } from './restore-task.ts';
import { type LinkToMake, type RestoreWindow, WindowBuilder } from './restore-window.ts';
import { WorkWindow } from './window.ts';

/** Nodes that a worker thread makes at once. */
const batchNodes = 256;
/** Segments that wait for their digest; while threads are busy a walk that waited for each would be the slowest of all. */
const segmentsWaiting = 16;

/**
 * Makes everything, folders without their metadata, and reads it back. While one window of nodes is collected here, the chunks of the one before are
 * written pack by pack, then what had to wait for them is made, hard links last; and the one before that is read back.
 */
export class TreeFill {
  sizeBytes = 0;
  files = 0;
  readonly #run: RestoreRun;
  readonly #count: (bytes: number) => void;
  readonly #readBack: TreeReadBack;
  readonly #onFilled: () => void;
  readonly #digests = new WorkWindow(segmentsWaiting);
  readonly #bareIds: Uint8Array[] = [];
  readonly #builder = new WindowBuilder();
  #filling: Promise<void> = Promise.resolve();
  #checking: Promise<void> = Promise.resolve();
  /** The folder of the last hard link's first name: reached through folders alone. */
  #checkedParent: TreePath | undefined;
  #ownersDiffer = false;

  /** `onFilled` is called when a window has been written. */
  constructor(run: RestoreRun, onFilled: () => void) {
    this.#run = run;
    this.#count = countBytes(run, 'restore');
    this.#readBack = new TreeReadBack(run);
    this.#onFilled = onFilled;
  }

  /**
   * Gives the digest of what was made, which is the snapshot's unless something was lost.
   * @throws {Fault} `repository.tree_damaged`, `repository.digest_differs` (corrupt)
   */
  async run(): Promise<string> {
    const { core, snapshot, target, options, warnings, loss } = this.#run;
    const { signal } = options;
    const cursor = new TreeCursor(core.source, snapshot, { signal, loss: options.salvage === true ? loss : undefined });
    try {
      for (let segment = await cursor.load(); segment !== undefined; segment = await cursor.load()) {
        throwIfAborted(signal);
        await this.#identify(segment);
        while (cursor.next()) {
          for (const folder of cursor.standIns) this.#standIn(folder);
          await this.#add(cursor.path, cursor.body);
        }
      }
      await this.#closeWindow();
      await this.#filling;
      await this.#checking;
      await this.#digests.drain();
    } finally {
      // No task may write into the partial folder any more when it is removed.
      await Promise.allSettled([this.#filling]);
      await Promise.allSettled([this.#checking, this.#digests.idle()]);
      await cursor.close();
    }
    if (this.#ownersDiffer) {
      warnings.add(
        'Owners were not restored, nor setuid and setgid bits of files of others: only root may set them. Everything belongs to the user Karri runs as.',
      );
    }
    // With what is lost as if it were one more segment: such a tree is no other's equal.
    const bareIds = loss.isEmpty ? this.#bareIds : [...this.#bareIds, Buffer.from(JSON.stringify(loss.list()))];
    const digest = await core.run(treeDigestTask, { bareIds, keyId: target.keyId }, { signal });
    if (digest !== snapshot.digest && loss.isEmpty) throw treeDamaged('its digest is not the one the snapshot names');
    return digest;
  }

  async #identify(segment: Buffer): Promise<void> {
    const { core, target, options } = this.#run;
    const place = this.#bareIds.length;
    this.#bareIds.push(noId);
    await this.#digests.start(async () => {
      const input = { segments: [segment], keyId: target.keyId };
      const [bareId = noId] = await core.run(identifySegmentsTask, input, { signal: options.signal });
      this.#bareIds[place] = bareId;
    });
  }

  /** A folder that was lost, but things in it were not. */
  #standIn(path: TreePath): void {
    this.#run.loss.addNode(path, 'Owner, mode, time and attributes of the folder are lost.');
    if (path !== '') this.#makeFolder(path);
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
    await this.#addNode(path, body, node);
    if (this.#builder.isFull) await this.#closeWindow();
  }

  #makeFolder(path: TreePath): void {
    const place = systemPath(this.#run.target.root, path);
    try {
      mkdirSync(place, { mode: 0o700 });
    } catch (error) {
      throw fileFault(error, 'make the folder', place);
    }
  }

  async #addNode(path: TreePath, body: Buffer, node: TreeNode): Promise<void> {
    const { core, options, loss } = this.#run;
    let at = this.#builder.add(path, body);
    const { content } = node;
    if (node.type === 'hardlink') this.#builder.link({ path, target: node.target });
    else if (content.form === 'chunk') this.#builder.want(at, -1, node.size, content.id);
    else {
      const onLost = (from: number, fault: Fault): void => loss.addRange(path, from, node.size - from, fault);
      const places = readPlaces(core.source, node, options.signal);
      for await (const { offset, length, id } of listUntilLost(node, places, options.salvage === true ? onLost : undefined)) {
        if (this.#builder.isFull) {
          await this.#closeWindow();
          at = this.#builder.add(path, body);
        }
        this.#builder.want(at, offset, length, id);
      }
      // Its size, owner, mode and times wait until all chunks are written.
      this.#builder.makeLater(at);
    }
    this.#builder.check(at, node);
  }

  /** Hands what was collected on, once the window before is written. */
  async #closeWindow(): Promise<void> {
    const window = this.#builder.take();
    await this.#filling;
    this.#filling = this.#fill(window);
    this.#filling.catch(() => undefined); // awaited before the next one, or at the end
  }

  async #fill(window: RestoreWindow): Promise<void> {
    const { wants, later, links } = window;
    const unmade = await this.#writeChunks(window);
    const nodes = [...later, ...unmade];
    const batches = Array.from({ length: Math.ceil(nodes.length / batchNodes) }, (_, n) =>
      nodes.slice(n * batchNodes, (n + 1) * batchNodes),
    );
    await eachLimited(batches, this.#run.core.threads * 2, (batch) => this.#makeNodes(wants.nodes, batch));
    for (const link of links) this.#link(link);
    this.#onFilled();
    await this.#checking;
    this.#checking = this.#readBack.check(window);
    this.#checking.catch(() => undefined); // as above
  }

  /** Gives the files of one chunk that was lost: they have not been made. */
  async #writeChunks({ wants, ids }: RestoreWindow): Promise<number[]> {
    const { core, target, warnings, options, loss } = this.#run;
    const place = async (batch: BlockBatch): Promise<readonly BadPiece[]> => {
      const input = { target, wants, batch };
      const output = await core.run(restoreBatchTask, input, { signal: options.signal, transfer: batchTransfer(batch) });
      for (const line of output.warnings) warnings.add(line);
      this.#count(output.bytes);
      return output.bad;
    };
    const unmade: number[] = [];
    for (const lost of await placeChunksOf(core, ids, place, options)) {
      for (const want of lost.wants) {
        const nodeAt = wants.nodeAt[want] ?? 0;
        const offset = wants.offsets[want] ?? 0;
        loss.addRange(readNodeAt(wants.nodes, nodeAt).path, Math.max(offset, 0), wants.lengths[want] ?? 0, lost.fault);
        if (offset < 0) unmade.push(nodeAt);
      }
    }
    return unmade;
  }

  async #makeNodes(nodes: Uint8Array<SharedArrayBuffer>, at: readonly number[]): Promise<void> {
    const { core, target, warnings, options } = this.#run;
    const output = await core.run(makeNodesTask, { target, nodes, at: Uint32Array.from(at) }, { signal: options.signal });
    for (const line of output.warnings) warnings.add(line);
  }

  /** The first name must be a file that was made here, reached through folders alone. */
  #link({ path, target }: LinkToMake): void {
    const { root } = this.#run.target;
    const { loss } = this.#run;
    const parent = parentPath(target);
    const parts = target.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) {
      throw treeDamaged('it holds a hard link that leads out of it');
    }
    try {
      if (this.#checkedParent !== parent) {
        for (let at = parent; at !== ''; at = parentPath(at)) {
          if (!lstatSync(systemPath(root, at)).isDirectory()) throw treeDamaged('it holds a hard link that leads out of it');
        }
        this.#checkedParent = parent;
      }
      const place = systemPath(root, target);
      if (!lstatSync(place).isFile()) throw treeDamaged('it holds a hard link to something else than a file');
      linkSync(place, systemPath(root, path));
      loss.addLink(path, target);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'make the hard link', systemPath(root, path));
      if (loss.isEmpty) throw treeDamaged('it holds a hard link to nothing');
      loss.addAbsent(path, `The file is lost: ${treePathText(target)}, of which this is another name, was not found.`);
    }
  }
}

const noId = new Uint8Array(0);
