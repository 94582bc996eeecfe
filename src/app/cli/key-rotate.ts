import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createKeyFile, readKeyFile } from '../../config/key-file.ts';
import { type Command, parse, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalStore } from './local-repository.ts';

const options = { ...bankOptions, project: { type: 'string' }, 'new-key-file': { type: 'string' } } as const;

export const keyRotate: Command = {
  usage: `key rotate ${bankUsage} --new-key-file FILE [--project ID]`,
  summary:
    'let another key open the repository in place of the one it has; the new file is made when it is missing; no data is sent again',
  async run(args, streams) {
    const { values } = parse(args, options);
    const newKeyFile = values['new-key-file'];
    if (newKeyFile === undefined) throw new UsageError('Say where the new key is, or is to be made: --new-key-file FILE.');
    return withLocalStore(values, streams, { init: false }, async ({ providerKey, ...local }) => {
      const { rewrapKeys } = await import('../../repository/seal/rotate.ts');
      const path = resolve(newKeyFile);
      const newKey = existsSync(path) ? readKeyFile(path) : createKeyFile(path);
      const { rootKeys, writtenSlots, deletedSlots, keptSlots } = await rewrapKeys({ ...local, oldKey: providerKey, newKey });
      if (values.json) {
        const figures = { root_keys: rootKeys, written_slots: writtenSlots, deleted_slots: deletedSlots, kept_slots: keptSlots };
        streams.out.write(`${JSON.stringify(figures, null, 2)}\n`);
      } else {
        streams.out.write(`${path} opens ${rootKeys} root keys now.\n`);
        if (keptSlots.length > 0) streams.out.write('The old key still opens the repository, as the bank did not delete:\n');
        else streams.out.write('The old key opens nothing any more.\n');
        for (const line of keptSlots) streams.out.write(`  ${line}\n`);
      }
      return keptSlots.length === 0 ? 0 : 1;
    });
  },
};
