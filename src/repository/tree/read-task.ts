import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Fault } from '../../base/faults.ts';
import type { Extent } from '../contract.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import type { ChunkSink } from '../packs/chunk-sink.ts';
import type { Task, WorkerContext } from '../workers/task.ts';
import { ByteWriter } from './bytes.ts';
import { chunkMaxBytes, chunkMinBytes, findCut } from './chunker.ts';
import { ContentBuilder } from './content.ts';
import { describeNode } from './describe.ts';
import { factsOf } from './facts.ts';
import { explain } from './list-task.ts';
import { writeBody } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';
import { listDataExtents } from './posix-extents.ts';

/** Files beyond this size are read in pieces of it, by several threads. Pieces begin at its multiples. */
export const pieceBytes = 128 * 1024 * 1024;
/** A range of data up to this length is one chunk; longer ones are cut by their content. */
const wholeChunkBytes = 1024 * 1024;
/** Shorter holes are read as the zeros they are: recording them costs more than storing them. */
const minHoleBytes = 64 * 1024;

export interface ReadFilesInput {
  /** Absolute, in the form of a `TreePath`. */
  readonly root: string;
  /** Paths of files, joined by NUL. */
  readonly paths: string;
  readonly changedBeforeNs: bigint;
}

export interface ReadFilesOutput {
  /** A `ReadResult` byte and, where it is `kept`, varint length and body: one after the other in the order of the paths. */
  readonly results: Uint8Array<ArrayBuffer>;
  readonly warnings: readonly string[];
  /** What the sink was told of, for the progress. */
  readonly logicalBytes: number;
}

export const readResult = { kept: 0, leftOut: 1, tooLarge: 2 } as const;

/** Each thread has them once, not one for each file. */
const results = new ByteWriter(32 * 1024);
const bodyWriter = new ByteWriter(1024);

/** Reads, chunks and stores a batch of files (256 of them, or 4 MiB) and encodes their nodes. */
export const readFilesTask: Task<ReadFilesInput, ReadFilesOutput> = {
  name: 'tree.read-files',
  run(input, context) {
    results.clear();
    const warnings: string[] = [];
    const counted = { bytes: 0 };
    for (const path of input.paths.split('\0')) {
      context.throwIfAborted();
      readFile(input, path, context, (line) => warnings.push(line), counted);
    }
    const taken = results.take();
    context.transfer(taken.buffer);
    return { results: taken, warnings, logicalBytes: counted.bytes };
  },
};

