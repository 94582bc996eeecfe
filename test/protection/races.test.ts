import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
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
import { createTrailPlugins } from '../kit/trail-plugins.ts';

// Two clouds share one bank; tests tell their own checkpoints by id.
const bank = createMemoryStore();
const holding = createHoldingBank(bank);
const { plugins, trail } = createTrailPlugins();
let cloud: TestCloud;
let second: TestCloud;
beforeAll(async () => {
  cloud = await openTestCloud({ bank: holding.bank, plugins });
  second = await openTestCloud({ bank, plugins: createTrailPlugins().plugins });
});
afterEach(() => {
  vi.restoreAllMocks();
  trail.before = () => Promise.resolve();
  trail.calls.length = 0;
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

const planOf = (): Promise<Plan> =>
  cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources: [{ type: 'Test::Machine', id: 'vm', name: 'vm' }],
    parameters: {},
    hooks: null,
  });
const beginProtect = async (plan?: Plan): Promise<string> =>
  (await cloud.protection.checkpoints.create(caller, providerId, (plan ?? (await planOf())).id, null)).id;
const protect = async (): Promise<Checkpoint> => cloud.settled(await beginProtect());
const list = (of: TestCloud) =>
  of.protection.checkpoints.list(caller, providerId, {
    limit: 100,
    sort: [{ key: 'created_at', direction: 'desc' }],
    filters: {},
    projectId: 'demo',
  });
/** As the list has it after a look at the bank; once in a list, or undefined. */
const listed = async (of: TestCloud, id: string): Promise<CheckpointStatus | undefined> => {
  of.age();
  const found = (await list(of)).items.filter((one) => one.id === id);
  expect(found.length).toBeLessThan(2);
  return found[0]?.status;
};
const logsOf = async (checkpointId: string) =>
  (
    await cloud.protection.operationLogs.list(caller, {
      limit: 10,
      sort: [{ key: 'started_at', direction: 'asc' }],
      filters: { checkpoint_id: checkpointId },
    })
  ).items;
const restore = async (of: TestCloud, checkpointId: string) => {
  const wanted = { providerId, checkpointId, restoreTarget: null, restoreAuth: null, parameters: {} };
  return of.restored((await of.protection.restores.create(caller, wanted)).id);
};
/** What the bank says of a checkpoint: `1-available`, … in order. */
const wordsOf = async (checkpointId: string): Promise<string[]> =>
  (await storeKeys(bank, 'checkpoints/'))
    .map(parseCheckpointKey)
    .filter((key) => key !== undefined)
    .filter((key) => key.checkpointId === checkpointId)
    .map(({ generation, status }) => `${generation}-${status}`);
/** As the catalogue has it, whether its provider is there or not. */
const known = async (id: string): Promise<Checkpoint | undefined> => (await cloud.deps.checkpoints.get(id))?.checkpoint;
const over = (id: string): Promise<unknown> =>
  expect.poll(async () => (await known(id))?.status, { timeout: 10_000 }).not.toMatch(/^(protecting|deleting)$/);

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

/** A bank whose next listing, once it is taken, can be held up: what happens meanwhile it does not tell. */
function createHoldingBank(store: ObjectStore) {
  let next: ReturnType<typeof createGate> | undefined;
  return {
    bank: {
      ...createGatedStore(store),
      async *list(...what: Parameters<ObjectStore['list']>) {
        const gate = next;
        next = undefined;
        const entries: ObjectEntry[] = [];
        for await (const entry of store.list(...what)) entries.push(entry);
        await gate?.pass();
        yield* entries;
      },
    },
    holdNext() {
      next = createGate();
      return next;
    },
  };
}

