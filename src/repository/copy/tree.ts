import { eachLimited } from '../each-limited.ts';
import { ByteReader } from '../tree/bytes.ts';
import { PlaceReader, splitIds } from '../tree/content.ts';
import { identifySegmentsTask, type StoredSegment, storeSegmentTask, treeDigestTask } from '../tree/digest.ts';
import { readBody, readRuns, type TreeNode } from '../tree/node.ts';
import { describeRoot, segmentIds } from '../tree/reader.ts';
import { SegmentReader } from '../tree/segments.ts';
import { storeMap } from '../volume/tasks.ts';
import { EarlierTree } from './tree-earlier.ts';
import type { CopiedContent, CopyRun } from './volume.ts';

const idBytes = 32;
/** Segments worked on together, some 200 KiB each. */
const segmentsPerWindow = 8;

/** Ids that are wanted, where they stand in a segment or a list, and how long their chunks are. */
interface Wanted {
  readonly places: Uint8Array[];
  readonly lengths: number[];
}

/**
 * Ids of chunks all have one length, so a copied segment differs from the original in these ids alone: nodes, their order and where
 * segments end stay as they are.
 *
 * @throws {Fault} corrupt, naming the object, for whatever of the snapshot cannot be read
 */
export async function copyTree(run: CopyRun): Promise<CopiedContent> {
  const { to, session, record } = run;
  const keyId = to.writingKeyId;
  const ids = splitIds(segmentIds(record));
  const earlier = new EarlierTree(run, ids);
  const copied: StoredSegment[] = [];
  for (let first = 0; first < ids.length; first += segmentsPerWindow) {
    const window = ids.slice(first, first + segmentsPerWindow);
    const taken = await earlier.takeOver(window);
    const fresh = window.map((_, at) => at).filter((at) => taken[at] === undefined);
    const segments = await run.from.source.fetch(Buffer.concat(fresh.map((at) => window[at] ?? noBytes)), {
      signal: session.signal,
    });
    await earlier.learnUpTo(lastPath(segments.at(-1)));
    await translate(run, segments);
    await eachLimited(fresh.entries(), to.threads * 2, async ([n, at]) => {
      const segment = Uint8Array.from(segments[n] ?? noBytes);
      copied[first + at] = await session.run(storeSegmentTask, { segment, keyId }, [segment.buffer]);
    });
    for (const [at, one] of taken.entries()) {
      if (one === undefined) continue;
      const segments = [one.plain];
      const [bareId = noBytes] = await to.run(identifySegmentsTask, { segments, keyId }, { signal: session.signal });
      session.countReused(one.sizeBytes);
      copied[first + at] = { id: one.id, bareId };
    }
  }
  const bareIds = copied.map(({ bareId }) => bareId);
  return {
    root: describeRoot(copied.map(({ id }) => id)),
    digest: await to.run(treeDigestTask, { bareIds, keyId }, { signal: session.signal }),
  };
}

/** Puts the ids of the other repository in the place of those in the segments. */
async function translate(run: CopyRun, segments: readonly Buffer[]): Promise<void> {
  const wanted: Wanted = { places: [], lengths: [] };
  for (const segment of segments) {
    const reader = new SegmentReader(segment);
    while (reader.next()) {
      const node = readBody(new ByteReader(reader.body));
      const { content, size } = node;
      if (content.form === 'listed') {
        await translateLists(run, node, content.lists);
        continue;
      }
      let holes = size;
      if (content.form === 'chunk') holes -= want(wanted, content.id, size);
      if (content.form === 'runs') holes -= wantRuns(wanted, content.runs, new PlaceReader(size));
      if (holes > 0) run.session.countReused(holes);
    }
  }
  await fillIn(run, wanted);
}

/** One list after the other: the file may be of any size. */
async function translateLists(run: CopyRun, { size }: TreeNode, lists: Uint8Array): Promise<void> {
  const { from, session } = run;
  const places = new PlaceReader(size);
  let holes = size;
  for (const listId of splitIds(lists)) {
    const [list = noBytes] = await from.source.fetch(listId, { signal: session.signal });
    const wanted: Wanted = { places: [], lengths: [] };
    holes -= wantRuns(wanted, list, places);
    await fillIn(run, wanted);
    listId.set(await session.run(storeMap, { plain: list }));
  }
  if (holes > 0) session.countReused(holes);
}

function want({ places, lengths }: Wanted, place: Uint8Array, length: number): number {
  places.push(place);
  lengths.push(length);
  return length;
}

function wantRuns(wanted: Wanted, runs: Uint8Array, places: PlaceReader): number {
  let bytes = 0;
  for (const run of readRuns(new ByteReader(Buffer.from(runs.buffer, runs.byteOffset, runs.length)))) {
    places.place(run);
    bytes += want(wanted, run.id, run.length);
  }
  return bytes;
}

async function fillIn({ chunks }: CopyRun, { places, lengths }: Wanted): Promise<void> {
  const found = await chunks.resolve(Buffer.concat(places), lengths);
  places.forEach((place, at) => void place.set(found.subarray(at * idBytes, (at + 1) * idBytes)));
}

function lastPath(segment: Buffer | undefined): string | undefined {
  if (segment === undefined) return undefined;
  const reader = new SegmentReader(segment);
  while (reader.next());
  return reader.path;
}

const noBytes = Buffer.alloc(0);
