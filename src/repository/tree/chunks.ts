import type { ChunkSource } from '../packs/chunk-source.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader } from './bytes.ts';
import { splitIds } from './content.ts';
import { readBody } from './node.ts';
import { readPlaces, readSegments, segmentIds } from './reader.ts';
import { SegmentReader } from './segments.ts';

/** Every chunk a tree's snapshot stands on, some more than once: its segments, lists of runs, and content. */
export async function* listTreeChunks(
  source: ChunkSource,
  snapshot: SnapshotRecord,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const ids = segmentIds(snapshot);
  yield* splitIds(ids);
  for await (const segment of readSegments(source, ids, signal)) {
    const reader = new SegmentReader(segment);
    while (reader.next()) {
      const node = readBody(new ByteReader(reader.body));
      if (node.content.form === 'chunk') yield node.content.id;
      if (node.content.form === 'listed') yield* splitIds(node.content.lists);
      if (node.content.form === 'runs' || node.content.form === 'listed') {
        for await (const place of readPlaces(source, node, signal)) yield place.id;
      }
    }
  }
}
