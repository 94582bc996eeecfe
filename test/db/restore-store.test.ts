import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { createRestoreStore, type RestoreStore } from '../../src/db/restore-store.ts';
import type { Restore } from '../../src/model/restore.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

function aRestore(): Restore {
  return {
    id: newId(),
    projectId: 'one',
    providerId: newId(),
    checkpointId: newId(),
    restoreTarget: null,
    parameters: { 'Host::Block': { restore_name: 'b' } },
    status: 'in_progress',
    resourcesStatus: {},
    resourcesReason: {},
    createdAt: 1_900_000_000_123,
  };
}

describe('restore store', () => {
  let database: TestDatabase;
  let restores: RestoreStore;
  beforeAll(async () => {
    database = await createTestDatabase();
    restores = createRestoreStore(database.knex);
  });
  afterAll(() => database.drop());

  test('gives back what was put in, and lists it', async () => {
    const restore = aRestore();
    await restores.create(restore);
    expect(await restores.get(restore.id)).toEqual(restore);
    const query = { limit: 10, sort: [], filters: { status: 'in_progress' }, projectId: 'one' };
    expect((await restores.list(query)).items).toEqual([restore]);
    expect((await restores.list({ ...query, filters: { status: 'success' } })).items).toEqual([]);
    expect((await restores.list({ ...query, filters: { colour: 'red' } })).items).toEqual([]);
  });

  test('resources set at the same time do not lose each other', async () => {
    const { id, ...restore } = aRestore();
    await restores.create({ id, ...restore });
    const resources = Array.from({ length: 20 }, (_, index) => `Host::Block#${index}`);
    await Promise.all(resources.map((resource) => restores.setResource(id, { resource, status: 'restoring', reason: '' })));
    const { resourcesStatus, resourcesReason } = await restores.get(id);
    expect(Object.keys(resourcesStatus).sort()).toEqual([...resources].sort());
    expect(new Set(Object.values(resourcesReason))).toEqual(new Set(['']));
  });

  test('a resource moves to its new id', async () => {
    const restore = aRestore();
    await restores.create(restore);
    await restores.setResource(restore.id, { resource: 'Host::Block#old', status: 'restoring', reason: '' });
    await restores.setResource(restore.id, {
      resource: 'Host::Block#new',
      replaces: 'Host::Block#old',
      status: 'error',
      reason: 'no "space"',
    });
    await restores.setStatus(restore.id, 'fail');
    expect(await restores.get(restore.id)).toEqual({
      ...restore,
      status: 'fail',
      resourcesStatus: { 'Host::Block#new': 'error' },
      resourcesReason: { 'Host::Block#new': 'no "space"' },
    });
    // A worker that has slept through the end wakes up.
    await expect(
      restores.setResource(restore.id, { resource: 'Host::Block#new', status: 'restoring', reason: '' }),
    ).rejects.toMatchObject({
      kind: 'conflict',
      code: 'restore.over',
    });
    expect((await restores.get(restore.id)).resourcesStatus).toEqual({ 'Host::Block#new': 'error' });
  });

  test('an unknown restore is a fault everywhere', async () => {
    const unknown = { kind: 'not-found', code: 'restore.unknown' };
    await expect(restores.get(newId())).rejects.toMatchObject(unknown);
    await expect(restores.setStatus(newId(), 'fail')).rejects.toMatchObject(unknown);
    await expect(restores.setResource(newId(), { resource: 'a', status: 'b', reason: 'c' })).rejects.toMatchObject(unknown);
  });
});
