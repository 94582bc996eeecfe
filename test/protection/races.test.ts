import { afterEach, describe, expect, test, vi } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { Checkpoint, CheckpointStatus } from '../../src/model/checkpoint.ts';
import type { Plan } from '../../src/model/plan.ts';
import { parseCheckpointKey } from '../../src/protection/bank-layout.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectEntry, ObjectStore } from '../../src/storage/object-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { createGatedStore } from '../kit/gated-store.ts';
import { storeKeys } from '../kit/store-keys.ts';
import { createTrailPlugins, type Trail } from '../kit/trail-plugins.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
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
const beginProtect = async (cloud: TestCloud, plan?: Plan): Promise<string> =>
  (await cloud.protection.checkpoints.create(caller, providerId, (plan ?? (await planOf(cloud))).id, null)).id;
const protect = async (cloud: TestCloud): Promise<Checkpoint> => cloud.settled(await beginProtect(cloud));
const list = (cloud: TestCloud) =>
  cloud.protection.checkpoints.list(caller, providerId, {
    limit: 10,
    sort: [{ key: 'created_at', direction: 'desc' }],
    filters: {},
    projectId: 'demo',
  });
const statuses = async (cloud: TestCloud): Promise<CheckpointStatus[]> => (await list(cloud)).items.map(({ status }) => status);
const logsOf = async (cloud: TestCloud, checkpointId: string) =>
  (
    await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'started_at', direction: 'asc' }],
      filters: { checkpoint_id: checkpointId },
    })
  ).items;
const restore = async (cloud: TestCloud, checkpointId: string) => {
  const wanted = { providerId, checkpointId, restoreTarget: null, restoreAuth: null, parameters: {} };
  return cloud.restored((await cloud.protection.restores.create(caller, wanted)).id);
};
/** What the bank says of a checkpoint: `1-available`, … in order. */
const wordsOf = async (bank: ObjectStore, checkpointId: string): Promise<string[]> =>
  (await storeKeys(bank, 'checkpoints/'))
    .map(parseCheckpointKey)
    .filter((key) => key !== undefined)
    .filter((key) => key.checkpointId === checkpointId)
    .map(({ generation, status }) => `${generation}-${status}`);
/** As the catalogue has it, whether its provider is there or not. */
const known = async (cloud: TestCloud, id: string): Promise<Checkpoint | undefined> =>
  (await cloud.deps.checkpoints.get(id))?.checkpoint;
const over = (cloud: TestCloud, id: string): Promise<unknown> =>
  expect.poll(async () => (await known(cloud, id))?.status, { timeout: 10_000 }).not.toMatch(/^(protecting|deleting)$/);

/** Something that a test holds up until it says so. */
function createGate() {
  const arrival = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  return {
    arrived: arrival.promise,
    open: () => release.resolve(),
    async pass() {
      arrival.resolve();
      await release.promise;
    },
  };
}

/** A bank whose next listing, once it is taken, is held up: what happens meanwhile it does not tell. */
function holdNextListing(bank: ObjectStore) {
  const gate = createGate();
  let held = false;
  const holding: ObjectStore = {
    ...createGatedStore(bank),
    async *list(prefix, options) {
      const entries: ObjectEntry[] = [];
      for await (const entry of bank.list(prefix, options)) entries.push(entry);
      if (held) {
        held = false;
        await gate.pass();
      }
      yield* entries;
    },
  };
  return {
    bank: holding,
    gate,
    hold: () => {
      held = true;
    },
  };
}

describe('two requests at once', () => {
  test('to delete: one is taken, the other is told that the checkpoint is being deleted', async () => {
    const { cloud } = await openCloud(createMemoryStore());
    const { id } = await protect(cloud);
    const both = await Promise.allSettled([1, 2].map(() => cloud.protection.checkpoints.delete(caller, providerId, id)));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find((one) => one.status === 'rejected');
    expect(refused?.reason).toMatchObject({ kind: 'invalid', message: expect.stringContaining('deleting') });
    expect((await cloud.settled(id)).status).toBe('deleted');
    expect((await logsOf(cloud, id)).map(({ operationType, status }) => `${operationType} ${status}`)).toEqual([
      'protect available',
      'delete deleted',
    ]);
  });

  test('to reset and, while the bank is told so, to delete: the second is refused', async () => {
    const { cloud } = await openCloud(createMemoryStore());
    const { id } = await protect(cloud);
    const { catalog, checkpoints: store } = cloud.deps;
    const { publish } = catalog;
    const gate = createGate();
    vi.spyOn(catalog, 'publish').mockImplementation(async (provider, entry) => {
      await gate.pass();
      await publish(provider, entry);
    });
    const lock = vi.spyOn(store, 'lock');
    const { checkpoints } = cloud.protection;
    const reset = checkpoints.resetState(caller, providerId, id, 'error');
    await gate.arrived;
    const deletion = checkpoints.delete(caller, providerId, id);
    await vi.waitUntil(() => lock.mock.calls.length === 2);
    gate.open();
    await reset;
    await expect(deletion).rejects.toMatchObject({ kind: 'invalid', code: 'checkpoint.changed' });
    expect((await known(cloud, id))?.status).toBe('error');
  });

  test('to reset: the second is refused, or comes after the first', async () => {
    const { cloud } = await openCloud(createMemoryStore());
    const { id } = await protect(cloud);
    const { checkpoints } = cloud.protection;
    const all = await Promise.allSettled(
      (['error', 'available', 'error', 'available'] as const).map((state) =>
        checkpoints.resetState(caller, providerId, id, state),
      ),
    );
    const done = all.filter(({ status }) => status === 'fulfilled').length;
    expect(done).toBeGreaterThan(0);
    for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'checkpoint.changed' });
    expect((await cloud.deps.checkpoints.get(id))?.generation).toBe(1 + done);
  });
});

