import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { ProtectableInstance } from '../../src/model/protectable.ts';
import type { Parameters } from '../../src/model/resource.ts';
import type { ShownRestore } from '../../src/model/restore.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';
import { compareTrees, describeTree } from '../kit/tree-compare.ts';
import { makeSampleTree } from '../kit/tree-sample.ts';

const plugins = [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection];

let host: TestHost;
let bank: ObjectStore;
let cloud: TestCloud;
let plan: Plan;
let checkpoint: ShownCheckpoint;
let directory: ProtectableInstance;
let block: ProtectableInstance;

const imageBytes = 8 << 20;
const at = (name: string): string => join(host.first, name);
const onHost = (of: TestHost, key?: Uint8Array) =>
  openTestCloud({ bank, plugins, volumeRoots: [of.first, of.second], ...(key && { key }) });

beforeAll(async () => {
  host = await makeTestHost();
  bank = await openFilesystemStore(join(host.folder, 'bank'));
  makeSampleTree(at('tree'));
  rmSync(join(at('tree'), 'sparse')); // large, and the repository's own tests have it
  makeImage('disk.img');
  cloud = await onHost(host);
  directory = await instance(cloud, 'Host::Directory', 'tree');
  block = await instance(cloud, 'Host::Block', 'disk.img');
  plan = await planOf(directory, block);
  checkpoint = await protect(plan);
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await bank.close();
  await host.remove();
});

/** Data, a hole, and data up to an end that is no multiple of a chunk. */
function makeImage(name: string): void {
  const seeded = createSeeded(name);
  const file = openSync(at(name), 'wx');
  writeSync(file, seeded.bytes(1 << 20), 0, 1 << 20, 1 << 20);
  writeSync(file, seeded.bytes(1000), 0, 1000, imageBytes - 1000);
  closeSync(file);
}

async function instance(of: TestCloud, type: string, name: string): Promise<ProtectableInstance> {
  const found = (await of.protection.protectables.listInstances(caller, type)).find((one) => one.name === name);
  if (!found) throw new Error(`no ${type} ${name} is listed`);
  return found;
}

function planOf(...volumes: ProtectableInstance[]): Promise<Plan> {
  const resources = volumes.map(({ type, id, name }) => ({ type, id, name }));
  return cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources,
    parameters: {},
    hooks: null,
  });
}

async function protect({ id }: Plan): Promise<ShownCheckpoint> {
  return cloud.settled((await cloud.protection.checkpoints.create(caller, providerId, id, null)).id);
}

async function restore(parameters: Parameters, of: TestCloud = cloud, { id } = checkpoint): Promise<ShownRestore> {
  const wanted = { providerId, checkpointId: id, restoreTarget: null, restoreAuth: null, parameters };
  return of.restored((await of.protection.restores.create(caller, wanted)).id);
}

const keyOf = ({ type, id }: ProtectableInstance): string => `${type}#${id}`;
const sameBytes = (one: string, other: string): boolean => readFileSync(one).equals(readFileSync(other));

describe('a directory and an image', () => {
  test('are protected, and restored under new names equal in every byte and attribute', async () => {
    expect(checkpoint).toMatchObject({ status: 'available', reason: null });
    const restored = await restore({
      'Host::Directory': { restore_name: 'tree-copy' },
      'Host::Block': { restore_path: join(host.second, 'disk-copy.img') },
    });
    const [tree, disk] = [
      await instance(cloud, 'Host::Directory', 'tree-copy'),
      await instance(cloud, 'Host::Block', 'disk-copy.img'),
    ];
    expect(restored).toMatchObject({ status: 'success', resourcesReason: { [keyOf(tree)]: '', [keyOf(disk)]: '' } });
    expect(restored.resourcesStatus).toEqual({ [keyOf(tree)]: 'available', [keyOf(disk)]: 'available' });
    expect(compareTrees(at('tree'), at('tree-copy'))).toEqual([]);
    expect(sameBytes(at('disk.img'), join(host.second, 'disk-copy.img'))).toBe(true);
  });

  test('are not restored onto what is there, unless overwrite says so', async () => {
    mkdirSync(at('standing'));
    writeFileSync(join(at('standing'), 'precious'), 'own');
    writeFileSync(at('standing.img'), 'own');
    const names = { 'Host::Directory': { restore_name: 'standing' }, 'Host::Block': { restore_name: 'standing.img' } };
    const before = describeTree(host.first);
    const refused = await restore(names);
    expect(refused).toMatchObject({
      status: 'fail',
      resourcesStatus: { [keyOf(directory)]: 'error', [keyOf(block)]: 'error' },
      resourcesReason: {
        [keyOf(directory)]: expect.stringMatching(/standing exists already.*overwrite/),
        [keyOf(block)]: expect.stringMatching(/standing\.img exists already.*overwrite/),
      },
    });
    expect(describeTree(host.first)).toEqual(before);

    rmSync(at('standing.img'));
    writeFileSync(at('standing.img'), createSeeded('old bytes').bytes(1 << 20));
    const tooSmall = await restore({ ...names, 'Host::Block': { restore_name: 'standing.img', overwrite: 'True' } });
    expect(tooSmall.resourcesReason[keyOf(block)]).toContain('standing.img has 1048576 bytes');

    rmSync(at('standing.img'));
    writeFileSync(at('standing.img'), createSeeded('old bytes').bytes(imageBytes));
    const overwrite = { overwrite: 'True' };
    const done = await restore({
      'Host::Directory': { ...names['Host::Directory'], ...overwrite },
      'Host::Block': { ...names['Host::Block'], ...overwrite },
    });
    expect(done).toMatchObject({ status: 'success' });
    expect(compareTrees(at('tree'), at('standing'))).toEqual([]);
    expect(sameBytes(at('disk.img'), at('standing.img'))).toBe(true);
  });

  test.each<[string, () => Record<string, string>, RegExp]>([
    [
      'outside the roots',
      () => ({ restore_path: join(host.outside, 'x') }),
      /lies in none of the volume roots.*Choose a path below/,
    ],
    ['under a name that is none', () => ({ restore_name: '../x' }), /"\.\.\/x" cannot be the name of a volume.*restore_name/],
    ['under a name and a path', () => ({ restore_name: 'x', restore_path: at('x') }), /Give the one or the other/],
    ['in a folder that is not there', () => ({ restore_path: at('no/folder') }), /is not there.*Make the folder first/],
    [
      'with a flag that is none',
      () => ({ restore_name: 'x', overwrite: 'maybe' }),
      /overwrite is "maybe"; it must be True or False/,
    ],
    ['into the bank', () => ({ restore_path: join(host.folder, 'bank/x') }), /lies in none of the volume roots/],
  ])('cannot be restored %s: that resource says why, the other one is restored', async (_name, parameters, reason) => {
    const before = readdirSync(host.outside);
    const name = `beside ${_name}`;
    const restored = await restore({ 'Host::Directory': parameters(), 'Host::Block': { restore_name: `${name}.img` } });
    const disk = await instance(cloud, 'Host::Block', `${name}.img`);
    expect(restored).toMatchObject({
      status: 'fail',
      resourcesStatus: { [keyOf(directory)]: 'error', [keyOf(disk)]: 'available' },
      resourcesReason: { [keyOf(directory)]: expect.stringMatching(reason), [keyOf(disk)]: '' },
    });
    expect(readdirSync(host.outside)).toEqual(before);
    expect(readdirSync(host.first).filter((entry) => entry.includes('.partial-'))).toEqual([]);
    rmSync(at(`${name}.img`));
  });

  test('have parameters of their own, whatever the spelling of the id', async () => {
    const own = { restore_name: 'own-name' };
    const restored = await restore({
      'Host::Directory': { restore_name: 'name-of-the-type' },
      [`Host::Directory#${directory.id.toUpperCase()}`]: own,
      'Host::Block': { restore_name: 'own-name.img' },
    });
    expect(restored.status).toBe('success');
    expect(readdirSync(host.first)).toContain('own-name');
    expect(readdirSync(host.first)).not.toContain('name-of-the-type');
  });
});

