import { formatBytes } from '../../base/bytes.ts';
import { rangeText } from '../../repository/check/damages.ts';
import type { CheckSummary } from '../../repository/contract.ts';
import { type Command, parse, type Streams, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';
import { startTransfer } from './transfer.ts';

const options = { ...bankOptions, percent: { type: 'string', default: '0' } } as const;

export const check: Command = {
  usage: `check ${bankUsage} [--percent N]`,
  summary: 'look whether everything in a bank is there and whole, N percent of the bytes read too; exit 1 when it is not',
  async run(args, streams) {
    const { values } = parse(args, options);
    const percent = Number(values.percent);
    if (values.percent === '' || !(percent >= 0 && percent <= 100))
      throw new UsageError(`--percent is "${values.percent}"; it must be a number from 0 to 100.`);
    const transfer = startTransfer(streams, values.json);
    return withLocalRepository(values, streams, { init: false }, async ({ repository, signal }) => {
      const summary = await repository.check(percent, { signal, onProgress: transfer.update });
      const { seconds } = transfer.end();
      if (values.json) {
        streams.out.write(`${JSON.stringify({ ...checkFigures(summary), seconds }, null, 2)}\n`);
      } else reportCheck(streams, summary, seconds);
      return summary.damages.length === 0 ? 0 : 1;
    });
  },
};

/** Ranges of one snapshot that are printed; `--json` has them all. */
const rangesPrinted = 20;

function reportCheck({ out }: Streams, { objects, blobs, readBytes, damages, replaced }: CheckSummary, seconds: number): void {
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

function checkFigures({ objects, blobs, readBytes, damages, replaced }: CheckSummary): object {
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