describe('a look at the bank that is overtaken', () => {
  test('by a deletion does not bring the checkpoint back', async () => {
    const { bank, gate, hold } = holdNextListing(createMemoryStore());
    const { cloud } = await openCloud(bank);
    const { id } = await protect(cloud);
    cloud.age();
    hold();
    const slow = list(cloud);
    await gate.arrived;
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
    gate.open();
    expect((await slow).items).toEqual([]);
    expect((await known(cloud, id))?.status).toBe('deleted');
  });

  test('by a protect does not take the new checkpoint away', async () => {
    const { bank, gate, hold } = holdNextListing(createMemoryStore());
    const { cloud } = await openCloud(bank);
    await protect(cloud);
    cloud.age();
    hold();
    const slow = list(cloud);
    await gate.arrived;
    const { id } = await protect(cloud);
    gate.open();
    expect((await slow).items.map((one) => one.id)).toContain(id);
    expect((await known(cloud, id))?.status).toBe('available');
  });

  test('what is gone from the bank goes from the catalogue', async () => {
    const bank = createMemoryStore();
    const { cloud } = await openCloud(bank);
    const { id } = await protect(cloud);
    const keys = (await storeKeys(bank, 'checkpoints/')).filter((key) => key.includes(id));
    await bank.delete(keys);
    cloud.age();
    expect((await list(cloud)).items).toEqual([]);
    expect(await known(cloud, id)).toBeUndefined();
  });
});

describe('the end of an operation', () => {
  test('that the bank knows and the database does not is told to both again, and is one checkpoint', async () => {
    const bank = createMemoryStore();
    const { cloud } = await openCloud(bank);
    const { checkpoints } = cloud.deps;
    const upsert = checkpoints.upsert.bind(checkpoints);
    let failures = 1;
    vi.spyOn(checkpoints, 'upsert').mockImplementation(async (entries, trx) => {
      // As a kill would have it: the entry is in the bank, the transaction that says so never commits.
      if (entries.some(({ checkpoint }) => checkpoint.status === 'available') && trx && failures-- > 0) throw new Error('killed');
      return upsert(entries, trx);
    });
    // Whoever asks meanwhile is told what the bank says.
    const { id, status, reason } = await protect(cloud);
    expect({ status, reason }).toEqual({ status: 'available', reason: null });
    await expect.poll(async () => (await logsOf(cloud, id)).map((log) => log.status), { timeout: 5000 }).toEqual(['available']);
    expect(await wordsOf(bank, id)).toEqual(['0-protecting', '1-available', '1-available']);
    const { cloud: second } = await openCloud(bank);
    expect(await statuses(second)).toEqual(['available']);
    expect((await restore(second, id)).status).toBe('success');
  });

  test('waits for a bank that is away for a while', async () => {
    const { cloud } = await openCloud(createMemoryStore());
    const { catalog } = cloud.deps;
    const publish = catalog.publish;
    let away = 2;
    vi.spyOn(catalog, 'publish').mockImplementation(async (provider, entry) => {
      if (entry.generation > 0 && away-- > 0) throw new Fault('unavailable', 'storage.unreachable', 'The bank is away.');
      return publish(provider, entry);
    });
    expect(await protect(cloud)).toMatchObject({ status: 'available', reason: null });
    expect(away).toBe(-1);
  });

  test('that the bank refuses for good is an error that says so; the bank is told when it takes it', async () => {
    const bank = createMemoryStore();
    const { cloud } = await openCloud(bank);
    const { catalog } = cloud.deps;
    const publish = catalog.publish;
    let refused = true;
    vi.spyOn(catalog, 'publish').mockImplementation(async (provider, entry) => {
      if (entry.generation > 0 && refused)
        throw new Fault('forbidden', 'storage.forbidden', 'The bank refuses.', { help: 'Look at its keys.' });
      return publish(provider, entry);
    });
    const { id } = await protect(cloud);
    await over(cloud, id);
    expect(await known(cloud, id)).toMatchObject({ status: 'error', reason: 'The bank refuses. Look at its keys.' });
    expect(await logsOf(cloud, id)).toMatchObject([{ status: 'error', errorInfo: 'The bank refuses. Look at its keys.' }]);

    refused = false;
    cloud.age();
    expect(await statuses(cloud)).toEqual(['error']);
    expect((await cloud.deps.checkpoints.get(id))?.published).toBe(true);
    expect(await wordsOf(bank, id)).toEqual(['0-protecting', '1-error']);
  });
});

