import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../../base/abort.ts';
import type { RepositoryCore, WriteSession } from '../core.ts';
import { errnoOf } from '../file-faults.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { describeNode } from './describe.ts';
import { type StoredSegment, storeSegmentTask, treeDigestTask } from './digest.ts';
import { readLargeFile } from './large-file.ts';
import { explain } from './list-task.ts';
import { emptyNode, isTypeOf, looksUnchanged, writeBody } from './node.ts';
import type { ParentNodes } from './parent.ts';
import { type TreePath, treePathText } from './path.ts';
import { pieceBytes, type ReadFilesOutput, readFilesTask, readResult } from './read-task.ts';
import { SegmentCutter } from './segments.ts';
import type { TreeEntry } from './walk.ts';
import type { Warnings } from './warnings.ts';
import { WorkWindow } from './window.ts';

const batchFiles = 256;
const batchBytes = 4 * 1024 * 1024;
/** Nodes that may wait for one before them, some 300 bytes each. */
const maxWaiting = 10_000;

/** A node on its way into a segment; they go in tree order, whatever order files are read in. */
interface Slot {
  readonly path: TreePath;
  state: 'waiting' | 'ready' | 'left-out';
  body: Uint8Array;
  /** The first name of the same file, for every other name of it. */
  readonly linkTo: TreePath | undefined;
}

export interface TreeWriteOptions {
  /** Absolute, in the form of a `TreePath`. */
  readonly root: string;
  readonly parent: ParentNodes;
  readonly warnings: Warnings;
  readonly readEverything: boolean;
  readonly changedBeforeNs: bigint;
}

/** One tree on its way into the bank: `add` every entry in tree order, then `finish`. */
export class TreeWrite {
  sizeBytes = 0;
  files = 0;
  readonly #session: WriteSession;
  readonly #root: string;
  readonly #parent: ParentNodes;
  readonly #warnings: Warnings;
  readonly #readEverything: boolean;
  readonly #keyId: string;
  readonly #changedBeforeNs: bigint;
  readonly #window: WorkWindow;
  /** Two large files at a time: their pieces fill the other window. */
  readonly #large = new WorkWindow(2);
  readonly #cutter = new SegmentCutter();
  readonly #segments: StoredSegment[] = [];
  readonly #writer = new ByteWriter(512);
  #segmentCount = 0;
  #slots: Slot[] = [];
  #batch: Slot[] = [];
  #batchBytes = 0;
  #entries = 0;
  #totalBytes = 0;
  /** First names of files that have more of them; removed when all were seen. */
  readonly #links = new Map<string, { readonly path: TreePath; left: number }>();
  /** First names that were left out, and the name that stands in for them, if any. */
  readonly #lost = new Map<TreePath, TreePath | undefined>();

  constructor(core: RepositoryCore, session: WriteSession, options: TreeWriteOptions) {
    this.#session = session;
    this.#root = options.root;
    this.#parent = options.parent;
    this.#warnings = options.warnings;
    this.#readEverything = options.readEverything;
    this.#changedBeforeNs = options.changedBeforeNs;
    this.#keyId = core.writingKeyId;
    this.#window = new WorkWindow(core.threads * 2 + 1);
  }