function readFile(
  input: ReadFilesInput,
  path: TreePath,
  context: WorkerContext,
  warn: (line: string) => void,
  counted: { bytes: number },
): void {
  let fd: number | undefined;
  try {
    // Non-blocking, as a FIFO may have taken the file's place.
    fd = openSync(systemPath(input.root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) {
      warn(becameElseLine(path));
      results.byte(readResult.leftOut);
    } else if (before.size > pieceBytes) results.byte(readResult.tooLarge);
    else keepFile(input, path, fd, before, context, warn, counted);
  } catch (error) {
    results.byte(readResult.leftOut);
    warn(leftOutLine(path, error));
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The warning for a file that could not be read; what no file is to blame for is thrown on. */
export function leftOutLine(path: TreePath, error: unknown): string {
  const errno = errnoOf(error);
  const foreign = error instanceof Fault && error.code !== 'repository.file_failed';
  if (foreign || errno === undefined || ['EMFILE', 'ENFILE', 'ENOMEM'].includes(errno)) throw error;
  if (errno === 'ELOOP') return `${treePathText(path)} was left out: it became a link while the tree was read.`;
  return `${treePathText(path)} was left out: it ${explain(errno)}.`;
}

export function becameElseLine(path: TreePath): string {
  return `${treePathText(path)} was left out: it became something else than a file while the tree was read.`;
}

function keepFile(
  input: ReadFilesInput,
  path: TreePath,
  fd: number,
  first: BigIntStats,
  context: WorkerContext,
  warn: (line: string) => void,
  counted: { bytes: number },
): void {
  let before = first;
  for (let again = false; ; again = true) {
    const size = Number(before.size);
    const content = new ContentBuilder();
    let end = size;
    let at = 0;
    for (const range of dataRanges(fd, before)) {
      const read = storeRange(fd, range, context, (offset, length, id) => content.add(offset, length, id));
      counted.bytes += read;
      context.sink.countReused(range.offset - at);
      counted.bytes += range.offset - at;
      at = range.offset + read;
      if (read < range.length) {
        end = at;
        break;
      }
    }
    context.sink.countReused(end - at);
    counted.bytes += end - at;
    const after = fstatSync(fd, { bigint: true });
    const changed = !sameState(before, after);
    if (changed && !again) {
      before = after;
      continue;
    }
    if (changed) warn(`${treePathText(path)} changed while it was read, twice: it was kept as it was read.`);
    const facts = { ...factsOf(before), type: 'file' as const };
    const node = describeNode(input.root, path, facts, changed ? 0n : input.changedBeforeNs, warn, fd);
    const lists = content.takeLists().map((list) => Buffer.from(context.sink.storeMap(list)));
    bodyWriter.clear();
    writeBody(bodyWriter, { ...node, size: end, content: content.describe(end, lists) });
    results.byte(readResult.kept);
    results.sizedBytes(bodyWriter.written);
    return;
  }
}

/** No write to the file was seen between the two. */
export function sameState(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs && before.ino === after.ino
  );
}

/** Data of a file, ascending, with small holes counted as data. */
export function dataRanges(fd: number, stat: BigIntStats): Extent[] {
  const size = Number(stat.size);
  if (size === 0) return [];
  if (size < minHoleBytes || stat.blocks * 512n >= stat.size) return [{ offset: 0, length: size }];
  const ranges: { offset: number; length: number }[] = [];
  for (const { offset, length } of listDataExtents(fd, size)) {
    const last = ranges.at(-1);
    if (last !== undefined && offset - (last.offset + last.length) < minHoleBytes) last.length = offset + length - last.offset;
    else ranges.push({ offset, length });
  }
  return ranges;
}

let scratch: Buffer | undefined;

/** Chunks and stores one range of a file and gives the number of bytes that were there to read. */
function storeRange(
  fd: number,
  range: Extent,
  context: WorkerContext,
  add: (offset: number, length: number, id: Uint8Array) => void,
): number {
  scratch ??= Buffer.allocUnsafeSlow(2 * chunkMaxBytes);
  const buffer = scratch;
  const whole = range.length <= wholeChunkBytes;
  let end = range.offset + range.length;
  let readAt = range.offset;
  let begin = 0;
  let filled = 0;
  for (let chunkAt = range.offset; chunkAt < end; ) {
    if (readAt < end && filled - begin < chunkMaxBytes) {
      buffer.copyWithin(0, begin, filled);
      filled -= begin;
      begin = 0;
      while (readAt < end && filled < buffer.length) {
        const read = readSome(fd, buffer, filled, Math.min(buffer.length - filled, end - readAt), readAt);
        if (read === 0) end = readAt;
        filled += read;
        readAt += read;
      }
      if (filled === 0) break;
    }
    context.throwIfAborted();
    const length = whole ? filled - begin : findCut(buffer, begin, filled);
    add(chunkAt, length, storeChunk(context.sink, buffer.subarray(begin, begin + length)));
    begin += length;
    chunkAt += length;
  }
  return end - range.offset;
}

function readSome(fd: number, buffer: Buffer, at: number, length: number, position: number): number {
  try {
    return readSync(fd, buffer, at, length, position);
  } catch (error) {
    // As a fault it keeps its errno on the way to the main thread.
    throw fileFault(error, 'read', `file descriptor ${fd}`);
  }
}

function storeChunk(sink: ChunkSink, plain: Uint8Array): Uint8Array {
  return plain.length < chunkMinBytes ? sink.storeSmall(plain, 'fast') : sink.store(plain, 'fast');
}

export interface ReadPieceInput {
  readonly fd: number;
  /** Offset and length in turn. */
  readonly ranges: Float64Array<ArrayBuffer>;
}

export interface ReadPieceOutput {
  /** Offset and length of each chunk in turn. */
  readonly places: Float64Array<ArrayBuffer>;
  readonly ids: Uint8Array<ArrayBuffer>;
  readonly bytes: number;
  /** Where the file ended when it was cut short meanwhile; undefined when all was there to read. */
  readonly end: number | undefined;
}

/** Reads a part of a large file that the main thread holds open. */
export const readPieceTask: Task<ReadPieceInput, ReadPieceOutput> = {
  name: 'tree.read-piece',
  run({ fd, ranges }, context) {
    const places: number[] = [];
    const ids: Uint8Array[] = [];
    let bytes = 0;
    let end: number | undefined;
    for (let i = 0; i < ranges.length && end === undefined; i += 2) {
      const range = { offset: ranges[i] as number, length: ranges[i + 1] as number };
      const read = storeRange(fd, range, context, (offset, length, id) => {
        places.push(offset, length);
        ids.push(Buffer.from(id));
      });
      bytes += read;
      if (read < range.length) end = range.offset + read;
    }
    return { places: Float64Array.from(places), ids: new Uint8Array(Buffer.concat(ids)), bytes, end };
  },
};

/** Stores lists of runs that the main thread put together. */
export const storeListsTask: Task<readonly Uint8Array[], readonly Uint8Array[]> = {
  name: 'tree.store-lists',
  run: (lists, context) => lists.map((list) => new Uint8Array(context.sink.storeMap(list))),
};
