import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/faults.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { ScheduledOperation, ScheduledRun } from '../../src/model/scheduled-operation.ts';
import type { NewTriggerProperties, ShownTrigger } from '../../src/model/trigger.ts';
import { createScheduler } from '../../src/operations/scheduler.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { createTrailPlugins } from '../kit/trail-plugins.ts';

const minute = 60_000;
const hour = 60 * minute;
const start = Date.parse('2031-03-09T00:30:00Z');
let now = start;
const clock: Clock = { ...systemClock, now: () => now };
const { plugins, trail } = createTrailPlugins();
let cloud: TestCloud;
let plan: Plan;
beforeAll(async () => {
  cloud = await openTestCloud({ bank: createMemoryStore(), plugins, clock });
  plan = await cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: [{ type: 'Test::Machine', id: 'vm', name: 'vm' }],
    parameters: {},
    hooks: null,
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  trail.before = () => Promise.resolve();
  now = start;
  await cloud.deps.knex('scheduled_operations').delete();
  await cloud.deps.knex('triggers').delete();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const hourly: NewTriggerProperties = {
  format: 'crontab',
  pattern: '0 * * * *',
  startTime: null,
  endTime: null,
  windowSeconds: null,
  timezone: null,
  jitterSeconds: null,
  missed: null,
  overlap: null,
};
const trigger = (change: Partial<NewTriggerProperties> = {}): Promise<ShownTrigger> =>
  cloud.operations.triggers.create(caller, { name: 'hourly', properties: { ...hourly, ...change } });
const schedule = (on: ShownTrigger, definition: Record<string, unknown> = {}): Promise<ScheduledOperation> =>
  cloud.operations.scheduledOperations.create(caller, {
    name: 'protect',
    description: null,
    type: Object.keys(definition).length > 0 ? 'retention_protect' : 'protect',
    triggerId: on.id,
    definition: { provider_id: providerId, plan_id: plan.id, ...definition },
  });
const runsOf = async ({ id }: ScheduledOperation): Promise<readonly ScheduledRun[]> => {
  const query = { limit: 1000, sort: [{ key: 'created_at', direction: 'asc' as const }], filters: {} };
  return (await cloud.operations.scheduledOperations.listRuns(caller, id, query)).items;
};
const states = async (of: ScheduledOperation) => (await runsOf(of)).map(({ expectedAt, state }) => [expectedAt, state]);
/** Until none of its runs is open any more. */
async function settle(of: ScheduledOperation): Promise<readonly ScheduledRun[]> {
  for (;;) {
    await cloud.scheduler.advance();
    const runs = await runsOf(of);
    for (const { id, state } of runs)
      if (state === 'in_progress' && (await cloud.deps.checkpoints.get(id))) await cloud.settled(id);
    if (runs.every(({ state }) => !['triggered', 'in_progress'].includes(state))) return runs;
  }
}

describe('a trigger that is due', () => {
  test('makes a checkpoint as the user who scheduled it; the outcome of the run is that of the backup', async () => {
    const operation = await schedule(await trigger());
    expect(await cloud.scheduler.fire()).toBe(0);
    now = start + 30 * minute + 5;
    expect(await cloud.scheduler.fire()).toBe(1);
    const [run] = await settle(operation);
    expect(run).toMatchObject({ state: 'success', expectedAt: start + 30 * minute, triggeredAt: now, checkpointId: run?.id });
    const checkpoint = await cloud.protection.checkpoints.get(caller, providerId, run?.id ?? '');
    expect(checkpoint.extraInfo).toMatchObject({
      created_by: 'operation-engine',
      trigger_id: operation.triggerId,
      scheduled_operation_id: operation.id,
    });
    expect((await cloud.operations.triggers.get(caller, operation.triggerId)).nextAt).toBe(start + 90 * minute);
  });

  test('that fails says why', async () => {
    const operation = await schedule(await trigger());
    trail.before = () => Promise.reject(new Fault('invalid', 'test.broken', 'The machine is broken.'));
    now = start + 30 * minute;
    await cloud.scheduler.fire();
    expect(await settle(operation)).toMatchObject([{ state: 'failed', reason: expect.stringContaining('broken') }]);
  });

  test('whose plan is gone fails and says so', async () => {
    const operation = await schedule(await trigger());
    vi.spyOn(cloud.deps.plans, 'get').mockRejectedValue(new Fault('not-found', 'plan.unknown', 'Plan x could not be found.'));
    now = start + 30 * minute;
    await cloud.scheduler.fire();
    expect(await settle(operation)).toMatchObject([{ state: 'failed', reason: expect.stringContaining('could not be found') }]);
  });

  test('waits for a bank that is away until its window closes', async () => {
    const operation = await schedule(await trigger());
    const create = vi.spyOn(cloud.protection.checkpoints, 'create');
    create.mockRejectedValue(new Fault('unavailable', 'test.away', 'The bank is away.'));
    now = start + 30 * minute;
    await cloud.scheduler.fire();
    await cloud.scheduler.advance();
    expect(await states(operation)).toEqual([[now, 'in_progress']]);
    now += 20 * minute;
    await cloud.scheduler.advance();
    expect(await runsOf(operation)).toMatchObject([{ state: 'failed', reason: expect.stringContaining('away') }]);
  });

  test('is acted upon once, by however many schedulers', async () => {
    const on = await trigger();
    const operations = [await schedule(on), await schedule(on)];
    const many = Array.from({ length: 8 }, () => createScheduler(cloud.operationsDeps));
    now = start + 30 * minute;
    const made = await Promise.all(many.map((each) => each.fire()));
    expect(made.reduce((sum, each) => sum + each)).toBe(2);
    await Promise.all(many.map((each) => each.advance()));
    await Promise.all(many.map((each) => each.advance()));
    for (const operation of operations) expect(await settle(operation)).toMatchObject([{ state: 'success' }]);
    const ids = (await Promise.all(operations.map(runsOf))).flat().map(({ id }) => id);
    const begun = await cloud.deps.knex('operation_logs').whereIn('checkpoint_id', ids);
    expect(begun).toHaveLength(2);
  });
});

describe('runs that were missed', () => {
  const slept = start + 5 * hour + 40 * minute; // 06:10
  const sixOClock = start + 5.5 * hour;
  const woken = async (change: Partial<NewTriggerProperties>): Promise<ScheduledOperation> => {
    const operation = await schedule(await trigger(change));
    now = slept;
    await cloud.scheduler.fire();
    return operation;
  };
  const dropped = (count: number) =>
    Array.from({ length: count }, (_, index) => [start + (index + 0.5) * hour, 'dropped_out_of_window']);

  test('are told, and only one within its window is made up', async () => {
    expect(await states(await woken({}))).toEqual([...dropped(5), [sixOClock, 'triggered']]);
  });

  test('are left out when the window is over', async () => {
    const operation = await schedule(await trigger());
    now = slept + 10 * minute; // 06:20, twenty minutes late
    await cloud.scheduler.fire();
    expect(await states(operation)).toEqual([...dropped(5), [sixOClock, 'dropped_out_of_window']]);
    expect((await runsOf(operation))[0]?.reason).toContain('seconds late');
  });

  test('are made up once with `one`', async () => {
    const operation = await schedule(await trigger({ missed: 'one' }));
    now = slept + 10 * minute;
    await cloud.scheduler.fire();
    expect(await states(operation)).toEqual([...dropped(5), [sixOClock, 'triggered']]);
  });

  test('are all made up with `all`', async () => {
    const operation = await woken({ missed: 'all', overlap: 'queue' });
    expect((await runsOf(operation)).map(({ state }) => state)).toEqual(Array(6).fill('triggered'));
    expect((await settle(operation)).map(({ state }) => state)).toEqual(Array(6).fill('success'));
  });

  test('of a clock that jumps ten years are told up to a thousand, and the next is in the future', async () => {
    const operation = await schedule(await trigger());
    now = start + 3650 * 24 * hour;
    await cloud.scheduler.fire();
    const told = await runsOf(operation);
    expect(told.length).toBe(1000);
    expect(told.every(({ state }) => state === 'dropped_out_of_window')).toBe(true);
    expect((await cloud.operations.triggers.get(caller, operation.triggerId)).nextAt).toBe(now + 30 * minute);
  });
});

describe('a run that overlaps the one before', () => {
  const overlapping = async (overlap: 'skip' | 'queue'): Promise<ScheduledOperation> => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    trail.before = () => held;
    const operation = await schedule(await trigger({ overlap }));
    now = start + 30 * minute;
    await cloud.scheduler.fire();
    await cloud.scheduler.advance();
    now += hour;
    await cloud.scheduler.fire();
    await cloud.scheduler.advance();
    expect((await states(operation)).at(-1)).toEqual([now, overlap === 'skip' ? 'dropped_overlap' : 'triggered']);
    release();
    return operation;
  };

  test('is left out with `skip`', async () => {
    expect((await settle(await overlapping('skip'))).map(({ state }) => state)).toEqual(['success', 'dropped_overlap']);
  });

  test('waits with `queue`', async () => {
    expect((await settle(await overlapping('queue'))).map(({ state }) => state)).toEqual(['success', 'success']);
  });
});

describe('jitter', () => {
  test('puts each trigger at a moment of its own, the same every time', async () => {
    const operation = await schedule(await trigger({ jitterSeconds: 600 }));
    const due = async () => (await cloud.deps.knex('triggers').where({ id: operation.triggerId }).first()).due_at.getTime();
    const first = await due();
    expect(first).toBeGreaterThanOrEqual(start + 30 * minute);
    expect(first).toBeLessThan(start + 40 * minute);
    now = first;
    expect(await cloud.scheduler.fire()).toBe(1);
    expect(await states(operation)).toEqual([[start + 30 * minute, 'triggered']]);
    await settle(operation);
  });
});

describe('retention_protect', () => {
  test('lets go what is too much, after the backup, and says what', async () => {
    const operation = await schedule(await trigger(), { max_backups: '2' });
    for (let index = 0; index < 3; index++) {
      now = start + 30 * minute + index * hour;
      await cloud.scheduler.fire();
      await settle(operation);
    }
    const runs = await runsOf(operation);
    expect(runs.map(({ state }) => state)).toEqual(['success', 'success', 'success']);
    const { items } = await cloud.protection.checkpoints.list(caller, providerId, {
      limit: 100,
      sort: [{ key: 'created_at', direction: 'desc' }],
      filters: {},
      projectId: caller.projectId,
      planId: plan.id,
    });
    expect(items.filter(({ status }) => status === 'available').map(({ id }) => id)).toEqual([runs[2]?.id, runs[1]?.id]);
    expect(runs[2]?.deletedCheckpoints).toContain(runs[0]?.id);
    const preview = await cloud.operations.scheduledOperations.previewRetention(caller, operation.id);
    expect(preview.map(({ goes }) => goes)).toEqual([false, false]);
  });
});

describe('a scheduled operation', () => {
  test('is refused on a trigger or plan of others, and for the wrong provider', async () => {
    const on = await trigger();
    const other = { ...caller, projectId: 'other' };
    const wanted = { name: 'x', description: null, type: 'protect' as const, triggerId: on.id };
    const create = (by: typeof caller, definition: Record<string, string>) =>
      cloud.operations.scheduledOperations.create(by, { ...wanted, definition });
    await expect(create(other, { provider_id: providerId, plan_id: plan.id })).rejects.toMatchObject({ kind: 'invalid' });
    await expect(create(caller, { provider_id: plan.id, plan_id: plan.id })).rejects.toMatchObject({ kind: 'invalid' });
    await expect(create(caller, { provider_id: providerId, plan_id: on.id })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(create(caller, { plan_id: plan.id })).rejects.toMatchObject({ code: 'scheduled_operation.bad_definition' });
    const bad = create(caller, { provider_id: providerId, plan_id: plan.id, max_backups: 'many' });
    await expect(bad).rejects.toMatchObject({ details: { field: 'operation_definition.max_backups' } });
  });

  test('keeps its trigger from being deleted, and takes its runs with it', async () => {
    const operation = await schedule(await trigger());
    now = start + 30 * minute;
    await cloud.scheduler.fire();
    await expect(cloud.operations.triggers.delete(caller, operation.triggerId)).rejects.toMatchObject({ code: 'trigger.in_use' });
    await cloud.operations.scheduledOperations.delete(caller, operation.id);
    await cloud.scheduler.advance();
    expect(await cloud.deps.knex('scheduled_runs')).toEqual([]);
    await cloud.operations.triggers.delete(caller, operation.triggerId);
  });
});
