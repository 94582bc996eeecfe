import type { ChunkSink } from './chunk-sink.ts';
import type { Task } from './task.ts';
import { hintBytes } from './tree-node.ts';
import { SegmentReader } from './tree-segments.ts';

/**
 * The digest of a tree is the keyed hash over the keyed hashes of its segments with all hints blanked. As hints have a fixed length,
 * neither they nor anything but the nodes themselves decides where segments end: equal trees have equal digests.
 */
export interface StoredSegment {
  readonly id: Uint8Array;
  readonly bareId: Uint8Array;
}

export const storeSegmentTask: Task<Uint8Array, StoredSegment> = {
  name: 'tree.store-segment',
  run(bytes, context) {
    const id = new Uint8Array(context.sink.storeMap(bytes));
    return { id, bareId: identifyBare(bytes, context.sink) };
  },
};

/** Blanks the hints in the given bytes. */
export function identifyBare(bytes: Uint8Array, sink: ChunkSink): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new SegmentReader(buffer);
  while (reader.next()) reader.body.fill(0, 0, hintBytes);
  return new Uint8Array(sink.identify(buffer));
}

export const treeDigestTask: Task<readonly Uint8Array[], string> = {
  name: 'tree.digest',
  run: (bareIds, context) => `blake3-keyed:${Buffer.from(context.sink.identify(Buffer.concat(bareIds))).toString('hex')}`,
};

/** The bare id of each of some segments that were read from the bank. */
export const identifySegmentsTask: Task<readonly Uint8Array[], readonly Uint8Array[]> = {
  name: 'tree.identify-segments',
  run: (segments, context) => segments.map((bytes) => identifyBare(bytes, context.sink)),
};
