import type { HealSummary, Repository, TransferOptions } from '../../repository/contract.ts';
import { checkFigures, mendFigures, reportCheck, reportMending } from './check-report.ts';
import { type Command, parse, type Streams, UsageError } from './command.ts';
import { type BankValues, bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';
import { startTransfer } from './transfer.ts';

const options = {
  ...bankOptions,
  percent: { type: 'string', default: '0' },
  project: { type: 'string' },
  repair: { type: 'boolean' },
  'heal-from': { type: 'string' },
  'heal-key-file': { type: 'string' },
} as const;

export const check: Command = {
  usage: `check ${bankUsage} [--percent N] [--repair] [--heal-from BANK --heal-key-file FILE] [--project ID]`,
  summary:
    'look whether everything in a bank is there and whole, N percent of the bytes read too, and mend what can be mended, also from a bank with copies; exit 1 when something stays damaged',
  async run(args, streams) {
    const { values } = parse(args, options);
    const percent = Number(values.percent);
    if (values.percent === '' || !(percent >= 0 && percent <= 100))
      throw new UsageError(`--percent is "${values.percent}"; it must be a number from 0 to 100.`);
    const { 'heal-from': bank, 'heal-key-file': keyFile } = values;
    if ((bank === undefined) !== (keyFile === undefined)) throw new UsageError('--heal-from and --heal-key-file go together.');
    const other =
      bank === undefined
        ? undefined
        : { ...(bank.startsWith('s3://') && values), project: values.project, bank, 'key-file': keyFile };
    const transfer = startTransfer(streams, values.json);
    return withLocalRepository(values, streams, { init: false }, async ({ repository, signal }) => {
      const transferOptions = { signal, onProgress: transfer.update };
      let summary = await repository.check(percent, transferOptions);
      const repaired = values.repair ? await repository.repair(transferOptions) : undefined;
      const healed = other && (await healFromBank(repository, other, streams, transferOptions));
      if (repaired ?? healed) summary = { ...(await repository.check(0, transferOptions)), readBytes: summary.readBytes };
      const { seconds } = transfer.end();
      if (values.json) {
        const figures = { ...checkFigures(summary), ...mendFigures(repaired, healed), seconds };
        streams.out.write(`${JSON.stringify(figures, null, 2)}\n`);
      } else {
        reportMending(streams, repaired, healed);
        reportCheck(streams, summary, seconds);
      }
      return summary.damages.length === 0 ? 0 : 1;
    });
  },
};

/** The bank with the copies; in a bucket it has the endpoint and credentials of the first. */
function healFromBank(damaged: Repository, other: BankValues, streams: Streams, options: TransferOptions): Promise<HealSummary> {
  return withLocalRepository(other, streams, { init: false }, async ({ repository }) => {
    const { healFrom } = await import('../../repository/copy/heal.ts');
    return healFrom(damaged, repository, options);
  });
}
