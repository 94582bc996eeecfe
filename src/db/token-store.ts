import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { AccessToken } from '../model/access-token.ts';

export interface TokenStore {
  create(token: AccessToken, hash: Buffer): Promise<void>;
  /** Expired ones too. */
  find(hash: Buffer): Promise<AccessToken | undefined>;
  /** All of them, oldest first. */
  list(): Promise<AccessToken[]>;
  /** @throws not-found `token.unknown` */
  delete(id: string): Promise<void>;
}

interface TokenRow {
  id: string;
  name: string;
  user_id: string;
  project_id: string;
  roles: string[];
  created_at: Date;
  expires_at: Date | null;
}

export function createTokenStore(knex: Knex): TokenStore {
  return {
    async create(token, hash) {
      await knex('tokens').insert({
        id: token.id,
        hash,
        name: token.name,
        user_id: token.userId,
        project_id: token.projectId,
        roles: [...token.roles],
        created_at: new Date(token.createdAt),
        expires_at: token.expiresAt === null ? null : new Date(token.expiresAt),
      });
    },

    async find(hash) {
      const row: TokenRow | undefined = await knex('tokens').where({ hash }).first();
      return row === undefined ? undefined : fromRow(row);
    },

    async list() {
      const rows: TokenRow[] = await knex('tokens').orderBy([{ column: 'created_at' }, { column: 'id' }]);
      return rows.map(fromRow);
    },

    async delete(id) {
      if ((await knex('tokens').where({ id }).delete()) === 0)
        throw new Fault('not-found', 'token.unknown', `There is no token ${id}.`, { help: '`karri token list` shows them.' });
    },
  };
}

function fromRow(row: TokenRow): AccessToken {
  return {
    id: row.id,
    name: row.name,
    userId: row.user_id,
    projectId: row.project_id,
    roles: row.roles,
    createdAt: row.created_at.getTime(),
    expiresAt: row.expires_at?.getTime() ?? null,
  };
}
