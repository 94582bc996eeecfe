import { resolve } from 'node:path';
import { type Command, parse, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';
import { reportTransfer, startTransfer } from './transfer.ts';

const options = {
  ...bankOptions,
  overwrite: { type: 'boolean', default: false },
  salvage: { type: 'boolean', default: false },
  'no-sync': { type: 'boolean', default: false },
} as const;

export const restore: Command = {
  usage: `restore SNAPSHOT TARGET ${bankUsage} [--overwrite] [--salvage] [--no-sync]`,
  summary:
    'restore a snapshot from a bank and compare every byte; --overwrite: into an image or device that is there; --salvage: go on over damage, list what is lost, which reads as zeros, and exit 1 if anything is; --no-sync: do not wait until the disk has what was written and compared',
  async run(args, streams) {
    const { values, positionals } = parse(args, options, 2);
    const [id, target] = positionals;
    if (id === undefined || target === undefined) throw new UsageError('Say which snapshot and where to: SNAPSHOT TARGET.');
    const path = resolve(target);
    const transfer = startTransfer(streams, values.json);
    return withLocalRepository(values, streams, { init: false }, async ({ repository, getSnapshot, signal }) => {
      const { kind } = await getSnapshot(id);
      if (kind === 'tree' && values.overwrite)
        throw new UsageError('--overwrite belongs to an image or a device, not to a folder.');
      const transferOptions = { signal, onProgress: transfer.update, salvage: values.salvage, durable: !values['no-sync'] };
      const summary =
        kind === 'tree'
          ? await repository.restoreTree(id, { path }, transferOptions)
          : await repository.restoreVolume(id, { path, overwrite: values.overwrite }, transferOptions);
      reportTransfer(streams, transfer.end(), { verb: 'restored', snapshot: id, kind, ...summary });
      return summary.damaged.length === 0 ? 0 : 1;
    });
  },
};
