import { type Command, parse, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalStore } from './local-repository.ts';

const options = { ...bankOptions, project: { type: 'string' }, confirm: { type: 'string' } } as const;

export const keyDestroy: Command = {
  usage: `key destroy ${bankUsage} --project ID --confirm ID`,
  summary: 'destroy the keys of a project in a bank: nothing it has there can ever be read again',
  async run(args, streams) {
    const { values } = parse(args, options);
    const { project } = values;
    if (project === undefined) throw new UsageError('Say which project: --project ID.');
    if (values.confirm !== project) {
      throw new UsageError(
        `All that project ${project} has in ${values.bank ?? 'the bank'} would be lost for ever. If that is what you want, say its id once more: --confirm ${project}.`,
      );
    }
    return withLocalStore(values, streams, { init: false }, async (local) => {
      const { destroyKeys } = await import('../../repository/seal/destroy.ts');
      const slots = await destroyKeys(local);
      if (values.json) streams.out.write(`${JSON.stringify({ project, deleted_slots: slots }, null, 2)}\n`);
      else
        streams.out.write(`The keys of project ${project} are destroyed (${slots} slots). What is left in the bank is noise.\n`);
      return 0;
    });
  },
};