test('a volume that vanished after the plan was made: the checkpoint is an error that says what to do, the one before restores', async () => {
  renameSync(at('tree'), join(host.outside, 'tree'));
  const failed = await protect(plan);
  expect(failed).toMatchObject({
    status: 'error',
    reason: expect.stringMatching(/^The volume tree .* is not there any more.* Bring it back under its old name, or take it out/),
  });
  expect(Object.fromEntries(failed.resources.map(({ name, status }) => [name, status]))).toMatchObject({ tree: 'error' });
  const { items } = await cloud.protection.operationLogs.list(caller, {
    limit: 1,
    sort: [{ key: 'started_at', direction: 'desc' }],
    filters: { checkpoint_id: failed.id },
  });
  expect(items).toMatchObject([{ status: 'error', errorInfo: failed.reason }]);

  // Under its own name: it is free now.
  const restored = await restore({ 'Host::Block': { restore_name: 'older.img' } });
  expect(restored).toMatchObject({ status: 'success' });
  expect(compareTrees(join(host.outside, 'tree'), at('tree'))).toEqual([]);
});

test('another cloud with the same bank and key, and nothing else, lists and restores', async () => {
  const there = await makeTestHost();
  const second = await onHost(there);
  try {
    const { items } = await second.protection.checkpoints.list(caller, providerId, {
      limit: 100,
      sort: [{ key: 'created_at', direction: 'asc' }],
      filters: {},
      projectId: caller.projectId,
    });
    expect(items[0]).toEqual(checkpoint);
    expect(await restore({}, second)).toMatchObject({
      status: 'success',
      // In the first root the same name has the same id on every host.
      resourcesStatus: { [keyOf(directory)]: 'available', [keyOf(block)]: 'available' },
    });
    expect(compareTrees(at('tree'), join(there.first, 'tree'))).toEqual([]);
    expect(sameBytes(at('disk.img'), join(there.first, 'disk.img'))).toBe(true);
  } finally {
    await second[Symbol.asyncDispose]();
    await there.remove();
  }
});

test('a cloud with another key is told which setting to look at, and writes nothing', async () => {
  const before = await storeKeys(bank);
  const wrong = await onHost(host, Buffer.alloc(32, 9));
  try {
    const wrongKey = { code: 'repository.wrong_key', help: expect.stringContaining('"key" setting of the provider') };
    const { checkpoints, plans } = wrong.protection;
    const page = { limit: 10, sort: [{ key: 'created_at', direction: 'desc' }], filters: {}, projectId: 'demo' } as const;
    await expect(checkpoints.list(caller, providerId, page)).rejects.toMatchObject(wrongKey);
    const { id, projectId, status, createdAt, ...own } = plan;
    const made = await plans.create(caller, own);
    await expect(checkpoints.create(caller, providerId, made.id, null)).rejects.toMatchObject(wrongKey);
    const refused = await restore({}, wrong);
    expect(refused.status).toBe('fail');
    expect(Object.values(refused.resourcesReason)[0]).toContain('"key" setting of the provider');
  } finally {
    await wrong[Symbol.asyncDispose]();
  }
  expect(await storeKeys(bank)).toEqual(before);
});
