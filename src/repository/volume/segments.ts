import { Fault } from '../../base/faults.ts';
import { abortable } from '../abortable.ts';
import type { VolumeReader } from '../contract.ts';
import { DataRun } from './data-run.ts';
import type { LeafPromise } from './lies.ts';
import type { LeafSlots } from './map.ts';
import type { Reuse } from './reuse.ts';
import type { OpenVolume } from './source.ts';
import { isHole, type SegmentInput, segmentBytes } from './tasks.ts';

/** Where the bytes of a volume come from: a file, a reader or a stream; each gives segments that tasks can read. */

/** A leaf that is being read: its slots fill up segment by segment, in any order. */
export interface Leaf {
  readonly number: number;
  readonly slots: LeafSlots;
  missingBytes: number;
  /** What the list of changed blocks promises of it; to be compared once all is read. */
  readonly promise?: LeafPromise | undefined;
}

/** Whether a range is known to be zeros without reading it. */
export type ZeroTest = (offset: number, length: number) => boolean | Promise<boolean>;

/** What one task reads, and the leaf its ids go into. */
export interface Segment {
  readonly leaf: Leaf;
  readonly offset: number;
  readonly length: number;
}

export interface SourcedSegment extends Segment {
  /** A function is called when it is the segment's turn; it gives nothing for zeros. */
  readonly from: SegmentInput['from'] | (() => Promise<SegmentInput['from'] | undefined>);
}

/** A volume that says what of it has to be read. */
export interface SegmentedVolume {
  readonly sizeBytes: number;
  segments(reuse: Reuse | undefined, isZero: ZeroTest | undefined): AsyncGenerator<Segment>;
}

export async function* fileSegments(
  { handle, path }: OpenVolume,
  volume: SegmentedVolume,
  reuse: Reuse | undefined,
): AsyncGenerator<SourcedSegment> {
  const { fd } = handle;
  const run = new DataRun(fd);
  for await (const segment of volume.segments(reuse, (offset, length) => isHole(fd, offset, length))) {
    const { offset, length } = segment;
    // Asked here, as a task that finds nothing costs twenty times as much.
    const from = async (): Promise<SegmentInput['from'] | undefined> => {
      const found = run.look(offset, length);
      return found === 'hole' ? undefined : { fd, offset, name: path, hasHoles: found === 'mixed' };
    };
    yield { ...segment, from };
  }
}

export async function* readerSegments(
  reader: VolumeReader,
  volume: SegmentedVolume,
  reuse: Reuse | undefined,
  signal: AbortSignal,
  free: ArrayBuffer[],
): AsyncGenerator<SourcedSegment> {
  const isZero: ZeroTest = (offset, length) => abortable(reader.isZero(offset, length), signal);
  for await (const segment of volume.segments(reuse, isZero)) {
    const { offset, length } = segment;
    const from = async (): Promise<SegmentInput['from'] | undefined> => {
      if (await isZero(offset, length)) return undefined;
      const bytes = free.pop() ?? new ArrayBuffer(segmentBytes);
      await abortable(reader.read(new Uint8Array(bytes, 0, length), offset), signal);
      return { bytes };
    };
    yield { ...segment, from };
  }
}

export async function* streamSegments(
  stream: AsyncIterable<Uint8Array>,
  volume: SegmentedVolume,
  free: ArrayBuffer[],
): AsyncGenerator<SourcedSegment> {
  const { sizeBytes } = volume;
  const segments = volume.segments(undefined, undefined);
  let segment = await segments.next();
  let bytes: ArrayBuffer | undefined;
  let filled = 0;
  let seen = 0;
  for await (const piece of stream) {
    seen += piece.length;
    if (seen > sizeBytes) throw streamFault(`more than the ${sizeBytes} bytes that were announced`);
    for (let taken = 0; taken < piece.length; ) {
      if (segment.done) throw streamFault(`more than the ${sizeBytes} bytes that were announced`);
      bytes ??= free.pop() ?? new ArrayBuffer(segmentBytes);
      const count = Math.min(segment.value.length - filled, piece.length - taken);
      new Uint8Array(bytes).set(piece.subarray(taken, taken + count), filled);
      filled += count;
      taken += count;
      if (filled < segment.value.length) continue;
      yield { ...segment.value, from: { bytes } };
      segment = await segments.next();
      bytes = undefined;
      filled = 0;
    }
  }
  if (seen < sizeBytes) throw streamFault(`${seen} bytes, not the ${sizeBytes} that were announced`);
}

function streamFault(what: string): Fault {
  return new Fault('invalid', 'repository.stream_length', `The stream has ${what}.`, {
    help: 'Give the exact size of what is streamed.',
  });
}
