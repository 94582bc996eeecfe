import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../base/abort.ts';
import { Fault } from '../base/faults.ts';
import { batchTransfer } from './chunk-source.ts';
import type { RestoreSummary, TransferOptions } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import { errnoOf, fileFault } from './file-faults.ts';
import { loadPosix } from './posix.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { finishFolder } from './tree-apply.ts';
import { ByteReader, treeDamaged } from './tree-bytes.ts';
import { checkNode } from './tree-check.ts';
import { identifySegmentsTask, treeDigestTask } from './tree-digest.ts';
import { idBytes, isTypeOf, readBody, type TreeNode } from './tree-node.ts';
import { NodeListWriter } from './tree-node-list.ts';
import { bytePath, parentPath, systemPath, type TreePath } from './tree-path.ts';
import { readPlaces, segmentIds, TreeCursor } from './tree-reader.ts';
import { checkNodesTask, checkPlacesTask, makeNodesTask, restoreBatchTask, type Target } from './tree-restore-task.ts';
import { SegmentReader } from './tree-segments.ts';
import { Warnings } from './tree-warnings.ts';
import { WorkWindow } from './tree-window.ts';

/** Chunks that are fetched and written together: enough that nearly every pack is fetched once, about 20 MiB of memory. */
const maxWants = 64 * 1024;
const maxWindowBytes = 8 * 1024 * 1024;
/** Nodes handed to a worker thread at once. */
const batchNodes = 256;
const batchBytes = 8 * 1024 * 1024;
/** Of a large file, read back by one task. */
const checkPieceBytes = 64 * 1024 * 1024;

/**
 * Restores a tree exactly: made as `<path>.partial-…` beside the target, read back and compared, made durable, then renamed. The target is absent or an
 * empty folder. On failure the partial folder is removed.
 * @throws {Fault} `repository.target_not_empty` (conflict), `repository.digest_differs`, `repository.tree_damaged` (corrupt), `base.cancelled`
 */
export async function restoreTree(
  core: RepositoryCore,
  snapshot: SnapshotRecord,
  target: { readonly path: string },
  options: TransferOptions,
): Promise<RestoreSummary> {
  segmentIds(snapshot);
  const path = resolve(target.path);
  checkTarget(path);
  const partial = join(dirname(path), `${basename(path)}.partial-${randomBytes(6).toString('hex')}`);
  const warnings = new Warnings();
  for (const gap of loadPosix().gaps) warnings.add(gap);
  try {
    makePartial(partial);
    const restore = new TreeRestore(core, snapshot, partial, warnings, options);
    await restore.fill();
    await restore.check();
    await restore.finishFolders();
    loadPosix().syncFilesystem(Buffer.from(partial));
    putInPlace(partial, path);
    return { sizeBytes: restore.sizeBytes, digest: snapshot.digest, files: restore.files, warnings: warnings.list() };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

function checkTarget(path: string): void {
  try {
    const names = readdirSync(path);
    if (names.length === 0) return;
    throw new Fault('conflict', 'repository.target_not_empty', `${path} is not empty.`, {
      help: 'Restore to a folder that is absent or empty.',
    });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') {
      throw new Fault('conflict', 'repository.target_not_empty', `${path} is no folder.`, {
        help: 'Restore to a folder that is absent or empty.',
      });
    }
    if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'look into', path);
  }
}

/** Closed to everybody else until the end, so nobody can put a link in the way. */
function makePartial(partial: string): void {
  try {
    mkdirSync(partial, { mode: 0o700 });
    // A default ACL of the parent would pass to everything made below.
    const place = Buffer.from(partial);
    for (const { name } of loadPosix().readXattrs(place)) {
      if (name.toString().startsWith('system.posix_acl_')) loadPosix().removeXattr(place, name);
    }
  } catch (error) {
    throw fileFault(error, 'make the folder', partial);
  }
}

