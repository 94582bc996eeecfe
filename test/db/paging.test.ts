import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { createOperationLogStore } from '../../src/db/operation-log-store.ts';
import { createPlanStore, type PlanStore } from '../../src/db/plan-store.ts';
import type { OperationLog } from '../../src/model/operation-log.ts';
import type { PageQuery, SortKey } from '../../src/model/page.ts';
import type { Plan } from '../../src/model/plan.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

const projectId = 'one';
const byTime: SortKey = { key: 'created_at', direction: 'desc' };

function aPlan(change: Partial<Plan>): Plan {
  const fixed = { providerId: newId(), status: 'suspended', resources: [], parameters: {}, hooks: null } as const;
  return { id: newId(), projectId, name: 'plan', description: null, createdAt: 1_900_000_000_000, ...fixed, ...change };
}

function query(change: Partial<PageQuery> = {}): PageQuery {
  return { limit: 1000, sort: [byTime], filters: {}, projectId, ...change };
}

describe('lists', () => {
  let database: TestDatabase;
  let plans: PlanStore;
  const names = async (change: Partial<PageQuery>): Promise<string[]> =>
    (await plans.list(query(change))).items.map(({ name }) => name);

  beforeAll(async () => {
    database = await createTestDatabase();
    plans = createPlanStore(database.knex);
    // Few distinct values, so that ties, nulls and mixed directions all occur.
    for (let index = 0; index < 30; index++) {
      const description = index % 4 === 0 ? null : `text ${index % 3}`;
      const status = index % 2 === 0 ? 'suspended' : 'started';
      await plans.create(aPlan({ name: `plan ${index % 5}`, description, status, createdAt: 1_900_000_000_000 + (index % 6) }));
    }
    await plans.create(aPlan({ projectId: 'other', name: 'foreign' }));
  });
  afterAll(() => database.drop());

  test('pages joined are the whole list, for any order and page size', async () => {
    const key = fc.constantFrom('created_at', 'name', 'description', 'status', 'provider_id', 'id');
    const sort = fc.uniqueArray(fc.record({ key, direction: fc.constantFrom('asc', 'desc') }), {
      selector: (term) => term.key,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(sort, fc.integer({ min: 1, max: 12 }), async (order, limit) => {
        const whole = (await plans.list(query({ sort: order }))).items.map(({ id }) => id);
        expect(whole).toHaveLength(30);
        const joined: string[] = [];
        for (;;) {
          const marker = joined.at(-1);
          const page = await plans.list(query({ sort: order, limit, ...(marker && { marker }) }));
          joined.push(...page.items.map(({ id }) => id));
          if (page.items.length < limit) break;
        }
        expect(joined).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  test('a list is of one project, or of all', async () => {
    expect(await names({})).not.toContain('foreign');
    const { items } = await plans.list({ limit: 1000, sort: [byTime], filters: {} });
    expect(items).toHaveLength(31);
  });

  test('sorts as asked, the id breaking ties the same way', async () => {
    const { items } = await plans.list(query({ sort: [byTime] }));
    const expected = items.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    expect(items).toEqual(expected);
    const last = await names({ sort: [{ key: 'name', direction: 'asc' }], offset: 29 });
    expect(last).toEqual(['plan 4']);
  });

  test('name and description match by pattern, status exactly', async () => {
    expect(new Set(await names({ filters: { name: '[34]$' } }))).toEqual(new Set(['plan 3', 'plan 4']));
    expect(await names({ filters: { description: 'text 1', name: 'plan 0' } })).toHaveLength(2);
    expect(await names({ filters: { status: 'started' } })).toHaveLength(15);
    expect(await names({ filters: { status: 'start' } })).toEqual([]);
    expect(await names({ filters: { description: null } })).toHaveLength(8);
    expect(await names({ filters: { status: ['started', 'suspended'] } })).toHaveLength(30);
  });

  test('values of another type, odd ids and unknown keys are no errors', async () => {
    expect(await names({ filters: { name: 4 } })).toHaveLength(6);
    expect(await names({ filters: { provider_id: 'no uuid' } })).toEqual([]);
    expect(await names({ filters: { id: { a: 1 } } })).toEqual([]);
    expect(await names({ filters: { colour: 'red' } })).toHaveLength(30);
  });

  test('what cannot be answered is a fault', async () => {
    await expect(plans.list(query({ filters: { name: '(' } }))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'db.bad_pattern',
    });
    await expect(plans.list(query({ sort: [{ key: 'colour', direction: 'asc' }] }))).rejects.toMatchObject({
      code: 'page.bad_sort',
    });
    const foreign = (await plans.list(query({ projectId: 'other' }))).items[0]?.id ?? '';
    for (const marker of [newId(), 'no uuid', foreign]) {
      await expect(plans.list(query({ marker }))).rejects.toMatchObject({ kind: 'not-found', code: 'page.unknown_marker' });
    }
  });

  test('one can delete while paging', async () => {
    const project = newId();
    for (let index = 0; index < 6; index++) await plans.create(aPlan({ projectId: project, createdAt: index }));
    let marker: string | undefined;
    let seen = 0;
    for (;;) {
      const { items } = await plans.list(query({ projectId: project, limit: 2, ...(marker && { marker }) }));
      for (const { id } of items) await plans.delete(id);
      seen += items.length;
      if (items.length < 2) break;
      marker = items.at(-1)?.id;
    }
    expect(seen).toBe(6);
    expect((await plans.list(query({ projectId: project }))).items).toEqual([]);
  });

  test('a far page costs what the first does: the index is entered at the marker', async () => {
    await database.knex.raw(`insert into plans (id, project_id, name, provider_id, status, resources, parameters, created_at)
      select gen_random_uuid(), 'many ' || n % 100, 'p', gen_random_uuid(), 'started', '[]', '{}', to_timestamp(1900000000 + n / 3) from generate_series(1, 20000) n`);
    await database.knex.raw('analyze plans');
    const statements: { sql: string; bindings: unknown[] }[] = [];
    const listener = (statement: { sql: string; bindings: unknown[] }): unknown => statements.push(statement);
    database.knex.on('query', listener);
    const { id } = await database
      .knex('plans')
      .where({ project_id: 'many 7' })
      .orderBy(['created_at', 'id'])
      .offset(100)
      .first('id');
    const page = await plans.list(query({ projectId: 'many 7', limit: 20, marker: id }));
    database.knex.off('query', listener);
    expect(page.items).toHaveLength(20);

    const list = statements.at(-1);
    const explained = await database.knex.raw(
      `explain (analyze, format json) ${list?.sql.replace(/\$\d+/g, '?')}`,
      (list?.bindings ?? []) as string[],
    );
    const plan = JSON.stringify(explained.rows);
    expect(plan).toContain('plans_of_project');
    expect(plan).not.toContain('"Node Type":"Sort"');
    expect(plan).not.toMatch(/"Rows Removed by Filter":[1-9]/);
  });

  test('operation logs: a filter on no column matches nothing, ids match exactly', async () => {
    const logs = createOperationLogStore(database.knex);
    const empty = {
      planId: null,
      providerId: null,
      restoreId: null,
      scheduledOperationId: null,
      endedAt: null,
      errorInfo: null,
      extraInfo: null,
    };
    const log: OperationLog = {
      id: newId(),
      projectId,
      operationType: 'protect',
      checkpointId: newId(),
      status: 'protecting',
      startedAt: 5,
      ...empty,
    };
    await logs.create(log);
    await logs.create({ ...log, id: newId(), checkpointId: newId() });
    const { items } = await logs.list(query({ filters: { checkpoint_id: log.checkpointId?.toUpperCase() } }));
    expect(items).toEqual([log]);
    expect((await logs.list(query({ filters: { colour: 'red' } }))).items).toEqual([]);
    expect((await logs.list(query({ sort: [{ key: 'ended_at', direction: 'asc' }] }))).items).toHaveLength(2);
  });
});
