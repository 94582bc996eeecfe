import { isoTime, systemClock } from '../../base/clock.ts';
import { newId } from '../../base/ids.ts';
import { createTokenStore } from '../../db/token-store.ts';
import { hashToken, newTokenText } from '../../model/access-token.ts';
import { type Command, parse, UsageError } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';
import { withDatabase } from './database.ts';

const options = {
  ...configOptions,
  user: { type: 'string' },
  project: { type: 'string' },
  role: { type: 'string', multiple: true },
  name: { type: 'string', default: '' },
  days: { type: 'string' },
} as const;

const dayMs = 86_400_000;

export const tokenCreate: Command = {
  usage: `token create --user ID --project ID [--role NAME]... [--days N] [--name TEXT] ${configUsage}`,
  summary: 'make a token for KARRI_AUTH=token and print it, this once; role member unless others are named',
  async run(args, streams) {
    const { values } = parse(args, options);
    const { role: roles = ['member'], name, days } = values;
    const userId = readWord('--user', values.user);
    const projectId = readWord('--project', values.project);
    for (const role of roles) readWord('--role', role);
    if (days !== undefined && !/^[1-9]\d{0,4}$/.test(days))
      throw new UsageError(`--days is "${days}"; it must be a whole number above 0.`);
    if (!/^[^\p{C}]{0,255}$/u.test(name)) throw new UsageError('--name must be text on one line.');
    const text = newTokenText();
    const createdAt = systemClock.now();
    const expiresAt = days === undefined ? null : createdAt + Number(days) * dayMs;
    const token = { id: newId(), name, userId, projectId, roles, createdAt, expiresAt };
    await withDatabase(readConfigFor(streams, values), (knex) => createTokenStore(knex).create(token, hashToken(text)));
    streams.out.write(`${text}\n`);
    const end = expiresAt === null ? 'it does not expire' : `it expires at ${isoTime(expiresAt)}`;
    streams.err.write(`Token ${token.id}: ${userId} of ${projectId} as ${roles.join(', ')}; ${end}. It cannot be shown again.\n`);
    return 0;
  },
};

/** What also stands in paths and headers. */
function readWord(option: string, text: string | undefined): string {
  if (text === undefined) throw new UsageError(`${option} is missing.`);
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new UsageError(`${option} is "${text}"; it must be 1 to 64 letters, digits, or one of . _ -`);
}