describe('two requests at once', () => {
  test('to delete: one is taken, the other is told that the checkpoint is being deleted', async () => {
    const { id } = await protect();
    const both = await Promise.allSettled([1, 2].map(() => cloud.protection.checkpoints.delete(caller, providerId, id)));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find((one) => one.status === 'rejected');
    expect(refused?.reason).toMatchObject({ kind: 'invalid', message: expect.stringContaining('deleting') });
    expect((await cloud.settled(id)).status).toBe('deleted');
    expect((await logsOf(id)).map(({ operationType, status }) => `${operationType} ${status}`)).toEqual([
      'protect available',
      'delete deleted',
    ]);
  });

  test('to reset and, while the bank is told so, to delete: the second is refused', async () => {
    const { id } = await protect();
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
    expect((await known(id))?.status).toBe('error');
  });

  test('to reset: the second is refused, or comes after the first', async () => {
    const { id } = await protect();
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
    const { id } = await protect();
    cloud.age();
    const gate = holding.holdNext();
    const slow = list(cloud);
    await gate.arrived;
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
    gate.open();
    expect((await slow).items.map((one) => one.id)).not.toContain(id);
    expect((await known(id))?.status).toBe('deleted');
  });

  test('by a protect does not take the new checkpoint away', async () => {
    await protect();
    cloud.age();
    const gate = holding.holdNext();
    const slow = list(cloud);
    await gate.arrived;
    const { id } = await protect();
    gate.open();
    expect((await slow).items.map((one) => one.id)).toContain(id);
    expect((await known(id))?.status).toBe('available');
  });

  test('what is gone from the bank goes from the catalogue', async () => {
    const { id } = await protect();
    const keys = (await storeKeys(bank, 'checkpoints/')).filter((key) => key.includes(id));
    await bank.delete(keys);
    expect(await listed(cloud, id)).toBeUndefined();
    expect(await known(id)).toBeUndefined();
  });
});

describe('the end of an operation', () => {
  test('that the bank knows and the database does not is told to both again, and is one checkpoint', async () => {
    const { checkpoints } = cloud.deps;
    const upsert = checkpoints.upsert.bind(checkpoints);
    let failures = 1;
    vi.spyOn(checkpoints, 'upsert').mockImplementation(async (entries, trx) => {
      // As a kill would have it: the entry is in the bank, the transaction that says so never commits.
      if (entries.some(({ checkpoint }) => checkpoint.status === 'available') && trx && failures-- > 0) throw new Error('killed');
      return upsert(entries, trx);
    });
    // Whoever asks meanwhile is told what the bank says.
    const { id, status, reason } = await protect();
    expect({ status, reason }).toEqual({ status: 'available', reason: null });
    await expect.poll(async () => (await logsOf(id)).map((log) => log.status), { timeout: 5000 }).toEqual(['available']);
    expect(await wordsOf(id)).toEqual(['0-protecting', '1-available', '1-available']);
    expect(await listed(second, id)).toBe('available');
    expect((await restore(second, id)).status).toBe('success');
  });

  test('waits for a bank that is away for a while', async () => {
    const { catalog } = cloud.deps;
    const publish = catalog.publish;
    let away = 2;
    vi.spyOn(catalog, 'publish').mockImplementation(async (provider, entry) => {
      if (entry.generation > 0 && away-- > 0) throw new Fault('unavailable', 'storage.unreachable', 'The bank is away.');
      return publish(provider, entry);
    });
    expect(await protect()).toMatchObject({ status: 'available', reason: null });
    expect(away).toBe(-1);
  });

  test('that the bank refuses for good is an error that says so; the bank is told when it takes it', async () => {
    const { catalog } = cloud.deps;
    const publish = catalog.publish;
    let refused = true;
    vi.spyOn(catalog, 'publish').mockImplementation(async (provider, entry) => {
      if (entry.generation > 0 && refused)
        throw new Fault('forbidden', 'storage.forbidden', 'The bank refuses.', { help: 'Look at its keys.' });
      return publish(provider, entry);
    });
    const { id } = await protect();
    await over(id);
    expect(await known(id)).toMatchObject({ status: 'error', reason: 'The bank refuses. Look at its keys.' });
    expect(await logsOf(id)).toMatchObject([{ status: 'error', errorInfo: 'The bank refuses. Look at its keys.' }]);

    refused = false;
    expect(await listed(cloud, id)).toBe('error');
    expect((await cloud.deps.checkpoints.get(id))?.published).toBe(true);
    expect(await wordsOf(id)).toEqual(['0-protecting', '1-error']);
  });
});

