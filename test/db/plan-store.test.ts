import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { createPlanStore, type PlanStore } from '../../src/db/plan-store.ts';
import type { Plan } from '../../src/model/plan.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

function aPlan(change: Partial<Plan> = {}): Plan {
  return {
    id: newId(),
    projectId: newId(),
    name: 'nightly',
    description: null,
    providerId: newId(),
    status: 'suspended',
    resources: [
      { id: newId(), type: 'Host::Block', name: 'disk', extraInfo: { zone: 'a' } },
      { id: newId(), type: 'Host::Directory', name: 'data' },
    ],
    parameters: { 'Host::Block': { backup_mode: 'full', force: 'True' } },
    hooks: { pre: 'stop-db' },
    createdAt: 1_900_000_000_123,
    ...change,
  };
}

describe('plan store', () => {
  let database: TestDatabase;
  let plans: PlanStore;
  beforeAll(async () => {
    database = await createTestDatabase();
    plans = createPlanStore(database.knex);
  });
  afterAll(() => database.drop());

  test('gives back what was put in', async () => {
    const plan = aPlan({ description: 'two volumes' });
    await plans.create(plan);
    expect(await plans.get(plan.id)).toEqual(plan);
  });

  test('an update changes what it names', async () => {
    const plan = aPlan();
    await plans.create(plan);
    expect(await plans.update(plan.id, {})).toEqual(plan);
    const changed = await plans.update(plan.id, { name: 'weekly', resources: [], hooks: null, status: 'started' });
    expect(changed).toEqual({ ...plan, name: 'weekly', resources: [], hooks: null, status: 'started' });
    expect(await plans.get(plan.id)).toEqual(changed);
  });

  test('a deleted plan is unknown, its row stays', async () => {
    const plan = aPlan();
    await plans.create(plan);
    await plans.delete(plan.id);
    const unknown = { kind: 'not-found', code: 'plan.unknown' };
    await expect(plans.get(plan.id)).rejects.toMatchObject(unknown);
    await expect(plans.update(plan.id, { name: 'x' })).rejects.toMatchObject(unknown);
    await expect(plans.update(plan.id, {})).rejects.toMatchObject(unknown);
    await expect(plans.delete(plan.id)).rejects.toMatchObject(unknown);
    expect(await database.knex('plans').where({ id: plan.id })).toHaveLength(1);
  });

  test('takes part in the transaction of its caller', async () => {
    const plan = aPlan();
    const undone = database.knex.transaction(async (trx) => {
      await plans.create(plan, trx);
      expect(await plans.get(plan.id, trx)).toEqual(plan);
      throw new RangeError('undo');
    });
    await expect(undone).rejects.toThrow(RangeError);
    await expect(plans.get(plan.id)).rejects.toMatchObject({ code: 'plan.unknown' });
  });

  test('names that would be SQL are only names', async () => {
    const plan = aPlan({ name: `'; drop table plans; --`, description: '"??" $1 \\' });
    await plans.create(plan);
    expect(await plans.get(plan.id)).toEqual(plan);
    await expect(plans.create(aPlan({ name: 'nul \0' }))).rejects.toMatchObject({
      kind: 'invalid',
      code: 'db.bad_value',
    });
  });
});
