import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { Plan } from '../../src/model/plan.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { createGatedStore } from '../kit/gated-store.ts';
import { createTrailPlugins, type Trail } from '../kit/trail-plugins.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  for (const cloud of open.splice(0)) await cloud[Symbol.asyncDispose]();
});

async function openCloud(bank: ObjectStore): Promise<{ cloud: TestCloud; trail: Trail }> {
  const { plugins, trail } = createTrailPlugins();
  const cloud = await openTestCloud({ bank, plugins });
  open.push(cloud);
  return { cloud, trail };
}

const planOf = (cloud: TestCloud): Promise<Plan> =>
  cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: [{ type: 'Test::Machine', id: 'vm', name: 'vm' }],
    parameters: {},
    hooks: null,
  });

async function protect(cloud: TestCloud) {
  const plan = await planOf(cloud);
  const { id } = await cloud.protection.checkpoints.create(caller, providerId, plan.id, { note: 'before upgrade' });
  return cloud.settled(id);
}

const restoreOf = (checkpointId: string) => ({
  providerId,
  checkpointId,
  restoreTarget: null,
  restoreAuth: null,
  parameters: {},
});
const list = (cloud: TestCloud) =>
  cloud.protection.checkpoints.list(caller, providerId, {
    limit: 10,
    sort: [{ key: 'created_at', direction: 'desc' }],
    filters: {},
    projectId: 'demo',
  });