function putInPlace(partial: string, path: string): void {
  try {
    renameSync(partial, path);
    const parent = openSync(dirname(path), 'r');
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
  } catch (error) {
    if (errnoOf(error) === 'EBUSY' || errnoOf(error) === 'EXDEV') {
      throw new Fault(
        'conflict',
        'repository.target_is_mount',
        `${path} is a mount point and cannot be replaced by what was restored.`,
        {
          cause: error,
          help: 'Restore to a folder inside it.',
        },
      );
    }
    throw fileFault(error, 'put in place', path);
  }
}

interface Want {
  readonly nodeAt: number;
  readonly offset: number;
  readonly length: number;
}

class TreeRestore {
  sizeBytes = 0;
  files = 0;
  readonly #core: RepositoryCore;
  readonly #snapshot: SnapshotRecord;
  readonly #target: Target;
  readonly #warnings: Warnings;
  readonly #options: TransferOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #window: WorkWindow;
  /** Files that chunks are still to come for. */
  readonly #filling = new NodeListWriter();
  #wants: Want[] = [];
  #wantedIds: Uint8Array[] = [];
  /** Nodes to make once the chunks of the window are written. */
  readonly #later = new NodeListWriter();
  #laterLists: Buffer<ArrayBuffer>[] = [];
  #laterBytes = 0;
  #links: { readonly path: TreePath; readonly target: TreePath }[] = [];
  #doneBytes = 0;
  /** Folders that a hard link's first name was reached through without meeting a link. */
  #checkedParent: TreePath | undefined;
  #ownersDiffer = false;

  constructor(core: RepositoryCore, snapshot: SnapshotRecord, partial: string, warnings: Warnings, options: TransferOptions) {
    this.#core = core;
    this.#snapshot = snapshot;
    this.#target = { root: bytePath(partial), setsOwners: process.geteuid?.() === 0, keyId: snapshot.keyId };
    this.#warnings = warnings;
    this.#options = options;
    this.#signal = options.signal;
    this.#window = new WorkWindow(core.threads * 2);
  }

