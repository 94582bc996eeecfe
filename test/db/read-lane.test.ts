import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { createPlanStore, type PlanStore } from '../../src/db/plan-store.ts';
import type { PageQuery } from '../../src/model/page.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

let database: TestDatabase;
let plans: PlanStore;
const page: PageQuery = {
  limit: 10,
  sort: [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ],
  filters: {},
  projectId: 'p1',
};

beforeAll(async () => {
  database = await createTestDatabase();
  plans = createPlanStore(database.knex);
  const plan = { name: 'x', description: null, providerId: newId(), status: 'suspended' as const, resources: [], parameters: {} };
  for (const projectId of ['p1', 'p1', 'p2'])
    await plans.create({ ...plan, id: newId(), projectId, hooks: null, createdAt: Date.UTC(2031, 2, 9) });
});
afterAll(() => database.drop());

/** The rows of a page, and how many statements went through the pool for it. */
async function list(query: PageQuery = page): Promise<{ rows: number; pooled: number }> {
  let pooled = 0;
  const count = () => {
    pooled += 1;
  };
  database.knex.on('query', count);
  const { items } = await plans.list(query);
  database.knex.removeListener('query', count);
  return { rows: items.length, pooled };
}

test("short pages pass by the pool, many at once too; what may be slow or is another's does not", async () => {
  expect(await list()).toEqual({ rows: 2, pooled: 0 });
  const many = await Promise.all(Array.from({ length: 60 }, () => plans.list(page)));
  expect(many.map(({ items }) => items.length)).toEqual(Array.from({ length: 60 }, () => 2));
  expect(await list({ ...page, filters: { name: 'x+' } })).toEqual({ rows: 2, pooled: 1 });
  expect(await list({ ...page, sort: [{ key: 'name', direction: 'asc' }] })).toEqual({ rows: 2, pooled: 1 });
  const { projectId: _, ...everybody } = page;
  expect(await list(everybody)).toEqual({ rows: 3, pooled: 1 });
});

test('a transaction reads what it has written itself', async () => {
  await database.knex.transaction(async (trx) => {
    await trx('plans').update({ deleted_at: trx.fn.now() });
    expect((await createPlanStore(trx).list(page)).items).toEqual([]);
    await trx.rollback();
  });
});

test('a shape that changed since it was prepared, and lost sessions: every page comes, and later ones by the lane again', async () => {
  await list();
  await list();
  await database.knex.raw('alter table plans add column later text');
  expect([await list(), await list()]).toEqual([
    { rows: 2, pooled: 1 },
    { rows: 2, pooled: 1 },
  ]);
  expect(await list()).toEqual({ rows: 2, pooled: 0 });
  await database.knex.raw(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  expect([await list(), await list(), await list()].map(({ rows }) => rows)).toEqual([2, 2, 2]);
  expect(await list()).toEqual({ rows: 2, pooled: 0 });
});
