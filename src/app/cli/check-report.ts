import { formatBytes } from '../../base/bytes.ts';
import { rangeText } from '../../repository/check/damages.ts';
import type { CheckSummary, HealSummary, RepairSummary } from '../../repository/contract.ts';
import type { Streams } from './command.ts';

/** Ranges of one snapshot that are printed; `--json` has them all. */
const rangesPrinted = 20;

export function reportCheck(
  { out }: Streams,
  { objects, blobs, readBytes, damages, replaced }: CheckSummary,
  seconds: number,
): void {
  for (const { object, what, hits } of damages) {
    out.write(`${object}: ${what}\n`);
    if (hits.length === 0) out.write('  no snapshot is hit\n');
    for (const { snapshot, isLost, ranges, moreRanges } of hits) {
      const extent = isLost ? 'lost' : ranges.length === 0 ? 'needs it; all of it can still be read' : 'a part of it is lost:';
      out.write(`  snapshot ${snapshot}: ${extent}\n`);
      for (const range of ranges.slice(0, rangesPrinted)) out.write(`    ${rangeText(range)}\n`);
      const more = Math.max(0, ranges.length - rangesPrinted) + moreRanges;
      if (more > 0) out.write(`    and ${more} more\n`);
    }
  }
  if (replaced.length > 0)
    out.write(`${replaced.length} damaged packs are needed by no snapshot; garbage collection takes them away.\n`);
  const verdict = damages.length === 0 ? 'No damage' : `${damages.length} damaged objects`;
  out.write(`${verdict}: ${objects} objects, ${blobs} chunks, ${formatBytes(readBytes)} read in ${seconds.toFixed(1)} s.\n`);
}

export function checkFigures({ objects, blobs, readBytes, damages, replaced }: CheckSummary): object {
  return {
    objects,
    blobs,
    read_bytes: readBytes,
    damages: damages.map(({ hits, ...damage }) => ({
      ...damage,
      hits: hits.map(({ snapshot, isLost, ranges, moreRanges }) => ({
        snapshot,
        is_lost: isLost,
        ranges: ranges.map(({ untilPath, ...range }) => ({
          ...range,
          ...(untilPath !== undefined && { until_path: untilPath }),
        })),
        more_ranges: moreRanges,
      })),
    })),
    replaced,
  };
}

/** What was mended, one line for each thing that was. */
export function reportMending({ out }: Streams, repaired: RepairSummary | undefined, healed: HealSummary | undefined): void {
  if (repaired) {
    const { keySlots, indexedPacks, removedIndexes, leftPacks, rescuedBytes } = repaired;
    if (keySlots > 0) out.write(`${keySlots} key slots were written again.\n`);
    if (indexedPacks > 0) out.write(`${indexedPacks} packs that no index named are named again.\n`);
    if (removedIndexes.length > 0) out.write(`${removedIndexes.length} damaged index objects were taken away.\n`);
    if (leftPacks.length > 0) out.write(`${leftPacks.length} packs that no index names do not open: ${leftPacks.join(', ')}.\n`);
    if (rescuedBytes > 0) out.write(`${formatBytes(rescuedBytes)} that could still be read of damaged packs are stored anew.\n`);
  }
  for (const id of healed?.healed ?? []) out.write(`snapshot ${id} is whole again\n`);
  for (const { snapshot, reason } of healed?.unhealed ?? []) out.write(`snapshot ${snapshot} could not be healed: ${reason}\n`);
}

export function mendFigures(repaired: RepairSummary | undefined, healed: HealSummary | undefined): object {
  return {
    ...(repaired && {
      repaired: {
        key_slots: repaired.keySlots,
        indexed_packs: repaired.indexedPacks,
        removed_indexes: repaired.removedIndexes,
        left_packs: repaired.leftPacks,
        rescued_bytes: repaired.rescuedBytes,
      },
    }),
    ...(healed && { healed: { snapshots: healed.healed, unhealed: healed.unhealed, stored_bytes: healed.storedBytes } }),
  };
}
