import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection } from '../../plugins/protections/host/index.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { QuotaResource } from '../../src/model/quota.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';

const MiB = 1 << 20;
const capacityBytes = 100 * MiB;
const imageBytes = 3 * MiB;

let host: TestHost;
let cloud: TestCloud;
beforeAll(async () => {
  host = await makeTestHost();
  cloud = await openTestCloud({
    bank: createMemoryStore(),
    plugins: [hostBlockProtectable, hostBlockProtection],
    volumeRoots: [host.first],
    capacityBytes,
    quota: { plans: 50 },
  });
});
afterEach(() => cloud.protection.quotas.delete(caller.projectId));
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

const quotas = () => cloud.protection.quotas;
const inUse = async (resource: QuotaResource): Promise<number> =>
  (await quotas().getDetail(caller, caller.projectId))[resource].inUse;
const set = (change: Partial<Record<QuotaResource, number>>) => quotas().update(caller.projectId, change);

async function planOf(name: string, by: Caller = caller): Promise<Plan> {
  const volume = (await cloud.protection.protectables.listInstances(by, 'Host::Block')).find((one) => one.name === name);
  const resources = volume ? [{ type: volume.type, id: volume.id, name }] : [{ type: 'Host::Block', id: name, name }];
  return cloud.protection.plans.create(by, { name, description: null, providerId, resources, parameters: {}, hooks: null });
}
const image = (name: string): Promise<Plan> => {
  mkdirSync(host.first, { recursive: true });
  writeFileSync(join(host.first, name), createSeeded(name).bytes(imageBytes));
  return planOf(name);
};
const protect = async ({ id }: Plan) =>
  cloud.settled((await cloud.protection.checkpoints.create(caller, providerId, id, null)).id);

/** How many of fifty at once are let through; the others are refused for the quota's sake. */
async function letThrough(code: string, make: () => Promise<unknown>): Promise<number> {
  const results = await Promise.allSettled(Array.from({ length: 50 }, make));
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ kind: 'over-quota', code });
  }
  return results.filter(({ status }) => status === 'fulfilled').length;
}

describe('a quota of', () => {
  test('plans holds against fifty at once, and a deleted plan frees its place', async () => {
    await set({ plans: (await inUse('plans')) + 7 });
    expect(await letThrough('quota.plans', () => planOf('none'))).toBe(7);
    const { items } = await cloud.protection.plans.list(caller, {
      limit: 1,
      sort: [{ key: 'id', direction: 'asc' }],
      filters: {},
      projectId: caller.projectId,
    });
    await cloud.protection.plans.delete(caller, items[0]?.id ?? '');
    await planOf('none');
    await expect(planOf('none')).rejects.toMatchObject({ code: 'quota.plans' });
    // Another project has its own.
    await planOf('none', { ...caller, projectId: 'other' });
  });

  test('checkpoints holds against fifty at once, and one that is being deleted counts no more', async () => {
    const plan = await image('checkpoints.raw');
    await set({ checkpoints: (await inUse('checkpoints')) + 3 });
    const made: string[] = [];
    const make = async (): Promise<void> => {
      made.push((await cloud.protection.checkpoints.create(caller, providerId, plan.id, null)).id);
    };
    expect(await letThrough('quota.checkpoints', make)).toBe(3);
    for (const id of made) expect(await cloud.settled(id)).toMatchObject({ status: 'available' });
    await expect(make()).rejects.toMatchObject({ code: 'quota.checkpoints', details: { resource: 'checkpoints' } });
    await cloud.protection.checkpoints.delete(caller, providerId, made[0] ?? '');
    await make();
    await cloud.settled(made[3] ?? '');
  });

  test('protected bytes counts each resource once, in its newest checkpoint', async () => {
    const plan = await image('protected.raw');
    const before = await inUse('protected_bytes');
    await protect(plan);
    await protect(plan);
    expect(await inUse('protected_bytes')).toBe(before + imageBytes);
    await set({ protected_bytes: before + imageBytes });
    await expect(protect(plan)).rejects.toMatchObject({ kind: 'over-quota', code: 'quota.protected_bytes' });
  });

  test('stored bytes stops the protect that would go beyond it', async () => {
    const before = await inUse('stored_bytes');
    const plan = await image('stored.raw');
    await set({ stored_bytes: before + MiB });
    const failed = await protect(plan);
    expect(failed.status).toBe('error');
    expect(failed.reason).toContain('may have no more bytes in the banks');
    await set({ stored_bytes: before + 10 * MiB });
    expect(await protect(plan)).toMatchObject({ status: 'available' });
    const stored = await inUse('stored_bytes');
    expect(stored).toBeGreaterThan(before + imageBytes);
    await set({ stored_bytes: stored });
    await expect(protect(plan)).rejects.toMatchObject({ kind: 'over-quota', code: 'quota.stored_bytes' });
  });
});

