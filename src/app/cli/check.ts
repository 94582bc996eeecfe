import { formatBytes } from '../../base/bytes.ts';
import { type Command, parse, UsageError } from './command.ts';
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
      const { objects, blobs, readBytes, damages } = await repository.check(percent, { signal, onProgress: transfer.update });
      const { seconds } = transfer.end();
      if (values.json) {
        const figures = { objects, blobs, read_bytes: readBytes, damages, seconds };
        streams.out.write(`${JSON.stringify(figures, null, 2)}\n`);
      } else {
        for (const damage of damages) streams.out.write(`${damage}\n`);
        const verdict = damages.length === 0 ? 'No damage' : `${damages.length} damages`;
        const seen = `${objects} objects, ${blobs} chunks, ${formatBytes(readBytes)} read in ${seconds.toFixed(1)} s`;
        streams.out.write(`${verdict}: ${seen}.\n`);
      }
      return damages.length === 0 ? 0 : 1;
    });
  },
};