describe('protect, restore, delete', () => {
  test('go through the children of a resource in Karbor’s order, and a second cloud with the same bank restores', async () => {
    const bank = createMemoryStore();
    const { cloud, trail } = await openCloud(bank);
    const checkpoint = await protect(cloud);
    expect(checkpoint).toMatchObject({
      status: 'available',
      reason: null,
      extraInfo: { created_by: 'manual', note: 'before upgrade' },
      resources: ['disk-a', 'disk-b', 'vm'].map((id) => ({ id, status: 'available', reason: '' })),
    });
    expect(trail.calls).toHaveLength(12);
    const at = (what: string) => trail.calls.indexOf(what);
    for (const disk of ['disk-a', 'disk-b']) {
      expect(at('protect prepareBegin vm')).toBeLessThan(at(`protect prepareBegin ${disk}`));
      expect(at(`protect prepareFinish ${disk}`)).toBeLessThan(at('protect prepareFinish vm'));
      expect(at(`protect complete ${disk}`)).toBeLessThan(at('protect complete vm'));
    }
    const { items: logs } = await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'created_at', direction: 'desc' }],
      filters: {},
    });
    expect(logs).toMatchObject([{ operationType: 'protect', status: 'available', checkpointId: checkpoint.id, errorInfo: null }]);
    expect(logs[0]?.endedAt).not.toBeNull();

    const { cloud: second, trail: there } = await openCloud(bank);
    expect((await list(second)).items).toMatchObject([{ id: checkpoint.id, status: 'available', plan: { name: 'nightly' } }]);
    const restore = await second.restored((await second.protection.restores.create(caller, restoreOf(checkpoint.id))).id);
    expect(restore).toMatchObject({
      status: 'success',
      resourcesStatus: {
        'Test::Machine#new-vm': 'available',
        'Test::Disk#new-disk-a': 'available',
        'Test::Disk#new-disk-b': 'available',
      },
    });
    expect([...there.restored.keys()].toSorted()).toEqual(['new-disk-a', 'new-disk-b', 'new-vm']);

    // Deleted on the one cloud, it is gone from the list of the other, and still shown there as deleted.
    await second.protection.checkpoints.delete(caller, providerId, checkpoint.id);
    expect((await second.settled(checkpoint.id)).status).toBe('deleted');
    expect((await list(second)).items).toEqual([]);
    await expect.poll(async () => (await list(cloud)).items, { timeout: 5000 }).toEqual([]);
    expect((await cloud.protection.checkpoints.get(caller, providerId, checkpoint.id)).status).toBe('deleted');
    await expect(second.protection.checkpoints.delete(caller, providerId, checkpoint.id)).rejects.toMatchObject({
      kind: 'invalid',
    });
  });

  test('a resource that fails makes the checkpoint an error that says which and why; the others are finished; it can be deleted', async () => {
    const { cloud, trail } = await openCloud(createMemoryStore());
    trail.before = async (what) => {
      if (what === 'protect main disk-a')
        throw new Fault('invalid', 'test.broken', 'The disk is broken.', { help: 'Replace it.' });
    };
    const checkpoint = await protect(cloud);
    expect(checkpoint).toMatchObject({ status: 'error', reason: 'The disk is broken. Replace it.' });
    const reasons = Object.fromEntries(checkpoint.resources.map(({ id, status, reason }) => [id, `${status} ${reason}`]));
    expect(reasons['disk-a']).toBe('error The disk is broken. Replace it.');
    expect(reasons['vm']).toMatch(/^error Not finished/);
    const refused = await cloud.protection.restores.create(caller, restoreOf(checkpoint.id));
    expect(refused).toMatchObject({ status: 'fail' });
    expect(Object.values(refused.resourcesReason)[0]).toContain('only an available one can be restored');
    await cloud.protection.checkpoints.delete(caller, providerId, checkpoint.id);
    expect((await cloud.settled(checkpoint.id)).status).toBe('deleted');
  });

  test('a restore that fails is abandoned, and says which resource and why', async () => {
    const { cloud, trail } = await openCloud(createMemoryStore());
    const checkpoint = await protect(cloud);
    trail.before = async (what) => {
      if (what === 'restore complete disk-b') throw new Fault('conflict', 'test.taken', 'The name is taken.');
    };
    const restore = await cloud.restored((await cloud.protection.restores.create(caller, restoreOf(checkpoint.id))).id);
    expect(restore).toMatchObject({ status: 'fail', resourcesReason: { 'Test::Disk#new-disk-b': 'The name is taken.' } });
    expect(restore.resourcesStatus['Test::Disk#new-disk-a']).toBe('available');
    expect(trail.calls).toContain('restore abandon disk-b');
    expect(trail.calls).not.toContain('restore abandon disk-a');
  });

  test('when the bank is away: a new checkpoint is refused with the reason; a failure is kept here and told to the bank later', async () => {
    let away = false;
    const bank = createGatedStore(createMemoryStore(), async () => {
      if (away) throw new Fault('unavailable', 'storage.unreachable', 'The bank is away.', { retry: 'never' });
    });
    const { cloud, trail } = await openCloud(bank);
    trail.before = async (what) => {
      if (what === 'protect main vm') away = true;
    };
    const plan = await planOf(cloud);
    const { id } = await cloud.protection.checkpoints.create(caller, providerId, plan.id, null);
    const checkpoint = await cloud.settled(id);
    expect(checkpoint).toMatchObject({ status: 'error', reason: 'The bank is away.' });
    await expect(cloud.protection.checkpoints.create(caller, providerId, plan.id, null)).rejects.toMatchObject({
      kind: 'invalid',
      message: 'The checkpoint cannot be made: The bank is away.',
    });

    away = false;
    trail.before = () => Promise.resolve();
    const { cloud: second } = await openCloud(bank);
    // Nobody asks the first cloud anything: its scheduler tells the bank by itself.
    await cloud.deps.catalog.tellAllLate((id) => cloud.deps.providers.find(id));
    await expect.poll(async () => (await list(second)).items.map(({ status }) => status), { timeout: 5000 }).toEqual(['error']);
  });

  test('of what is not the caller’s: a plan is unknown, a checkpoint forbidden', async () => {
    const { cloud } = await openCloud(createMemoryStore());
    const checkpoint = await protect(cloud);
    const stranger = { ...caller, projectId: 'other' };
    await expect(cloud.protection.plans.get(stranger, checkpoint.plan.id)).rejects.toMatchObject({ kind: 'not-found' });
    const { checkpoints, restores } = cloud.protection;
    for (const refused of [
      () => checkpoints.get(stranger, providerId, checkpoint.id),
      () => checkpoints.delete(stranger, providerId, checkpoint.id),
      () => checkpoints.resetState(stranger, providerId, checkpoint.id, 'error'),
      () => restores.create(stranger, restoreOf(checkpoint.id)),
    ]) {
      await expect(refused()).rejects.toMatchObject({ kind: 'forbidden' });
    }
    await expect(cloud.protection.checkpoints.get(caller, providerId, newId())).rejects.toMatchObject({ kind: 'not-found' });
    await cloud.protection.checkpoints.resetState(caller, providerId, checkpoint.id, 'error');
    expect((await cloud.protection.checkpoints.get(caller, providerId, checkpoint.id)).status).toBe('error');
  });
});