describe('what is promised', () => {
  test('to all projects together must fit the banks', async () => {
    await quotas().update('one', { stored_bytes: 60 * MiB });
    await expect(quotas().update('two', { stored_bytes: 41 * MiB })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'quota.beyond_capacity',
      details: { field: 'quota.stored_bytes', capacity_bytes: capacityBytes },
    });
    expect(await quotas().get({ ...caller, isAdmin: true }, 'two')).toMatchObject({ stored_bytes: -1 });
    await quotas().update('two', { stored_bytes: 40 * MiB });
    const tries = Array.from({ length: 50 }, (_, index) => quotas().update(`three ${index}`, { stored_bytes: MiB }));
    const results = await Promise.allSettled(tries);
    expect(results.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    await Promise.all([quotas().delete('one'), quotas().delete('two')]);
  });
});

describe('limits', () => {
  test('are the defaults until they are set, and again when that is taken back', async () => {
    expect(await quotas().get(caller, caller.projectId)).toEqual(quotas().getDefaults());
    expect(await set({ plans: 12 })).toEqual({ ...quotas().getDefaults(), plans: 12 });
    await quotas().delete(caller.projectId);
    expect(await quotas().get(caller, caller.projectId)).toEqual(quotas().getDefaults());
  });

  test("of another project, and classes, are an administrator's", async () => {
    await expect(quotas().get(caller, 'other')).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(quotas().getDetail(caller, 'other')).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(quotas().getClass(caller, 'gold')).rejects.toMatchObject({ kind: 'forbidden' });
    const admin = { ...caller, isAdmin: true };
    expect(await quotas().updateClass('gold', { plans: 80 })).toMatchObject({ plans: 80, checkpoints: -1 });
    expect(await quotas().getClass(admin, 'gold')).toMatchObject({ plans: 80 });
  });
});

describe('services', () => {
  test('are up while they beat, and only schedulers can be switched', async () => {
    const { services } = cloud.deps;
    await services.beat({ binary: 'karbor-operationengine', host: 'ctl-1', seat: 'ctl-1:/a' });
    await services.beat({ binary: 'karbor-protection', host: 'ctl-1', seat: 'ctl-1:/a' });
    await services.beat({ binary: 'karbor-protection', host: 'ctl-1', seat: 'ctl-1:/a' });
    const list = await cloud.protection.services.list({ host: 'ctl-1' });
    expect(list.map(({ binary, state, status }) => [binary, state, status])).toEqual([
      ['karbor-operationengine', 'up', 'enabled'],
      ['karbor-protection', 'up', 'enabled'],
    ]);
    const [engine, worker] = list.map(({ id }) => String(id));
    const update = cloud.protection.services.update;
    expect(await update(engine ?? '', { status: 'disabled', disabledReason: 'disk swap' })).toMatchObject({
      status: 'disabled',
      disabledReason: 'disk swap',
    });
    expect(await update(engine ?? '', { status: 'resting' })).toMatchObject({ status: 'disabled' });
    await expect(update(engine ?? '', { status: 'enabled', disabledReason: 'x' })).rejects.toMatchObject({ kind: 'invalid' });
    expect(await update(engine ?? '', { status: 'enabled' })).toMatchObject({ status: 'enabled', disabledReason: null });
    await expect(update(worker ?? '', { status: 'disabled' })).rejects.toMatchObject({ code: 'service.not_switchable' });
    await expect(update('none', {})).rejects.toMatchObject({ kind: 'not-found' });

    await cloud.deps.knex('services').update({ updated_at: cloud.deps.knex.raw("now() - interval '2 minutes'") });
    expect((await cloud.protection.services.list({})).map(({ state }) => state)).toEqual(['down', 'down']);
  });
});
