import type { ChunkIndex } from './chunk-index.ts';
import type { ChunkMarks } from './chunk-marks.ts';
import type { RepositoryCore } from './core.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { ByteReader } from './tree-bytes.ts';
import { splitIds } from './tree-content.ts';
import { readBody, readRuns } from './tree-node.ts';
import { readSegments, segmentIds } from './tree-reader.ts';
import { SegmentReader } from './tree-segments.ts';
import { readLeaves } from './volume-leaves.ts';
import { decodeRoot, slotId, slotsPerLeaf } from './volume-map.ts';

export interface MarkParts {
  readonly core: RepositoryCore;
  readonly index: ChunkIndex;
  readonly marks: ChunkMarks;
  readonly signal: AbortSignal | undefined;
}

/** Maps read at once: 2 MiB of a volume, some more of a tree. */
const leavesAtOnce = 64;

/**
 * Marks everything the snapshot stands on. A map that is marked already was walked for another snapshot, so what snapshots share is read once.
 * @throws {Fault} (corrupt) when a map cannot be read, or a chunk is named by no index
 */
export async function markSnapshot(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  await (record.kind === 'tree' ? markTree(parts, record) : markVolume(parts, record));
}

async function markVolume(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  const { core, marks, signal } = parts;
  const { leaves } = decodeRoot(record);
  for (let first = 0; first < leaves.length; first += leavesAtOnce) {
    const fresh = leaves.slice(first, first + leavesAtOnce).map((leaf) => (leaf && !marks.has(leaf) ? leaf : undefined));
    if (fresh.every((leaf) => leaf === undefined)) continue;
    for (const slots of await readLeaves(core, record, first, fresh, signal)) {
      for (let slot = 0; slot < slotsPerLeaf; slot++) {
        const id = slotId(slots, slot);
        if (id) mark(parts, id);
      }
    }
    // Only now: whoever meets a marked map passes it over.
    for (const leaf of fresh) if (leaf) mark(parts, leaf);
  }
}

async function markTree(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  const { core, marks, signal } = parts;
  const fresh = splitIds(segmentIds(record)).filter((id) => !marks.has(id));
  let at = 0;
  for await (const segment of readSegments(core.source, Buffer.concat(fresh), signal)) {
    const reader = new SegmentReader(segment);
    while (reader.next()) {
      const { content } = readBody(new ByteReader(reader.body));
      if (content.form === 'chunk') mark(parts, content.id);
      if (content.form === 'runs') markRuns(parts, content.runs);
      if (content.form === 'listed') for (const id of splitIds(content.lists)) await markList(parts, id);
    }
    const id = fresh[at++];
    if (id) mark(parts, id);
  }
}

async function markList(parts: MarkParts, id: Uint8Array): Promise<void> {
  if (parts.marks.has(id)) return;
  for (const runs of await parts.core.source.fetch(id, { signal: parts.signal })) markRuns(parts, runs);
  mark(parts, id);
}

function markRuns(parts: MarkParts, runs: Uint8Array): void {
  const bytes = Buffer.from(runs.buffer, runs.byteOffset, runs.byteLength);
  for (const run of readRuns(new ByteReader(bytes))) mark(parts, run.id);
}

function mark({ index, marks }: MarkParts, id: Uint8Array): void {
  if (index.find(id) === undefined) throw index.absentFault(id);
  marks.add(id);
}
