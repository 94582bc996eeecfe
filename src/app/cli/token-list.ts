import { isoTime, systemClock } from '../../base/clock.ts';
import { createTokenStore } from '../../db/token-store.ts';
import { type Command, parse } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';
import { withDatabase } from './database.ts';

export const tokenList: Command = {
  usage: `token list ${configUsage}`,
  summary: 'list the tokens: whose they are and how long; their texts are kept nowhere',
  async run(args, streams) {
    const { values } = parse(args, configOptions);
    const tokens = await withDatabase(readConfigFor(streams, values), (knex) => createTokenStore(knex).list());
    const now = systemClock.now();
    for (const { id, name, userId, projectId, roles, expiresAt } of tokens) {
      const end = expiresAt === null ? 'no end' : `${expiresAt <= now ? 'expired' : 'until'} ${isoTime(expiresAt)}`;
      streams.out.write(`${id}  ${userId}  ${projectId}  ${roles.join(',')}  ${end}${name === '' ? '' : `  ${name}`}\n`);
    }
    if (tokens.length === 0) streams.err.write('There is no token; `karri token create` makes one.\n');
    return 0;
  },
};
