import { throwIfAborted } from '../base/abort.ts';
import { KiB, MiB } from '../base/bytes.ts';
import { Fault } from '../base/faults.ts';
import type { Extent } from './contract.ts';
import type { ChunkSource } from './packs/chunk-source.ts';
import type { Place } from './tree/content.ts';

/** What a stream is made of, in its order. A mark passes through to the reader: it tells what the bytes after it belong to. */
export type Piece<Mark> =
  /** Bytes `from` to `to` of a chunk of `length` bytes. */
  | { readonly form: 'chunk'; readonly id: Uint8Array; readonly length: number; readonly from: number; readonly to: number }
  | { readonly form: 'zeros'; readonly length: number }
  | { readonly form: 'mark'; readonly mark: Mark; readonly weightBytes: number };

/**
 * Pieces are looked up together until their chunks come to this many bytes: few requests for many small files. While one window is passed
 * on the next one is fetched, so a stream holds two of them and the packs they are read from: some 40 MiB.
 */
const windowBytes = 8 * MiB;
const windowPieces = 4096;
/** All holes of all streams are views of these. */
const zeros = Buffer.alloc(256 * KiB);

/**
 * The bytes of the pieces, in order, and the marks between them. Nothing is on its way any more when the reader has stopped, at the end or before it.
 * Buffers are for reading only.
 * @throws {Fault} `repository.chunk_absent`, `repository.pack_damaged` (corrupt) where the damage is met, not before
 */
export async function* streamPieces<Mark>(
  source: ChunkSource,
  pieces: AsyncIterable<Piece<Mark>>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer | Mark> {
  const stopped = new AbortController();
  const fetching = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  const iterator = pieces[Symbol.asyncIterator]();

  const fetchWindow = async (): Promise<Window<Mark>> => {
    const window: Piece<Mark>[] = [];
    const ids: Uint8Array[] = [];
    for (let bytes = 0; bytes < windowBytes && window.length < windowPieces; ) {
      throwIfAborted(fetching);
      const { value, done } = await iterator.next();
      if (done === true) break;
      window.push(value);
      if (value.form === 'mark') bytes += value.weightBytes;
      if (value.form !== 'chunk') continue;
      bytes += value.length;
      ids.push(value.id);
    }
    return { pieces: window, chunks: await source.fetch(Buffer.concat(ids), { signal: fetching }) };
  };

  let next = fetchWindow();
  try {
    for (;;) {
      const window = await next;
      if (window.pieces.length === 0) return;
      next = fetchWindow();
      next.catch(() => undefined); // awaited in its turn
      yield* openWindow(window, signal);
    }
  } finally {
    stopped.abort(new Fault('cancelled', 'base.cancelled', 'The reader of a stream has stopped.'));
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}

interface Window<Mark> {
  readonly pieces: readonly Piece<Mark>[];
  /** Of the chunk pieces, in order. */
  readonly chunks: readonly Buffer[];
}

function* openWindow<Mark>({ pieces, chunks }: Window<Mark>, signal: AbortSignal | undefined): Generator<Buffer | Mark> {
  let next = 0;
  for (const piece of pieces) {
    throwIfAborted(signal);
    if (piece.form === 'mark') yield piece.mark;
    else if (piece.form === 'chunk') {
      const chunk = chunks[next++];
      if (chunk?.length !== piece.length) throw lengthDiffers(piece.length, chunk?.length ?? 0);
      yield chunk.subarray(piece.from, piece.to);
    } else {
      for (let left = piece.length; left > 0; left -= zeros.length) {
        throwIfAborted(signal);
        yield left < zeros.length ? zeros.subarray(0, left) : zeros;
      }
    }
  }
}

function lengthDiffers(expected: number, found: number): Fault {
  return new Fault('corrupt', 'repository.chunk_length', `A chunk has ${found} bytes where the snapshot says ${expected}.`, {
    help: 'Read an earlier checkpoint, and let the bank be checked.',
  });
}

/** The pieces of a range, from places that are in order; zeros wherever no place is. */
export async function* cutRange(
  places: AsyncIterable<Place> | Iterable<Place>,
  { offset, length }: Extent,
): AsyncGenerator<Piece<never>> {
  const end = offset + length;
  let at = offset;
  for await (const place of places) {
    if (place.offset >= end) break;
    const to = Math.min(place.offset + place.length, end);
    if (to <= at) continue;
    if (place.offset > at) yield { form: 'zeros', length: place.offset - at };
    const from = Math.max(place.offset, at) - place.offset;
    yield { form: 'chunk', id: place.id, length: place.length, from, to: to - place.offset };
    at = to;
  }
  if (at < end) yield { form: 'zeros', length: end - at };
}

/** @throws {Fault} `repository.bad_range` (invalid) */
export function checkRange({ offset, length }: Extent, sizeBytes: number, what: string): void {
  if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0 && offset + length <= sizeBytes)
    return;
  throw new Fault(
    'invalid',
    'repository.bad_range',
    `Bytes ${offset} to ${offset + length} are not within a ${what} of ${sizeBytes} bytes.`,
  );
}
