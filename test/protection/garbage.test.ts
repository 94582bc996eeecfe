import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection } from '../../plugins/protections/host/index.ts';
import { sleep } from '../../src/base/clock.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { ShownGarbageCollection } from '../../src/model/garbage-collection.ts';
import type { Plan } from '../../src/model/plan.ts';
import { listRepositories } from '../../src/protection/bank-layout.ts';
import { collectIdle } from '../../src/protection/collect.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';

const bank = createMemoryStore();
const random = createSeeded('garbage');
let host: TestHost;
let cloud: TestCloud;
let plan: Plan;
let restores = 0;

beforeAll(async () => {
  host = await makeTestHost();
  writeFileSync(join(host.first, 'disk.img'), random.bytes(1000));
  cloud = await openTestCloud({ bank, plugins: [hostBlockProtectable, hostBlockProtection], volumeRoots: [host.first] });
  const [disk] = await cloud.protection.protectables.listInstances(caller, 'Host::Block');
  plan = await cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: [{ type: 'Host::Block', id: disk?.id ?? '', name: 'disk.img' }],
    parameters: {},
    hooks: null,
  });
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

const checkpoints = () => cloud.protection.checkpoints;
const packs = () => storeKeys(bank, 'repositories/demo/packs/');
const list = async () =>
  (
    await cloud.protection.garbageCollections.list(providerId, {
      limit: 100,
      sort: [{ key: 'created_at', direction: 'asc' }],
      filters: {},
    })
  ).items;

/** A checkpoint of bytes that no other one has; gives the bytes too. */
async function protect(): Promise<{ checkpoint: ShownCheckpoint; bytes: Buffer }> {
  const bytes = Buffer.from(random.bytes(600_000));
  writeFileSync(join(host.first, 'disk.img'), bytes);
  const checkpoint = await cloud.settled((await checkpoints().create(caller, providerId, plan.id, null)).id);
  expect(checkpoint.status).toBe('available');
  return { checkpoint, bytes };
}

/** Deletes it, and waits for the garbage collection that follows. */
async function remove({ id }: ShownCheckpoint): Promise<ShownGarbageCollection> {
  const before = (await list()).length;
  await checkpoints().delete(caller, providerId, id);
  expect((await cloud.settled(id)).status).toBe('deleted');
  const after = await list();
  expect(after).toHaveLength(before + 1);
  return over(after.at(-1)!);
}

async function collect(dryRun = false): Promise<ShownGarbageCollection> {
  return over(await cloud.protection.garbageCollections.create(providerId, { dryRun }));
}

async function over({ id }: ShownGarbageCollection): Promise<ShownGarbageCollection> {
  for (;;) {
    const one = await cloud.protection.garbageCollections.get(providerId, id);
    if (one.status !== 'in_progress') return one;
    await sleep(30);
  }
}

async function undelete({ id }: ShownCheckpoint): Promise<ShownCheckpoint> {
  await checkpoints().undelete(caller, providerId, id);
  const open = async () => (await cloud.deps.operations.listOpen('undelete')).length;
  await expect.poll(open, { timeout: 10_000 }).toBe(0);
  return checkpoints().get(caller, providerId, id);
}

async function restoredBytes({ id }: ShownCheckpoint): Promise<Buffer> {
  restores += 1;
  const name = `back-${restores}.img`;
  const { id: restore } = await cloud.protection.restores.create(caller, {
    providerId,
    checkpointId: id,
    restoreTarget: null,
    restoreAuth: null,
    parameters: { 'Host::Block': { restore_name: name } },
  });
  expect((await cloud.restored(restore)).status).toBe('success');
  return readFileSync(join(host.first, name));
}

