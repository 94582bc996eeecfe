import { canonicalUuid, isUuidLike } from '../../base/ids.ts';
import { createTokenStore } from '../../db/token-store.ts';
import { type Command, parse, UsageError } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';
import { withDatabase } from './database.ts';

export const tokenRevoke: Command = {
  usage: `token revoke ID ${configUsage}`,
  summary: 'delete a token; a running service forgets it within KARRI_TOKEN_CACHE_SECONDS',
  async run(args, streams) {
    const { values, positionals } = parse(args, configOptions, 1);
    const id = positionals[0] ?? '';
    if (!isUuidLike(id)) throw new UsageError('Say which token, by its id.');
    await withDatabase(readConfigFor(streams, values), (knex) => createTokenStore(knex).delete(canonicalUuid(id)));
    return 0;
  },
};
