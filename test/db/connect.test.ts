import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/db/connect.ts';
import { inTransaction } from '../../src/db/transaction.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

describe('openDatabase', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  test('says so when there is no server', async () => {
    await expect(openDatabase({ url: 'postgres://karri:secret@127.0.0.1:1/postgres', poolSize: 1 })).rejects.toMatchObject({
      name: 'Fault',
      kind: 'unavailable',
      code: 'db.unreachable',
      retry: 'later',
      message: expect.not.stringContaining('secret'),
    });
  });

  test('says so when the server refuses: wrong password, unknown database', async () => {
    const wrongPassword = new URL(database.url);
    wrongPassword.password = 'wrong';
    const wrongDatabase = new URL(database.url);
    wrongDatabase.pathname = '/nowhere';
    for (const url of [wrongPassword.href, wrongDatabase.href]) {
      await expect(openDatabase({ url, poolSize: 1 })).rejects.toMatchObject({ code: 'db.refused', retry: 'never' });
    }
  });

  test('a slow query is a fault, not a hang, and the connection is usable afterwards', async () => {
    const knex = await openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 50 });
    await expect(knex.raw('select pg_sleep(60)')).rejects.toMatchObject({ kind: 'timeout', code: 'db.slow_query' });
    await expect(knex.raw('select 1 as one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    await knex.destroy();
  });

  test('a lost connection is a fault, and the next query has a new one', async () => {
    const knex = await openDatabase({ url: database.url, poolSize: 1 });
    await expect(knex.raw('select pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({ code: 'db.unreachable' });
    await expect(knex.raw('select 1 as one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
    await knex.destroy();
  });

  test('faults come out of transactions too, which are rolled back; faults of the work pass as they are', async () => {
    const { knex } = database;
    await knex.raw('create table things (id integer primary key)');
    const twice = knex.transaction(async (trx) => {
      await trx('things').insert({ id: 1 });
      await trx('things').insert({ id: 1 });
    });
    await expect(twice).rejects.toMatchObject({ kind: 'conflict', code: 'db.duplicate', details: { constraint: 'things_pkey' } });
    const own = inTransaction(knex, undefined, async (trx) => {
      await trx('things').insert({ id: 2 });
      throw new RangeError('mine');
    });
    await expect(own).rejects.toThrow(RangeError);
    expect(await knex('things').select()).toEqual([]);
  });

  test('messages hold neither statement nor values', async () => {
    const failed = database.knex('nothing_here').where({ secret: 'canary' }).select();
    await expect(failed).rejects.toMatchObject({
      code: 'db.failed',
      details: { sqlstate: '42P01' },
      message: expect.not.stringMatching(/canary|select/),
    });
  });
});
