import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import { sleep } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/faults.ts';
import type { Plan } from '../../src/model/plan.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { caller, openTestCloud, otherProviderId, providerId, type TestCloud } from '../kit/cloud.ts';
import { createGatedStore } from '../kit/gated-store.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';

const north = createMemoryStore();
const south = createMemoryStore();
const random = createSeeded('leftovers');
const repository = 'repositories/demo/';
/** What was put into the banks, packs and snapshots alone. */
let puts: string[] = [];
/** From the next snapshot on the north bank is away. */
let stopsAfterSnapshot = false;
let isAway = false;

let host: TestHost;
let cloud: TestCloud;

beforeAll(async () => {
  host = await makeTestHost();
  mkdirSync(join(host.first, 'tree'));
  change();
  cloud = await openTestCloud({
    bank: watch(
      createGatedStore(north, async () => {
        if (isAway) throw new Fault('unavailable', 'storage.unreachable', 'The bank is away.', { retry: 'never' });
      }),
    ),
    otherBank: watch(south),
    plugins: [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection],
    volumeRoots: [host.first],
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  puts = [];
  change();
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

function watch(store: ObjectStore): ObjectStore {
  return {
    ...createGatedStore(store),
    async put(key, ...rest) {
      await store.put(key, ...rest);
      if (/\/(packs|snapshots)\//.test(key)) puts.push(key);
      if (key.includes('/snapshots/') && stopsAfterSnapshot) isAway = true;
    },
  };
}

/** Bytes that no bank has seen. */
function change(): void {
  writeFileSync(join(host.first, 'tree', 'file'), random.bytes(200_000));
  writeFileSync(join(host.first, 'disk.img'), random.bytes(600_000));
}

async function makePlan(...types: string[]): Promise<Plan> {
  const listed = await Promise.all(types.map((type) => cloud.protection.protectables.listInstances(caller, type)));
  return cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: listed.flat().map(({ type, id, name }) => ({ type, id, name })),
    parameters: {},
    hooks: null,
  });
}

/** The worker dies when that many steps have done their work and nobody has been told of it. Gives what it had put by then. */
function dieBeforeCommit(kind: 'protect' | 'copy', steps: number, then: () => void = () => undefined) {
  vi.restoreAllMocks();
  const dead = Promise.withResolvers<readonly string[]>();
  const { operations } = cloud.deps;
  const endStep = operations.endStep.bind(operations);
  let left = steps;
  vi.spyOn(operations, 'endStep').mockImplementation(async (claim, number, end) => {
    const step = (await operations.listSteps(claim.id))[number];
    const isIt = (await operations.get(claim.id))?.kind === kind && step?.name.endsWith(' main') === true && end.state === 'done';
    if (!isIt || left === 0) return endStep(claim, number, end);
    if (--left === 0) {
      then();
      dead.resolve([...puts]);
    }
    throw new Fault('cancelled', 'jobs.claim_lost', 'Killed.');
  });
  return dead.promise;
}

const begin = async (plan: Plan) => (await cloud.protection.checkpoints.create(caller, providerId, plan.id, null)).id;

async function beginCopy(plan: Plan): Promise<string> {
  const { pairs } = await cloud.protection.copies.create(caller, providerId, plan.id, { 'Host::Block': { target: 'south' } });
  return pairs[0]?.copyId ?? '';
}

async function remove(id: string, provider = providerId): Promise<void> {
  await cloud.protection.checkpoints.delete(caller, provider, id);
  expect((await cloud.settled(id)).status).toBe('deleted');
}

/** As many garbage collections as it takes until what nobody needs is gone. */
async function collectAll(provider = providerId): Promise<void> {
  for (let run = 0; run < 6; run += 1) {
    const { id } = await cloud.protection.garbageCollections.create(provider, { dryRun: false });
    while ((await cloud.protection.garbageCollections.get(provider, id)).status === 'in_progress') await sleep(20);
  }
}

async function leftIn(bank: ObjectStore): Promise<string[]> {
  const kinds = ['packs/', 'snapshots/', 'forgotten/', 'indexes/'];
  return (await Promise.all(kinds.map((kind) => storeKeys(bank, repository + kind)))).flat();
}

describe('a worker that dies when its snapshots are written and nobody knows of them', () => {
  test('has left what the next one finds: nothing is written twice, and nothing stays when the checkpoint is deleted', async () => {
    const plan = await makePlan('Host::Block', 'Host::Directory');
    const dead = dieBeforeCommit('protect', 2);
    const id = await begin(plan);
    const before = await dead;
    // Both are read anew and differ; what counts is what was written.
    change();
    expect(await cloud.settled(id)).toMatchObject({ status: 'available', resources: [{ saved: {} }, { saved: {} }] });

    expect(before.filter((key) => key.includes('/snapshots/'))).toHaveLength(2);
    expect(puts).toEqual(before);

    const deadCopy = dieBeforeCommit('copy', 2);
    puts = [];
    const copyId = await beginCopy(plan);
    const copied = await deadCopy;
    expect(await cloud.settled(copyId)).toMatchObject({ status: 'available' });
    expect(copied.filter((key) => key.includes('/snapshots/'))).toHaveLength(2);
    expect(puts).toEqual(copied);

    await remove(id);
    await remove(copyId, otherProviderId);
    await collectAll();
    await collectAll(otherProviderId);
    expect(await leftIn(north)).toEqual([]);
    expect(await leftIn(south)).toEqual([]);
  });

  test('has left nothing that outlives garbage collection, when the next one gives up', async () => {
    const plan = await makePlan('Host::Block');
    const dead = dieBeforeCommit('protect', 1, () => rmSync(join(host.first, 'disk.img')));
    const id = await begin(plan);
    expect((await dead).filter((key) => key.includes('/snapshots/'))).toHaveLength(1);
    expect((await cloud.settled(id)).status).toBe('error');
    expect(await storeKeys(north, `${repository}snapshots/`)).toEqual([]);
    await collectAll();
    expect(await leftIn(north)).toEqual([]);
    await remove(id);
  });

  test('has left nothing of a copy that is deleted meanwhile', async () => {
    const plan = await makePlan('Host::Block');
    const original = await begin(plan);
    expect((await cloud.settled(original)).status).toBe('available');
    const dead = dieBeforeCommit('copy', 1);
    const copyId = await beginCopy(plan);
    await dead;
    await remove(copyId, otherProviderId);
    await expect.poll(async () => (await cloud.deps.operations.listOpen('copy')).length, { timeout: 10_000 }).toBe(0);
    expect(await storeKeys(south, `${repository}snapshots/`)).toEqual([]);
    await collectAll(otherProviderId);
    expect(await leftIn(south)).toEqual([]);
    await remove(original);
    await collectAll();
  });
});

test('a bank that is away right after a snapshot was written keeps it until the failed checkpoint is deleted', async () => {
  const plan = await makePlan('Host::Block');
  stopsAfterSnapshot = true;
  const id = await begin(plan);
  await expect.poll(async () => (await cloud.deps.checkpoints.get(id))?.checkpoint.status, { timeout: 10_000 }).toBe('error');
  stopsAfterSnapshot = false;
  isAway = false;
  expect(await storeKeys(north, `${repository}snapshots/`)).toHaveLength(1);
  await remove(id);
  expect(await storeKeys(north, `${repository}snapshots/`)).toEqual([]);
  await collectAll();
  expect(await leftIn(north)).toEqual([]);
});
