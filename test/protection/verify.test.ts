import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import { newId } from '../../src/base/ids.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Parameters } from '../../src/model/resource.ts';
import type { VerifiedResource } from '../../src/model/verification.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';

const plugins = [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection];
const bank = createMemoryStore();
const imageBytes = 3 << 20;

let host: TestHost;
let cloud: TestCloud;
let plan: Plan;
let checkpoint: ShownCheckpoint;

beforeAll(async () => {
  host = await makeTestHost();
  const seeded = createSeeded('verify');
  mkdirSync(join(host.first, 'tree'));
  writeFileSync(join(host.first, 'tree', 'precious'), seeded.bytes(400_000));
  writeFileSync(join(host.first, 'disk.img'), seeded.bytes(imageBytes));
  cloud = await openTestCloud({ bank, plugins, volumeRoots: [host.first] });
  const listed = await Promise.all(
    ['Host::Directory', 'Host::Block'].map((type) => cloud.protection.protectables.listInstances(caller, type)),
  );
  plan = await cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: listed.flat().map(({ type, id, name }) => ({ type, id, name })),
    parameters: {},
    hooks: null,
  });
  checkpoint = await protect();
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

async function protect(): Promise<ShownCheckpoint> {
  return cloud.settled((await cloud.protection.checkpoints.create(caller, providerId, plan.id, null)).id);
}

async function verify(parameters: Parameters = {}, { id } = checkpoint) {
  const { id: verification } = await cloud.protection.verifications.create(caller, { providerId, checkpointId: id, parameters });
  return cloud.verified(verification);
}

const byType = (resources: readonly VerifiedResource[]): Record<string, VerifiedResource> =>
  Object.fromEntries(resources.map((resource) => [resource.type, resource]));

/** Turns one bit in the middle of the largest pack, where the image lies; gives the pack's key. */
async function flipBit(): Promise<string> {
  let largest = { key: '', sizeBytes: 0 };
  for await (const entry of bank.list('repositories/demo/packs/')) if (entry.sizeBytes > largest.sizeBytes) largest = entry;
  const bytes = Buffer.from(await bank.get(largest.key, { maxBytes: 64 << 20 }));
  bytes[bytes.length >> 1]! ^= 1;
  await bank.delete([largest.key]);
  await bank.put(largest.key, bytes);
  return largest.key;
}

describe('a verification', () => {
  test('reads every byte, and keeps what was read, its digest and when', async () => {
    const verification = await verify();
    expect(verification).toMatchObject({ status: 'success', checkpointId: checkpoint.id, projectId: 'demo' });
    const keys = checkpoint.resources.map(({ type, id }) => `${type}#${id}`);
    expect(verification.resourcesStatus).toEqual(Object.fromEntries(keys.map((key) => [key, 'available'])));
    expect(verification.resourcesReason).toEqual(Object.fromEntries(keys.map((key) => [key, ''])));
    const { 'Host::Block': block, 'Host::Directory': directory } = byType(verification.resources);
    expect(block).toMatchObject({ outcome: 'sound', percent: 100, damages: [], damageCount: 0 });
    expect(block?.readBytes).toBeGreaterThanOrEqual(imageBytes);
    expect(directory?.readBytes).toBeGreaterThanOrEqual(400_000);
    const saved = checkpoint.resources.find(({ type }) => type === 'Host::Block')?.saved as { digest: string };
    expect(block?.digest).toBe(saved.digest);
    expect(block?.checkedAt).toBeGreaterThanOrEqual(verification.createdAt);
    expect(await cloud.protection.checkpoints.get(caller, providerId, checkpoint.id)).toEqual(checkpoint);

    const { items: logs } = await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'created_at', direction: 'desc' }],
      filters: { operation_type: 'verify' },
    });
    expect(logs).toMatchObject([
      {
        status: 'success',
        checkpointId: checkpoint.id,
        planId: null,
        errorInfo: null,
        extraInfo: { verification_id: verification.id },
      },
    ]);
  });

  test('of a share reads less and claims no digest', async () => {
    const { 'Host::Block': block } = byType((await verify({ 'Host::Block': { percent: '0.001' } })).resources);
    expect(block).toMatchObject({ outcome: 'sound', percent: 0.001, digest: null });
    expect(block?.readBytes).toBeLessThan(imageBytes);
  });

  test.each<[string, Parameters, RegExp]>([
    ['an option that no plugin has', { 'Host::Block': { speed: 'warp' } }, /no option speed/],
    ['a share that is none', { 'Host::Block': { percent: '101' } }, /percent/],
  ])('with %s fails, and says why', async (_name, parameters, reason) => {
    const verification = await verify(parameters);
    expect(verification.status).toBe('fail');
    expect(Object.values(verification.resourcesReason).join(' ')).toMatch(reason);
  });

  test('of a checkpoint that is unknown or not available is a record that says so; another project’s is forbidden', async () => {
    const unknown = await verify({}, { ...checkpoint, id: newId() });
    expect(unknown.status).toBe('fail');
    expect(Object.values(unknown.resourcesReason)).toEqual([expect.stringContaining('could not be found')]);
    const stranger = { ...caller, projectId: 'other' };
    const wanted = { providerId, checkpointId: checkpoint.id, parameters: {} };
    await expect(cloud.protection.verifications.create(stranger, wanted)).rejects.toMatchObject({ kind: 'forbidden' });
    const query = { limit: 10, sort: [{ key: 'created_at', direction: 'desc' }] as const, filters: {}, projectId: 'other' };
    expect((await cloud.protection.verifications.list(stranger, query)).items).toMatchObject([{ status: 'fail' }]);
    const { id } = await verify();
    await expect(cloud.protection.verifications.get(stranger, id)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('a flipped bit in the bank', () => {
  test('is found and named; the next protect heals it, and then all is sound', async () => {
    const pack = (await flipBit()).replace('repositories/demo/', '');
    const found = await verify();
    expect(found.status).toBe('fail');
    const { 'Host::Block': block } = byType(found.resources);
    expect(block).toMatchObject({ outcome: 'damaged', digest: null });
    expect(block?.damages.join(' ')).toContain(pack);
    expect(block?.damages.join(' ')).toMatch(/bytes \d+ to \d+/);
    const key = `Host::Block#${block?.id}`;
    expect(found.resourcesStatus[key]).toBe('error');
    expect(found.resourcesReason[key]).toContain(pack);
    expect((await storeKeys(bank, 'repositories/demo/bad/')).map((bad) => bad.slice(-32))).toEqual([pack.slice(-32)]);

    // Another time stamp: what is known to be unchanged would not be read.
    rmSync(join(host.first, 'disk.img'));
    writeFileSync(join(host.first, 'disk.img'), sameImage());
    const healed = await protect();
    expect(healed.status).toBe('available');
    expect((await verify({}, healed)).status).toBe('success');
    expect((await verify({}, checkpoint)).status).toBe('success');
  });
});

function sameImage(): Buffer {
  const seeded = createSeeded('verify');
  seeded.bytes(400_000);
  return Buffer.from(seeded.bytes(imageBytes));
}