describe('a provider that SIGHUP takes away', () => {
  const gone = /^Provider .* could not be found\. .*YAML file/;
  afterEach(() => cloud.reload('there'));

  test('while a protect runs: the checkpoint ends as an error that says so, and can be deleted when the provider is back', async () => {
    const plan = await planOf();
    trail.before = async (what) => {
      if (what === 'protect prepareFinish vm') await cloud.reload('gone');
    };
    const id = await beginProtect(plan);
    await over(id);
    expect(await known(id)).toMatchObject({ status: 'error', reason: expect.stringMatching(gone) });
    expect(await logsOf(id)).toMatchObject([{ status: 'error', errorInfo: expect.stringMatching(gone) }]);
    await expect(beginProtect(plan)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^The checkpoint cannot be made: Provider/),
    });

    await cloud.reload('there');
    expect(await listed(cloud, id)).toBe('error');
    expect(await listed(second, id)).toBe('error');
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
  });

  test('after the last step of a protect: an error all the same', async () => {
    trail.before = async (what) => {
      if (what === 'protect complete vm') await cloud.reload('gone');
    };
    const id = await beginProtect();
    await over(id);
    expect(await known(id)).toMatchObject({ status: 'error', reason: expect.stringMatching(gone) });
  });

  test('while a restore and a deletion run: both end, and say why', async () => {
    const { id } = await protect();
    trail.before = async (what) => {
      if (what === 'restore prepareFinish vm' || what === 'delete prepareFinish vm') await cloud.reload('gone');
    };
    const restored = await restore(cloud, id);
    expect(restored).toMatchObject({ status: 'fail' });
    expect(Object.values(restored.resourcesReason)).toContainEqual(expect.stringMatching(gone));

    await cloud.reload('there');
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    await over(id);
    expect(await known(id)).toMatchObject({ status: 'error-deleting', reason: expect.stringMatching(gone) });
    trail.before = () => Promise.resolve();
    await cloud.reload('there');
    await cloud.protection.checkpoints.delete(caller, providerId, id);
    expect((await cloud.settled(id)).status).toBe('deleted');
  });
});

test('a plan that is deleted while its protect runs: the checkpoint is made, and restores', async () => {
  const plan = await planOf();
  trail.before = async (what) => {
    if (what === 'protect main disk-a') await cloud.protection.plans.delete(caller, plan.id);
  };
  const id = await beginProtect(plan);
  expect(await cloud.settled(id)).toMatchObject({ status: 'available', plan: { id: plan.id, name: 'nightly' } });
  expect((await restore(cloud, id)).status).toBe('success');
  await expect(cloud.protection.plans.get(caller, plan.id)).rejects.toMatchObject({ kind: 'not-found' });
});

test('SIGTERM while steps run: the next worker goes on at the step that was interrupted, and repeats no other', async () => {
  const gate = createGate();
  let interrupted = 0;
  trail.before = async (what, signal) => {
    if (what !== 'protect main disk-a' || interrupted > 0) return;
    interrupted++;
    signal.addEventListener('abort', gate.open);
    await gate.pass();
    signal.throwIfAborted();
  };
  const id = await beginProtect();
  await gate.arrived;
  await cloud.restartWorker();
  expect(await cloud.settled(id)).toMatchObject({ status: 'available', reason: null });
  const times = Object.groupBy(trail.calls, (call) => call);
  expect(times['protect main disk-a']).toHaveLength(2);
  expect(Object.entries(times).filter(([call, all]) => call !== 'protect main disk-a' && all?.length !== 1)).toEqual([]);
});

test('who made a checkpoint is said, unless the request says it', async () => {
  const plan = await planOf();
  const make = async (extraInfo: Record<string, unknown> | null) => {
    const made = await cloud.protection.checkpoints.create(caller, providerId, plan.id, extraInfo);
    const [log] = await logsOf(made.id);
    return { said: made.extraInfo, referred: log?.scheduledOperationId };
  };
  expect(await make(null)).toEqual({ said: { created_by: 'manual' }, referred: null });
  const scheduled = { created_by: 'operation-engine', scheduled_operation_id: newId() };
  expect(await make(scheduled)).toEqual({ said: scheduled, referred: scheduled.scheduled_operation_id });
  // No id: kept for people, and no reference.
  const odd = { created_by: 'manual', scheduled_operation_id: 'the nightly one' };
  expect(await make(odd)).toEqual({ said: odd, referred: null });
});
