import type { Knex } from 'knex';
import { silentLog } from '../../base/log.ts';
import type { Config } from '../../config/config.ts';
import { openDatabase } from '../../db/connect.ts';
import { migrate } from '../../db/migrate.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../embedded-postgres.ts';
import { lockStateFolder } from '../state-lock.ts';

/** The service's database, beside the service or without it: an embedded one that nobody runs is started for as long. */
export async function withDatabase<T>(config: Config, use: (knex: Knex) => Promise<T>): Promise<T> {
  const url = config.databaseUrl ?? findEmbeddedPostgres(config.stateDir);
  if (url !== undefined) return useDatabase(url, use);
  const lock = lockStateFolder(config.stateDir);
  try {
    const postgres = await startEmbeddedPostgres({ stateDir: config.stateDir, log: silentLog });
    try {
      return await useDatabase(postgres.url, use);
    } finally {
      await postgres.stop();
    }
  } finally {
    lock.release();
  }
}

async function useDatabase<T>(url: string, use: (knex: Knex) => Promise<T>): Promise<T> {
  const knex = await openDatabase({ url, poolSize: 1 });
  try {
    await migrate(knex);
    return await use(knex);
  } finally {
    await knex.destroy();
  }
}
