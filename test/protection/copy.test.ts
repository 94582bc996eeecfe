import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import type { Checkpoint, ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Parameters } from '../../src/model/resource.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, otherProviderId, providerId, type TestCloud } from '../kit/cloud.ts';
import { createGatedStore } from '../kit/gated-store.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';
import { createTrailPlugins } from '../kit/trail-plugins.ts';

const plugins = [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection];
const toSouth: Parameters = { 'Host::Block': { target: 'south' } };
const north = createMemoryStore();
const south = createMemoryStore();
/** Asked before a pack goes to the south bank. */
let before: () => Promise<void> = () => Promise.resolve();

const random = createSeeded('copies');

let host: TestHost;
let cloud: TestCloud;
const image = (name = 'disk.img'): string => join(host.first, name);

beforeAll(async () => {
  host = await makeTestHost();
  mkdirSync(join(host.first, 'tree'));
  writeFileSync(join(host.first, 'tree', 'precious'), 'precious');
  writeFileSync(image(), createSeeded('copy').bytes(3 << 20));
  cloud = await openTestCloud({
    bank: north,
    otherBank: {
      ...createGatedStore(south),
      async put(key, ...rest) {
        if (key.includes('/packs/')) await before();
        return south.put(key, ...rest);
      },
    },
    plugins,
    volumeRoots: [host.first],
  });
});
afterEach(() => {
  before = () => Promise.resolve();
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

async function makePlan(...types: string[]): Promise<Plan> {
  const listed = await Promise.all(types.map((type) => cloud.protection.protectables.listInstances(caller, type)));
  return cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: listed
      .flat()
      .filter(({ name }) => name === 'tree' || name === 'disk.img')
      .map(({ type, id, name }) => ({ type, id, name })),
    parameters: {},
    hooks: null,
  });
}

/** A checkpoint of bytes that no bank has seen. */
async function protectNew(plan: Plan): Promise<ShownCheckpoint> {
  writeFileSync(image(), random.bytes(1 << 20));
  return protect(plan);
}

async function protect(plan: Plan): Promise<ShownCheckpoint> {
  const { id } = await cloud.protection.checkpoints.create(caller, providerId, plan.id, null);
  const checkpoint = await cloud.settled(id);
  expect(checkpoint).toMatchObject({ status: 'available' });
  return checkpoint;
}

const copy = (plan: Plan, parameters = toSouth) => cloud.protection.copies.create(caller, providerId, plan.id, parameters);

async function copyOne(plan: Plan): Promise<string> {
  const { pairs } = await copy(plan);
  expect(pairs).toHaveLength(1);
  return pairs[0]?.copyId ?? '';
}

const logsOf = async (checkpointId: string) =>
  (
    await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'started_at', direction: 'asc' }],
      filters: { checkpoint_id: checkpointId, operation_type: 'copy' },
    })
  ).items;

const southSnapshots = () => storeKeys(south, 'repositories/demo/snapshots/');
const storedBy = ({ resources }: Checkpoint): number =>
  resources.reduce((sum, { saved }) => sum + (saved as { stored_bytes: number }).stored_bytes, 0);

/** Holds copies up at their first pack, until they are told to go on. */
function holdPacks() {
  const arrival = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  before = async () => {
    arrival.resolve();
    await release.promise;
  };
  return { arrived: arrival.promise, release: () => release.resolve() };
}