describe('a provider that SIGHUP takes away', () => {
  const gone = /^Provider .* could not be found\. .*YAML file/;

  test('while a protect runs: the checkpoint ends as an error that says so, and can be deleted when the provider is back', async () => {
    const bank = createMemoryStore();
    const { cloud, trail } = await openCloud(bank);
    const plan = await planOf(cloud);
    trail.before = async (what) => {
      if (what === 'protect prepareFinish vm') await cloud.reload('gone');
    };
    const id = await beginProtect(cloud, plan);
    await over(cloud, id);
    expect(await known(cloud, id)).toMatchObject({ status: 'error', reason: expect.stringMatching(gone) });
    expect(await logsOf(cloud, id)).toMatchObject([{ status: 'error', errorInfo: expect.stringMatching(gone) }]);
    await expect(beginProtect(cloud, plan)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^The checkpoint cannot be made: Provider/),
    });

    await cloud.reload('there');
    cloud.age();
    expect(await statuses(cloud)).toEqual(['error']);
    const { cloud: second } = await openCloud(bank);
    expect(await statuses(second)).toEqual(['error']);
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
  });

  test('after the last step of a protect: an error all the same', async () => {
    const { cloud, trail } = await openCloud(createMemoryStore());
    trail.before = async (what) => {
      if (what === 'protect complete vm') await cloud.reload('gone');
    };
    const id = await beginProtect(cloud);
    await over(cloud, id);
    expect(await known(cloud, id)).toMatchObject({ status: 'error', reason: expect.stringMatching(gone) });
  });

  test('while a restore and a deletion run: both end, and say why', async () => {
    const { cloud, trail } = await openCloud(createMemoryStore());
    const { id } = await protect(cloud);
    trail.before = async (what) => {
      if (what === 'restore prepareFinish vm' || what === 'delete prepareFinish vm') await cloud.reload('gone');
    };
    const restored = await restore(cloud, id);
    expect(restored).toMatchObject({ status: 'fail' });
    expect(Object.values(restored.resourcesReason)).toContainEqual(expect.stringMatching(gone));

    await cloud.reload('there');
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    await over(cloud, id);
    expect(await known(cloud, id)).toMatchObject({ status: 'error-deleting', reason: expect.stringMatching(gone) });
    trail.before = () => Promise.resolve();
    await cloud.reload('there');
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
  });
});

test('a plan that is deleted while its protect runs: the checkpoint is made, and restores', async () => {
  const { cloud, trail } = await openCloud(createMemoryStore());
  const plan = await planOf(cloud);
  trail.before = async (what) => {
    if (what === 'protect main disk-a') await cloud.protection.plans.delete(caller, plan.id);
  };
  const id = await beginProtect(cloud, plan);
  expect(await cloud.settled(id)).toMatchObject({ status: 'available', plan: { id: plan.id, name: 'nightly' } });
  expect((await restore(cloud, id)).status).toBe('success');
  await expect(cloud.protection.plans.get(caller, plan.id)).rejects.toMatchObject({ kind: 'not-found' });
});

test('SIGTERM while steps run: the next worker goes on at the step that was interrupted, and repeats no other', async () => {
  const { cloud, trail } = await openCloud(createMemoryStore());
  const gate = createGate();
  let interrupted = 0;
  trail.before = async (what, signal) => {
    if (what !== 'protect main disk-a' || interrupted > 0) return;
    interrupted++;
    signal.addEventListener('abort', gate.open);
    await gate.pass();
    signal.throwIfAborted();
  };
  const id = await beginProtect(cloud);
  await gate.arrived;
  await cloud.restartWorker();
  expect(await cloud.settled(id)).toMatchObject({ status: 'available', reason: null });
  const times = Object.groupBy(trail.calls, (call) => call);
  expect(times['protect main disk-a']).toHaveLength(2);
  expect(Object.entries(times).filter(([call, all]) => call !== 'protect main disk-a' && all?.length !== 1)).toEqual([]);
});

test('who made a checkpoint is said, unless the request says it', async () => {
  const { cloud } = await openCloud(createMemoryStore());
  const plan = await planOf(cloud);
  const made = async (extraInfo: Record<string, unknown> | null) =>
    (await cloud.protection.checkpoints.create(caller, providerId, plan.id, extraInfo)).extraInfo;
  expect(await made(null)).toEqual({ created_by: 'manual' });
  const scheduled = { created_by: 'operation-engine', scheduled_operation_id: newId() };
  expect(await made(scheduled)).toEqual(scheduled);
  // Not an id: kept for people, and no reference.
  expect(await made({ scheduled_operation_id: 'the nightly one' })).toMatchObject({ scheduled_operation_id: 'the nightly one' });
  const logs = await cloud.protection.operationLogs.list(caller, {
    limit: 10,
    sort: [{ key: 'started_at', direction: 'asc' }],
    filters: {},
  });
  expect(new Set(logs.items.map((log) => log.scheduledOperationId))).toEqual(new Set([null, scheduled.scheduled_operation_id]));
});
