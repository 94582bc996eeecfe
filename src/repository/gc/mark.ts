import type { RepositoryCore } from '../core.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkMarks } from '../index/chunk-marks.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';
import { ByteReader } from '../tree/bytes.ts';
import { splitIds } from '../tree/content.ts';
import { readBody, readRuns } from '../tree/node.ts';
import { readSegments, segmentIds } from '../tree/reader.ts';
import { SegmentReader } from '../tree/segments.ts';
import { readLeaves } from '../volume/leaves.ts';
import { decodeRoot, slotId, slotsPerLeaf } from '../volume/map.ts';

export interface MarkParts {
  readonly core: RepositoryCore;
  readonly index: ChunkIndex;
  readonly marks: ChunkMarks;
  /** Maps that were walked. Exact, unlike the marks: a map passed over by mistake would cost all that stands on it. */
  readonly walked: Set<string>;
  /** Each chunk is looked up as it is marked. */
  readonly lookUp: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Maps read at once: 2 MiB of a volume, some more of a tree. */
const leavesAtOnce = 64;

/**
 * Marks everything the snapshot stands on. What snapshots share is read once.
 * @throws {Fault} (corrupt) when a map cannot be read, or a chunk that is looked up is named by no index
 */
export async function markSnapshot(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  await (record.kind === 'tree' ? markTree(parts, record) : markVolume(parts, record));
}

async function markVolume(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  const { core, walked, signal } = parts;
  const { leaves } = decodeRoot(record);
  for (let first = 0; first < leaves.length; first += leavesAtOnce) {
    const fresh = leaves.slice(first, first + leavesAtOnce).map((leaf) => (leaf && !walked.has(nameOf(leaf)) ? leaf : undefined));
    if (fresh.every((leaf) => leaf === undefined)) continue;
    for (const slots of await readLeaves(core, record, first, fresh, signal)) {
      for (let slot = 0; slot < slotsPerLeaf; slot++) {
        const id = slotId(slots, slot);
        if (id) mark(parts, id);
      }
    }
    for (const leaf of fresh) if (leaf) markMap(parts, leaf);
  }
}

async function markTree(parts: MarkParts, record: SnapshotRecord): Promise<void> {
  const { core, walked, signal } = parts;
  const fresh = splitIds(segmentIds(record)).filter((id) => !walked.has(nameOf(id)));
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
    if (id) markMap(parts, id);
  }
}

async function markList(parts: MarkParts, id: Uint8Array): Promise<void> {
  if (parts.walked.has(nameOf(id))) return;
  for (const runs of await parts.core.source.fetch(id, { signal: parts.signal })) markRuns(parts, runs);
  markMap(parts, id);
}

function markRuns(parts: MarkParts, runs: Uint8Array): void {
  const bytes = Buffer.from(runs.buffer, runs.byteOffset, runs.byteLength);
  for (const run of readRuns(new ByteReader(bytes))) mark(parts, run.id);
}

/** Once all that it names is marked: whoever meets it from now on passes it over. */
function markMap(parts: MarkParts, id: Uint8Array): void {
  mark(parts, id);
  parts.walked.add(nameOf(id));
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}

function mark({ index, marks, lookUp }: MarkParts, id: Uint8Array): void {
  if (lookUp && index.find(id) === undefined) throw index.absentFault(id);
  marks.add(id);
}