describe('copies', () => {
  test('of all checkpoints of a plan lie in the other bank, and restore from there when the first bank is gone', async () => {
    const plan = await makePlan('Host::Directory', 'Host::Block');
    const first = await protect(plan);
    const bytes = readFileSync(image());
    bytes.set(createSeeded('new').bytes(1000), 2 << 20);
    writeFileSync(image(), bytes);
    const second = await protect(plan);

    const begun = await copy(plan);
    expect(begun).toMatchObject({ projectId: 'demo', providerId, planId: plan.id, parameters: toSouth });
    expect(begun.pairs.map(({ originalId }) => originalId)).toEqual([first.id, second.id]);
    const copies: ShownCheckpoint[] = [];
    for (const { copyId } of begun.pairs) copies.push(await cloud.settled(copyId));
    for (const [at, one] of copies.entries()) {
      expect(one).toMatchObject({
        status: 'available',
        reason: null,
        providerId: otherProviderId,
        plan: { id: plan.id, providerId: otherProviderId },
        extraInfo: {
          copy_status: 'finished',
          copied_from_provider: providerId,
          copied_from_checkpoint: begun.pairs[at]?.originalId,
        },
        resources: [{ status: 'available' }, { status: 'available' }],
      });
      expect(await logsOf(one.id)).toMatchObject([{ status: 'available', planId: plan.id, providerId: otherProviderId }]);
    }
    // Together hardly more than one of them alone: what is equal has moved once.
    expect(copies.reduce((sum, one) => sum + storedBy(one), 0)).toBeLessThan(1.5 * (3 << 20));
    const listed = await cloud.protection.checkpoints.list(caller, otherProviderId, {
      limit: 10,
      sort: [{ key: 'created_at', direction: 'asc' }],
      filters: {},
      projectId: 'demo',
    });
    expect(listed.items.map(({ id }) => id).sort()).toEqual(copies.map(({ id }) => id).sort());

    // A copy is not copied; the originals are, again, and nothing has to move.
    const again = await copy(plan);
    expect(again.pairs.map(({ originalId }) => originalId)).toEqual([first.id, second.id]);
    for (const { copyId } of again.pairs) expect(storedBy(await cloud.settled(copyId))).toBeLessThan(50_000);

    await north.delete(await storeKeys(north, ''));
    await cloud.reload('gone');
    const verification = await cloud.protection.verifications.create(caller, {
      providerId: otherProviderId,
      checkpointId: copies[1]?.id ?? '',
      parameters: {},
    });
    expect((await cloud.verified(verification.id)).status).toBe('success');
    const restore = await cloud.restored(
      (
        await cloud.protection.restores.create(caller, {
          providerId: otherProviderId,
          checkpointId: copies[1]?.id ?? '',
          restoreTarget: null,
          restoreAuth: null,
          parameters: { 'Host::Block': { restore_name: 'back.img' }, 'Host::Directory': { restore_name: 'back' } },
        })
      ).id,
    );
    expect(restore).toMatchObject({ status: 'success' });
    expect(readFileSync(image('back.img')).equals(bytes)).toBe(true);
    expect(readFileSync(join(host.first, 'back', 'precious'), 'utf8')).toBe('precious');
    await cloud.reload('there');
    cloud.age();
  });

  test.each<[string, Parameters, string]>([
    ['without a target', {}, 'copy.no_target'],
    ['to a provider that is not there', { 'Host::Block': { target: 'west' } }, 'copy.unknown_target'],
    ['to where it lies', { 'Host::Block': { target: providerId } }, 'copy.same_provider'],
  ])('%s are refused, and nothing is left behind', async (_name, parameters, code) => {
    const plan = await makePlan('Host::Block');
    await expect(copy(plan)).rejects.toMatchObject({ kind: 'invalid', code: 'copy.nothing' });
    await protect(plan);
    const known = await cloud.deps.checkpoints.listWords(otherProviderId, 'demo');
    await expect(copy(plan, parameters)).rejects.toMatchObject({ kind: 'invalid', code });
    expect(await cloud.deps.checkpoints.listWords(otherProviderId, 'demo')).toEqual(known);
  });

  test('to two places at once, of another provider’s plan, of a stranger’s plan are refused', async () => {
    const plan = await makePlan('Host::Block', 'Host::Directory');
    await protect(plan);
    const both = { 'Host::Block': { target: 'south' }, 'Host::Directory': { target: 'north' } };
    await expect(copy(plan, both)).rejects.toMatchObject({ kind: 'invalid', code: 'copy.several_targets' });
    const { copies } = cloud.protection;
    await expect(copies.create(caller, otherProviderId, plan.id, toSouth)).rejects.toMatchObject({
      code: 'checkpoint.other_provider',
    });
    const stranger = { ...caller, projectId: 'other' };
    await expect(copies.create(stranger, providerId, plan.id, toSouth)).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('with a plugin that cannot copy are refused', async () => {
    const trail = createTrailPlugins();
    const other = await openTestCloud({ bank: createMemoryStore(), otherBank: createMemoryStore(), plugins: trail.plugins });
    const { id } = await other.protection.plans.create(caller, {
      name: 'nightly',
      description: null,
      providerId,
      resources: [{ type: 'Test::Machine', id: 'vm', name: 'vm' }],
      parameters: {},
      hooks: null,
    });
    await other.settled((await other.protection.checkpoints.create(caller, providerId, id, null)).id);
    await expect(
      other.protection.copies.create(caller, providerId, id, { 'Test::Machine': { target: 'south' } }),
    ).rejects.toMatchObject({ kind: 'invalid', code: 'copy.unsupported' });
    await other[Symbol.asyncDispose]();
  });

  test('that meet damage end in error, name it, and leave no snapshot', async () => {
    const plan = await makePlan('Host::Directory', 'Host::Block');
    const known = await storeKeys(north, 'repositories/demo/packs/');
    await protectNew(plan);
    const left = await southSnapshots();
    const packs = (await storeKeys(north, 'repositories/demo/packs/')).filter((key) => !known.includes(key));
    const lost = await Promise.all(packs.map(async (key) => [key, await north.get(key, { maxBytes: 64 << 20 })] as const));
    const largest = lost.reduce((a, b) => (a[1].length > b[1].length ? a : b));
    await north.delete([largest[0]]);
    const failed = await cloud.settled(await copyOne(plan));
    expect(failed).toMatchObject({ status: 'error', reason: expect.stringContaining(largest[0].slice(-32)) });
    expect(failed.resources.map(({ saved }) => saved)).toEqual([undefined, undefined]);
    expect(await southSnapshots()).toEqual(left);
    await cloud.protection.checkpoints.delete(caller, otherProviderId, failed.id);
    expect((await cloud.settled(failed.id)).status).toBe('deleted');
    await north.put(...largest);
  });

  test('are cancelled by a deletion, and leave no snapshot', async () => {
    const plan = await makePlan('Host::Block');
    await protectNew(plan);
    const left = await southSnapshots();
    const held = holdPacks();
    const id = await copyOne(plan);
    await held.arrived;
    expect((await cloud.protection.checkpoints.get(caller, otherProviderId, id)).status).toBe('copying');
    expect((await logsOf(id))[0]?.status).toBe('copying');
    await cloud.protection.checkpoints.delete(caller, otherProviderId, id);
    held.release();
    expect((await cloud.settled(id)).status).toBe('deleted');
    await expect.poll(async () => (await logsOf(id))[0]?.endedAt, { timeout: 10_000 }).not.toBeNull();
    expect((await cloud.deps.checkpoints.get(id))?.checkpoint.status).toBe('deleted');
    expect(await southSnapshots()).toEqual(left);
  });

  test('can be set to error, which cancels them, but not to available before they are', async () => {
    const plan = await makePlan('Host::Block');
    await protectNew(plan);
    const left = await southSnapshots();
    const held = holdPacks();
    const id = await copyOne(plan);
    await held.arrived;
    const { checkpoints } = cloud.protection;
    const reset = async (state: 'available' | 'error') => checkpoints.resetState(caller, otherProviderId, id, state);
    await expect(reset('available')).rejects.toMatchObject({ code: 'checkpoint.not_resettable' });
    await reset('error');
    held.release();
    await expect.poll(async () => (await logsOf(id))[0]?.endedAt, { timeout: 10_000 }).not.toBeNull();
    expect((await checkpoints.get(caller, otherProviderId, id)).status).toBe('error');
    expect(await southSnapshots()).toEqual(left);
  });
});
