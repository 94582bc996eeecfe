import { type Command, parse, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';

const options = { ...bankOptions, undo: { type: 'boolean', default: false } } as const;

export const forget: Command = {
  usage: `forget SNAPSHOT ${bankUsage} [--undo]`,
  summary: 'take a snapshot out of the list; its bytes go with `karri gc`, and until they have, --undo has it back',
  async run(args, streams) {
    const { values, positionals } = parse(args, options, 1);
    const [id] = positionals;
    if (id === undefined) throw new UsageError('Say which snapshot.');
    return withLocalRepository(values, streams, { init: false }, async ({ repository, getSnapshot }) => {
      if (values.undo) await repository.undelete(id);
      else {
        await getSnapshot(id); // a misspelt name is no success
        await repository.forget(id);
      }
      const state = values.undo ? 'listed' : 'forgotten';
      streams.out.write(values.json ? `${JSON.stringify({ snapshot: id, state }, null, 2)}\n` : `${id} is ${state}.\n`);
      return 0;
    });
  },
};
