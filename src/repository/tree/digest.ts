import type { Task, WorkerContext } from '../workers/task.ts';
import { hintBytes } from './node.ts';
import { SegmentReader } from './segments.ts';

/**
 * The digest of a tree is the keyed hash over the keyed hashes of its segments with all hints blanked. As hints have a fixed length,
 * neither they nor anything but the nodes themselves decides where segments end: equal trees have equal digests.
 */
export interface StoredSegment {
  readonly id: Uint8Array;
  readonly bareId: Uint8Array;
}

export const storeSegmentTask: Task<{ readonly segment: Uint8Array; readonly keyId: string }, StoredSegment> = {
  name: 'tree.store-segment',
  run({ segment, keyId }, context) {
    const id = Uint8Array.from(context.sink.storeMap(segment));
    return { id, bareId: identifyBare(segment, keyId, context) };
  },
};

/** The bare ids of segments that were read from the bank. */
export const identifySegmentsTask: Task<
  { readonly segments: readonly Uint8Array[]; readonly keyId: string },
  readonly Uint8Array[]
> = {
  name: 'tree.identify-segments',
  run: ({ segments, keyId }, context) => segments.map((segment) => identifyBare(segment, keyId, context)),
};

/** Blanks the hints in the given bytes. */
function identifyBare(segment: Uint8Array, keyId: string, context: WorkerContext): Uint8Array {
  const bytes = Buffer.from(segment.buffer, segment.byteOffset, segment.length);
  const reader = new SegmentReader(bytes);
  while (reader.next()) reader.body.fill(0, 0, hintBytes);
  return Uint8Array.from(context.identify(bytes, keyId));
}

export const treeDigestTask: Task<{ readonly bareIds: readonly Uint8Array[]; readonly keyId: string }, string> = {
  name: 'tree.digest',
  run: ({ bareIds, keyId }, context) =>
    `blake3-keyed:${Buffer.from(context.identify(Buffer.concat(bareIds), keyId)).toString('hex')}`,
};
