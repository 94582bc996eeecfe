import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/index.ts';
import { openDatabase } from '../../src/db/connect.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

const names = migrations.map(({ name }) => name);

describe('migrate', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ empty: true });
  });
  afterAll(() => database.drop());

  test('of processes that start at once, one brings the schema up and the others find it there', async () => {
    const pools = await Promise.all([1, 2, 3].map(() => openDatabase({ url: database.url, poolSize: 1 })));
    const applied = await Promise.all(pools.map(migrate));
    await Promise.all(pools.map((pool) => pool.destroy()));
    expect(applied.flat()).toEqual(names);
    expect(await migrate(database.knex)).toEqual([]);
    expect(await database.knex('plans').select()).toEqual([]);
  });

  test('a database of a later version is refused and left alone', async () => {
    await database.knex('schema_migrations').insert({ name: '9999-later' });
    await expect(migrate(database.knex)).rejects.toMatchObject({
      code: 'db.newer_schema',
      message: expect.stringContaining('9999-later'),
    });
    await database.knex('schema_migrations').where({ name: '9999-later' }).delete();
  });

  test('names are unique, numbered and without extension', () => {
    expect(new Set(names).size).toBe(names.length);
    expect([...names].sort()).toEqual(names);
    for (const name of names) expect(name).toMatch(/^\d{4}-[a-z-]+$/);
  });
});
