import type { Knex } from 'knex';
import { inject } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { openDatabase } from '../../src/db/connect.ts';

export interface TestDatabase {
  readonly url: string;
  readonly knex: Knex;
  /** Closes the pool and deletes the database, whoever else is still connected. */
  drop(): Promise<void>;
}

/**
 * A fresh database with the schema in it, on the run's own PostgreSQL. Make one in `beforeAll`, drop it in `afterAll`.
 * `empty`: without the schema.
 */
export async function createTestDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `karri_test_${newId().replaceAll('-', '')}`;
  const admin = await openDatabase({ url: inject('databaseUrl'), poolSize: 1 });
  await admin.raw('create database ?? template ??', [name, options.empty ? 'template0' : inject('templateDatabase')]);
  const changed = new URL(inject('databaseUrl'));
  changed.pathname = `/${name}`;
  const url = changed.href;
  const knex = await openDatabase({ url, poolSize: 10 });
  return {
    url,
    knex,
    drop: async () => {
      await knex.destroy();
      await admin.raw('drop database ?? with (force)', [name]);
      await admin.destroy();
    },
  };
}
