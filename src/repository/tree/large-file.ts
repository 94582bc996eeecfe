import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Extent } from '../contract.ts';
import type { WriteSession } from '../core.ts';
import { ByteWriter } from './bytes.ts';
import { ContentBuilder } from './content.ts';
import { describeNode } from './describe.ts';
import { factsOf } from './facts.ts';
import { idBytes, writeBody } from './node.ts';
import { systemPath, type TreePath, treePathText } from './path.ts';
import {
  becameElseLine,
  dataRanges,
  leftOutLine,
  pieceBytes,
  type ReadPieceInput,
  type ReadPieceOutput,
  readPieceTask,
  sameState,
  storeListsTask,
} from './read-task.ts';
import type { WorkWindow } from './window.ts';

export interface LargeFileOptions {
  readonly root: string;
  readonly session: WriteSession;
  /** Pieces take their turn here. */
  readonly window: WorkWindow;
  readonly changedBeforeNs: bigint;
  readonly warn: (line: string) => void;
}

/** Reads a file in pieces by all threads and gives the body of its node; undefined (and a warning) when it has to be left out. */
export async function readLargeFile(path: TreePath, options: LargeFileOptions): Promise<Buffer | undefined> {
  let fd: number | undefined;
  try {
    fd = openSync(systemPath(options.root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    let before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) {
      options.warn(becameElseLine(path));
      return undefined;
    }
    for (let again = false; ; again = true) {
      const read = await readPieces(fd, before, options);
      const after = fstatSync(fd, { bigint: true });
      const changed = !sameState(before, after);
      if (!changed || again) {
        if (changed) options.warn(`${treePathText(path)} changed while it was read, twice: it was kept as it was read.`);
        return await describe(path, before, changed, read, options);
      }
      before = after;
    }
  } catch (error) {
    options.warn(leftOutLine(path, error));
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

interface ReadFile {
  readonly content: ContentBuilder;
  /** Where the file ended, if it did so before its size. */
  readonly end: number;
}

async function readPieces(fd: number, stat: BigIntStats, { session, window }: LargeFileOptions): Promise<ReadFile> {
  const pieces = cutPieces(dataRanges(fd, stat));
  let failed = false;
  // All have to end before the descriptor is closed: its number could be another file's by then.
  const outcomes = await Promise.allSettled(
    pieces.map((ranges) =>
      window.run(async () => {
        if (failed) return undefined;
        const input: ReadPieceInput = { fd, ranges };
        try {
          return await session.run(readPieceTask, input, [ranges.buffer]);
        } catch (error) {
          failed = true;
          throw error;
        }
      }),
    ),
  );
  const content = new ContentBuilder();
  let end = Number(stat.size);
  let dataBytes = 0;
  let isCutShort = false;
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason;
    // What was read behind the place where the file ended is no part of it.
    if (outcome.value === undefined || isCutShort) continue;
    addPlaces(content, outcome.value);
    dataBytes += outcome.value.bytes;
    isCutShort = outcome.value.end !== undefined;
    end = outcome.value.end ?? end;
  }
  session.countReused(Math.max(0, end - dataBytes));
  return { content, end };
}

function addPlaces(content: ContentBuilder, { places, ids }: ReadPieceOutput): void {
  for (let i = 0; i < places.length; i += 2) {
    const at = (i / 2) * idBytes;
    content.add(places[i] as number, places[i + 1] as number, ids.subarray(at, at + idBytes));
  }
}

/** Cuts ranges at multiples of `pieceBytes`; each piece is offset and length of its ranges in turn. */
function cutPieces(ranges: readonly Extent[]): Float64Array<ArrayBuffer>[] {
  const pieces = new Map<number, number[]>();
  for (const { offset, length } of ranges) {
    for (let at = offset; at < offset + length; ) {
      const number = Math.floor(at / pieceBytes);
      const stop = Math.min(offset + length, (number + 1) * pieceBytes);
      const piece = pieces.get(number) ?? [];
      piece.push(at, stop - at);
      pieces.set(number, piece);
      at = stop;
    }
  }
  return [...pieces.values()].map((piece) => Float64Array.from(piece));
}

async function describe(
  path: TreePath,
  stat: BigIntStats,
  changed: boolean,
  { content, end }: ReadFile,
  options: LargeFileOptions,
): Promise<Buffer> {
  const facts = { ...factsOf(stat), type: 'file' as const };
  const node = describeNode(options.root, path, facts, changed ? 0n : options.changedBeforeNs, options.warn);
  const lists = content.takeLists();
  const listIds: Uint8Array[] = [];
  for (const list of lists) listIds.push(...(await options.session.run(storeListsTask, [list], [list.buffer])));
  const body = new ByteWriter(1024);
  writeBody(body, { ...node, size: end, content: content.describe(end, listIds) });
  return body.take();
}
