import type { RepositoryCore } from '../core.ts';
import { listTreeChunks } from '../tree/chunks.ts';
import { readLeaves } from '../volume/leaves.ts';
import { decodeRoot, slotId, slotsPerLeaf } from '../volume/map.ts';
import type { SnapshotRecord } from './record.ts';

/**
 * Every chunk that the snapshot stands on: maps and content, some more than once. Reads the maps.
 * @throws {Fault} (corrupt) when a map cannot be read
 */
export async function* listChunks(
  core: RepositoryCore,
  record: SnapshotRecord,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (record.kind === 'tree') {
    yield* listTreeChunks(core.source, record, signal);
    return;
  }
  const { leaves } = decodeRoot(record);
  for (const [number, leaf] of leaves.entries()) {
    if (leaf === undefined) continue;
    yield leaf;
    for (const slots of await readLeaves(core, record, number, [leaf], signal)) {
      for (let slot = 0; slot < slotsPerLeaf; slot++) {
        const id = slotId(slots, slot);
        if (id) yield id;
      }
    }
  }
}