  async add(entry: TreeEntry): Promise<void> {
    // The walk is synchronous: packs and progress need their turn.
    if (++this.#entries % 512 === 0) {
      this.#session.setTotal(this.#totalBytes);
      await setImmediate();
      throwIfAborted(this.#session.signal);
      this.#throwFailure();
    }
    const { path } = entry;
    let before = this.#parent.find(path);
    while (before === 'load') {
      await this.#parent.load();
      before = this.#parent.find(path);
    }
    const unchanged = before !== undefined && !this.#readEverything && looksUnchanged(before, entry.head) ? before : undefined;
    if (entry.type === 'file') {
      const first = this.#findFirstName(entry);
      if (first !== undefined) this.#slots.push({ path, state: 'ready', body: linkBody(first), linkTo: first });
      else await this.#addFile(entry, unchanged);
    } else if (unchanged !== undefined) this.#slots.push({ path, state: 'ready', body: unchanged, linkTo: undefined });
    else this.#addOther(entry);
    await this.#flush();
    while (this.#slots.length > maxWaiting) {
      await this.#sendBatch();
      await Promise.race([this.#window.settled(), this.#large.settled()]);
      this.#throwFailure();
      await this.#flush();
    }
  }

  /** Ends the reading and gives segments and digest. */
  async finish(): Promise<{ readonly segments: readonly Uint8Array[]; readonly digest: string }> {
    await this.#sendBatch();
    this.#session.setTotal(this.#totalBytes);
    await this.#large.drain();
    await this.#window.drain();
    await this.#large.drain();
    await this.#flush();
    await this.#storeSegment(this.#cutter.finish());
    await this.#window.drain();
    const bareIds = this.#segments.map(({ bareId }) => bareId);
    return {
      segments: this.#segments.map(({ id }) => id),
      digest: await this.#session.run(treeDigestTask, { bareIds, keyId: this.#keyId }),
    };
  }

  #throwFailure(): void {
    this.#window.throwFailure();
    this.#large.throwFailure();
  }

  #findFirstName({ path, names }: TreeEntry): TreePath | undefined {
    if (names === undefined) return undefined;
    const known = this.#links.get(names.key);
    if (known === undefined) {
      this.#links.set(names.key, { path, left: names.count - 1 });
      return undefined;
    }
    if (--known.left === 0) this.#links.delete(names.key);
    return known.path;
  }

  async #addFile({ path, size }: TreeEntry, unchanged: Buffer | undefined): Promise<void> {
    this.#totalBytes += size;
    if (unchanged !== undefined && (this.#parent.hasSimpleContent(unchanged) ?? (await this.#parent.hasContent(unchanged)))) {
      this.#slots.push({ path, state: 'ready', body: unchanged, linkTo: undefined });
      this.#session.countReused(size);
      return;
    }
    const slot: Slot = { path, state: 'waiting', body: noBytes, linkTo: undefined };
    this.#slots.push(slot);
    if (size > pieceBytes) {
      await this.#readLarge(slot);
      return;
    }
    this.#batch.push(slot);
    this.#batchBytes += size;
    if (this.#batch.length >= batchFiles || this.#batchBytes >= batchBytes) await this.#sendBatch();
  }

  #addOther(entry: TreeEntry): void {
    const { path } = entry;
    try {
      writeBody(this.#writer, describeNode(this.#root, path, entry.getFacts(), this.#changedBeforeNs, this.#warnings.add));
      this.#slots.push({ path, state: 'ready', body: this.#writer.take(), linkTo: undefined });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      this.#warnings.add(`${treePathText(path)} was left out: it ${explain(errno)}.`);
    }
  }

  async #readLarge(slot: Slot): Promise<void> {
    await this.#large.start(async () => {
      const body = await readLargeFile(slot.path, {
        root: this.#root,
        session: this.#session,
        window: this.#window,
        changedBeforeNs: this.#changedBeforeNs,
        warn: this.#warnings.add,
      });
      settle(slot, body);
    });
  }

  async #sendBatch(): Promise<void> {
    const slots = this.#batch;
    if (slots.length === 0) return;
    const expectedBytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#window.start(async () => {
      const tooLarge = await this.#readFiles(slots, expectedBytes);
      for (const slot of tooLarge) await this.#readLarge(slot);
    });
  }

  /** Gives the slots of files that have grown beyond what one task reads. */
  async #readFiles(slots: readonly Slot[], expectedBytes: number): Promise<readonly Slot[]> {
    const output: ReadFilesOutput = await this.#session.run(readFilesTask, {
      root: this.#root,
      paths: slots.map(({ path }) => path).join('\0'),
      changedBeforeNs: this.#changedBeforeNs,
    });
    this.#totalBytes += output.logicalBytes - expectedBytes;
    for (const line of output.warnings) this.#warnings.add(line);
    const { results } = output;
    const reader = new ByteReader(Buffer.from(results.buffer, results.byteOffset, results.length));
    const tooLarge: Slot[] = [];
    for (const slot of slots) {
      const result = reader.byte();
      if (result === readResult.tooLarge) tooLarge.push(slot);
      else settle(slot, result === readResult.kept ? reader.view(reader.varint()) : undefined);
    }
    return tooLarge;
  }

  /** Moves what is ready at the head of the line into segments. */
  async #flush(): Promise<void> {
    let done = 0;
    try {
      for (let slot = this.#slots[0]; slot !== undefined && slot.state !== 'waiting'; slot = this.#slots[++done]) {
        if (slot.state === 'left-out') this.#lost.set(slot.path, undefined);
        else if (slot.linkTo !== undefined && this.#lost.has(slot.linkTo)) await this.#addLinkToLost(slot, slot.linkTo);
        else await this.#emit(slot.path, slot.body);
      }
    } finally {
      if (done > 0) this.#slots.splice(0, done);
    }
  }

  /** The first name could not be read, or vanished. Another one may do: it takes the first one's part. */
  async #addLinkToLost(slot: Slot, lostName: TreePath): Promise<void> {
    const standIn = this.#lost.get(lostName);
    if (standIn !== undefined) {
      await this.#emit(slot.path, linkBody(standIn));
      return;
    }
    const fresh: Slot = { path: slot.path, state: 'waiting', body: noBytes, linkTo: undefined };
    for (const large of await this.#readFiles([fresh], 0)) {
      await this.#readLarge(large);
      await this.#large.drain();
    }
    if (fresh.state !== 'ready') return;
    this.#lost.set(lostName, slot.path);
    await this.#emit(fresh.path, fresh.body);
  }

  async #emit(path: TreePath, body: Uint8Array): Promise<void> {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
    if (isTypeOf(buffer, 'file')) this.sizeBytes += Number(buffer.readBigUInt64LE(33));
    if (!isTypeOf(buffer, 'folder')) this.files++;
    const segment = this.#cutter.add(path, body);
    if (segment !== undefined) await this.#storeSegment(segment);
  }

  async #storeSegment(segment: Buffer<ArrayBuffer> | undefined): Promise<void> {
    if (segment === undefined) return;
    const place = this.#segmentCount++;
    await this.#window.start(async () => {
      this.#segments[place] = await this.#session.run(storeSegmentTask, { segment, keyId: this.#keyId }, [segment.buffer]);
    });
  }
}

const noBytes = new Uint8Array(0);

function settle(slot: Slot, body: Uint8Array | undefined): void {
  slot.state = body === undefined ? 'left-out' : 'ready';
  slot.body = body ?? noBytes;
}

function linkBody(target: TreePath): Uint8Array {
  const writer = new ByteWriter(64 + target.length);
  writeBody(writer, { ...emptyNode, type: 'hardlink', target });
  return writer.take();
}