  /** First pass: everything is made, folders without their metadata. Checks that the tree's digest is the snapshot's. */
  async fill(): Promise<void> {
    const cursor = new TreeCursor(this.#core.source, this.#snapshot, this.#signal);
    const bareIds: Uint8Array[] = [];
    try {
      for (let segment = await cursor.load(); segment !== undefined; segment = await cursor.load()) {
        throwIfAborted(this.#signal);
        bareIds.push(
          ...(await this.#core.run(
            identifySegmentsTask,
            { segments: [segment], keyId: this.#target.keyId },
            { signal: this.#signal },
          )),
        );
        while (cursor.next()) await this.#add(cursor.path, cursor.body);
      }
      await this.#closeWindow();
    } finally {
      await this.#settle();
      await cursor.close();
    }
    const digest = await this.#core.run(treeDigestTask, { bareIds, keyId: this.#target.keyId }, { signal: this.#signal });
    if (digest !== this.#snapshot.digest) throw treeDamaged('its digest is not the one the snapshot names');
    if (this.#ownersDiffer) {
      this.#warnings.add(
        'Owners were not restored, nor setuid and setgid bits of files of others: only root may set them. Everything belongs to the user Karri runs as.',
      );
    }
  }

  async #add(path: TreePath, body: Buffer): Promise<void> {
    const node = readBody(new ByteReader(body));
    if (node.type !== 'hardlink' && !this.#target.setsOwners && node.uid !== process.geteuid?.()) this.#ownersDiffer = true;
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
    const place = systemPath(this.#target.root, path);
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
    for await (const place of readPlaces(this.#core.source, node, this.#signal)) {
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
        const output = await this.#core.run(
          makeNodesTask,
          { target: this.#target, nodes },
          { signal: this.#signal, transfer: [nodes.buffer] },
        );
        for (const line of output.warnings) this.#warnings.add(line);
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
    for await (const batch of this.#core.source.batches(ids, { signal: this.#signal })) {
      await this.#window.start(async () => {
        const input = { target: this.#target, wants, batch };
        const output = await this.#core.run(restoreBatchTask, input, { signal: this.#signal, transfer: batchTransfer(batch) });
        for (const line of output.warnings) this.#warnings.add(line);
        this.#progress('restore', output.bytes);
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
          if (!lstatSync(systemPath(this.#target.root, at)).isDirectory())
            throw treeDamaged('it holds a hard link that leads out of it');
        }
        this.#checkedParent = parent;
      }
      const place = systemPath(this.#target.root, target);
      if (!lstatSync(place).isFile()) throw treeDamaged('it holds a hard link to something else than a file');
      linkSync(place, systemPath(this.#target.root, path));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw treeDamaged('it holds a hard link to nothing');
      throw fileFault(error, 'make the hard link', systemPath(this.#target.root, path));
    }
  }

  /** Second pass: everything but folders is read back. */
  async check(): Promise<void> {
    this.#doneBytes = 0;
    const cursor = new TreeCursor(this.#core.source, this.#snapshot, this.#signal);
    const list = new NodeListWriter();
    let bytes = 0;
    try {
      while ((await cursor.load()) !== undefined) {
        throwIfAborted(this.#signal);
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
      await this.#settle();
      await cursor.close();
    }
  }

  async #checkNodes(list: NodeListWriter): Promise<void> {
    if (list.count === 0) return;
    const nodes = list.take();
    await this.#window.start(async () => {
      const output = await this.#core.run(
        checkNodesTask,
        { target: this.#target, nodes },
        { signal: this.#signal, transfer: [nodes.buffer] },
      );
      for (const line of output.warnings) this.#warnings.add(line);
      this.#progress('verify', output.bytes);
    });
  }

  async #checkListed(path: TreePath, node: TreeNode): Promise<void> {
    let from = 0;
    let places: number[] = [];
    let ids: Uint8Array[] = [];
    const send = async (to: number): Promise<void> => {
      const input = {
        target: this.#target,
        path,
        from,
        to,
        places: Float64Array.from(places),
        ids: new Uint8Array(Buffer.concat(ids)),
      };
      await this.#window.start(async () => {
        await this.#core.run(checkPlacesTask, input, { signal: this.#signal });
        this.#progress('verify', input.to - input.from);
      });
      from = to;
      places = [];
      ids = [];
    };
    for await (const place of readPlaces(this.#core.source, node, this.#signal)) {
      places.push(place.offset, place.length);
      ids.push(place.id);
      const end = place.offset + place.length;
      if (end - from >= checkPieceBytes) await send(end);
    }
    await send(node.size);
  }

  /** Third pass, backwards: each folder gets its metadata once nothing in it changes any more, and is compared at once. */
  async finishFolders(): Promise<void> {
    const ids = segmentIds(this.#snapshot);
    const apply = { ...this.#target, warn: this.#warnings.add };
    for (let at = ids.length - idBytes; at >= 0; at -= idBytes) {
      throwIfAborted(this.#signal);
      await setImmediate();
      const [segment] = await this.#core.source.fetch(ids.subarray(at, at + idBytes), { signal: this.#signal });
      if (segment === undefined) throw treeDamaged('a segment is missing');
      const reader = new SegmentReader(segment);
      const folders: { readonly path: TreePath; readonly body: Buffer }[] = [];
      while (reader.next()) if (isTypeOf(reader.body, 'folder')) folders.push({ path: reader.path, body: reader.body });
      for (const { path, body } of folders.reverse()) {
        const node = readBody(new ByteReader(body));
        finishFolder(apply, path, node);
        checkNode(apply, path, node);
      }
    }
  }

  #progress(phase: 'restore' | 'verify', bytes: number): void {
    this.#doneBytes += bytes;
    this.#options.onProgress?.({
      phase,
      doneBytes: this.#doneBytes,
      totalBytes: this.#snapshot.sizeBytes,
      storedBytes: 0,
      reusedBytes: 0,
    });
  }

  /** No task may write into the partial folder any more when it is removed. */
  async #settle(): Promise<void> {
    await this.#window.idle();
  }
}