describe('what is deleted', () => {
  test('leaves the bank step by step, and nothing else does; a look ahead changes nothing', async () => {
    const kept = await protect();
    const keptPacks = await packs();
    const { checkpoint } = await protect();
    const both = await packs();
    expect(await remove(checkpoint)).toMatchObject({
      status: 'success',
      dryRun: false,
      repositories: [{ projectId: 'demo', reason: '', suspects: { packs: both.length - keptPacks.length } }],
    });
    expect(await packs()).toEqual(both);

    const stages: string[] = [];
    for (let run = 0; run < 6; run += 1) {
      const before = await storeKeys(bank, '');
      const look = (await collect(true)).repositories[0];
      expect(await storeKeys(bank, '')).toEqual(before);
      const done = (await collect()).repositories[0];
      expect(look).toEqual(done);
      for (const stage of ['quarantined', 'condemned', 'deleted'] as const)
        if (done !== undefined && done[stage].packs > 0) stages.push(stage);
    }
    expect(stages).toEqual(['quarantined', 'quarantined', 'condemned', 'deleted']);
    expect(await packs()).toEqual(keptPacks);
    expect((await restoredBytes(kept.checkpoint)).equals(kept.bytes)).toBe(true);

    // Too late.
    const gone = await undelete(checkpoint);
    expect(gone).toMatchObject({
      status: 'deleted',
      reason: expect.stringContaining('cannot be had back'),
    });
  });

  test('can be had back while it is in quarantine, deleted again, and had back again', async () => {
    const { checkpoint, bytes } = await protect();
    await remove(checkpoint);
    await collect();
    const back = await undelete(checkpoint);
    expect(back).toEqual(checkpoint);
    expect((await restoredBytes(back)).equals(bytes)).toBe(true);
    for (let run = 0; run < 6; run += 1) await collect();
    expect((await restoredBytes(back)).equals(bytes)).toBe(true);
    await remove(checkpoint);
    expect((await undelete(checkpoint)).status).toBe('available');
    const { items: logs } = await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'started_at', direction: 'asc' }],
      filters: { checkpoint_id: checkpoint.id, operation_type: ['protect', 'delete', 'undelete'] },
    });
    expect(logs.map(({ operationType, status }) => `${operationType} ${status}`)).toEqual([
      'protect available',
      'delete deleted',
      'undelete available',
      'delete deleted',
      'undelete available',
    ]);
  });

  test('is all that can be had back, and by its own project alone', async () => {
    const { checkpoint } = await protect();
    await expect(checkpoints().undelete(caller, providerId, checkpoint.id)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'checkpoint.not_deleted',
    });
    const stranger = { ...caller, projectId: 'other' };
    await expect(checkpoints().undelete(stranger, providerId, checkpoint.id)).rejects.toMatchObject({ kind: 'forbidden' });
  });

  test('by many deletions at once is collected once they are all over', async () => {
    const many = [await protect(), await protect(), await protect()];
    const before = (await list()).length;
    await Promise.all(many.map(({ checkpoint }) => checkpoints().delete(caller, providerId, checkpoint.id)));
    for (const { checkpoint } of many) expect((await cloud.settled(checkpoint.id)).status).toBe('deleted');
    const made = (await list()).slice(before);
    expect(made).toHaveLength(1);
    await over(made[0]!);
  });
});

describe('a bank in which nobody deletes any more', () => {
  const dayMs = 86_400_000;
  let now = Date.UTC(2031, 2, 9, 12);
  const depsOn = () => ({ ...cloud.deps, clock: { ...cloud.deps.clock, now: () => now } });

  test('has one garbage collection a day, however many schedulers look, until nothing is on its way out', async () => {
    while (((await collect()).repositories[0]?.kept.packs ?? 0) < (await packs()).length);
    await collect();
    const kept = await packs();
    const before = (await list()).length;
    await collectIdle(depsOn());
    expect(await list()).toHaveLength(before);

    await remove((await protect()).checkpoint);
    const made = (await list()).length;
    let days = 0;
    for (; days < 10; days += 1, now += dayMs) {
      await Promise.all([1, 2, 3].map(() => collectIdle(depsOn())));
      now += dayMs / 4;
      await collectIdle(depsOn());
      now -= dayMs / 4;
      const all = await list();
      if (all.length === made + days) break;
      expect(all).toHaveLength(made + days + 1);
      await over(all.find(({ createdAt }) => createdAt === now)!);
    }
    expect(days).toBeGreaterThan(2);
    expect(days).toBeLessThan(10);
    expect(await packs()).toEqual(kept);
    expect(await storeKeys(bank, 'repositories/demo/forgotten/')).toEqual([]);
  });
});

describe('a repository that cannot be collected', () => {
  test('says why, and the others are collected; one of another provider in the same bank is passed over', async () => {
    const other = await openTestCloud({ bank, plugins: [], key: Buffer.alloc(32, 1) });
    await other.deps.providers.get(providerId).repository('a stranger/2', { create: true });
    await other[Symbol.asyncDispose]();
    expect(await listRepositories(bank)).toEqual(['a stranger/2', 'demo']);
    const { checkpoint } = await protect();
    const { snapshot } = checkpoint.resources[0]!.saved as { snapshot: string };
    const key = (await storeKeys(bank, 'repositories/demo/snapshots/')).find((one) => one.endsWith(snapshot.slice(-32))) ?? '';
    const whole = await bank.get(key, { maxBytes: 1 << 20 });
    await bank.delete([key]);
    await bank.put(key, Buffer.from('damaged'));
    const refused = await collect();
    expect(refused.status).toBe('fail');
    expect(refused.repositories).toMatchObject([
      { projectId: 'a stranger/2', reason: expect.stringContaining('key'), generation: null },
      { projectId: 'demo', reason: expect.stringContaining(snapshot), generation: null },
    ]);
    await bank.delete([key]);
    await bank.put(key, whole);
    expect((await collect()).status).toBe('success');
  });
});
