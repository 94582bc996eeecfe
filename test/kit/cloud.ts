import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { type Clock, sleep, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { createCheckpointStore } from '../../src/db/checkpoint-store.ts';
import { createGarbageCollectionStore } from '../../src/db/garbage-collection-store.ts';
import { createOperationLogStore } from '../../src/db/operation-log-store.ts';
import { createOperationStore } from '../../src/db/operation-store.ts';
import { createPlanStore } from '../../src/db/plan-store.ts';
import { createQuotaStore } from '../../src/db/quota-store.ts';
import { createRestoreStore } from '../../src/db/restore-store.ts';
import { createRunStore } from '../../src/db/run-store.ts';
import { createScheduledOperationStore } from '../../src/db/scheduled-operation-store.ts';
import { createServiceStore } from '../../src/db/service-store.ts';
import { createTriggerStore } from '../../src/db/trigger-store.ts';
import { createVerificationStore } from '../../src/db/verification-store.ts';
import { createWorkerStore } from '../../src/db/worker-store.ts';
import { openQueue, type Queue } from '../../src/jobs/queue.ts';
import { startWorker, type Worker } from '../../src/jobs/worker.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import { eachQuotaResource, type QuotaLimits } from '../../src/model/quota.ts';
import type { ShownRestore } from '../../src/model/restore.ts';
import type { ShownVerification } from '../../src/model/verification.ts';
import type { Operations } from '../../src/operations/contract.ts';
import type { OperationsDeps } from '../../src/operations/deps.ts';
import { createOperations } from '../../src/operations/operations.ts';
import { createScheduler, type Scheduler } from '../../src/operations/scheduler.ts';
import type { Plugin } from '../../src/plugin/define.ts';
import { createRegistry } from '../../src/plugin/registry.ts';
import { createCheckpointCatalog } from '../../src/protection/checkpoint-catalog.ts';
import type { Protection } from '../../src/protection/contract.ts';
import type { ProtectionDeps } from '../../src/protection/deps.ts';
import { createHookRunner } from '../../src/protection/hook-runner.ts';
import { createFlows, createProtection } from '../../src/protection/protection.ts';
import { openProviderRegistry, type ProviderDefinition } from '../../src/protection/provider-registry.ts';
import { createQuotaGate } from '../../src/protection/quota-gate.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createGatedStore } from './gated-store.ts';
import { pluginContext } from './plugin-context.ts';
import { createTestDatabase } from './postgres.ts';

export const providerId = '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11';
export const otherProviderId = '3f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e12';

export const caller: Caller = { userId: 'u', projectId: 'demo', roles: ['admin'], isAdmin: false, requestId: 'req-test' };

/** The protection floor of one cloud with a worker: its own database, the given bank and plugins. */
export interface TestCloud extends AsyncDisposable {
  readonly protection: Protection;
  readonly operations: Operations;
  /** Nobody calls it but the test. */
  readonly scheduler: Scheduler;
  /** What another scheduler on the same database is made of. */
  readonly operationsDeps: OperationsDeps;
  readonly deps: ProtectionDeps;
  /** Waits until the checkpoint, of whichever provider, is in none of the running states. */
  settled(checkpointId: string): Promise<ShownCheckpoint>;
  restored(restoreId: string): Promise<ShownRestore>;
  verified(verificationId: string): Promise<ShownVerification>;
  /** Reads the provider files again, as on SIGHUP: the first is there, or gone. */
  reload(provider: 'there' | 'gone'): Promise<void>;
  /** Makes what the catalogue knows of the bank old: the next question goes to the bank. */
  age(): void;
  /** Stops the worker as SIGTERM does and starts another one. */
  restartWorker(): Promise<void>;
}

export async function openTestCloud(options: {
  /** Kept open: it belongs to whoever made it, and clouds share it. */
  readonly bank: ObjectStore;
  /** Of a second provider, `south`, with the same plugins and another key; absent: there is one provider alone. */
  readonly otherBank?: ObjectStore;
  readonly plugins: readonly Plugin[];
  readonly commands?: Parameters<typeof createHookRunner>[0];
  /** This host's volumes; absent: none. */
  readonly volumeRoots?: readonly string[];
  /** The provider's; clouds that share a bank share it too. */
  readonly key?: Uint8Array;
  /** What a project may have; any number unless said. */
  readonly quota?: Partial<QuotaLimits>;
  /** Of the scheduler, for tests that move time. */
  readonly clock?: Clock;
  /** What the bank is said to hold. */
  readonly capacityBytes?: number;
}): Promise<TestCloud> {
  const context = pluginContext(options.volumeRoots ?? []);
  const database = await createTestDatabase();
  const { knex } = database;
  const scratchFolder = mkdtempSync(join(tmpdir(), 'karri-cloud-'));
  const { bank, otherBank } = options;
  const bankPlugin = (name: string, store: ObjectStore): Plugin => ({
    kind: 'bank',
    name,
    configSchema: Type.Object({}),
    open: () => Promise.resolve(createGatedStore(store)),
  });
  const registry = createRegistry([
    bankPlugin('shared', bank),
    ...(otherBank ? [bankPlugin('other', otherBank)] : []),
    ...options.plugins,
  ]);
  const provider: ProviderDefinition = {
    id: providerId,
    name: 'north',
    description: '',
    bank: { plugin: 'shared', config: {} },
    key: options.key ?? Buffer.alloc(32, 7),
    protections: options.plugins.filter(({ kind }) => kind === 'protection').map(({ name }) => ({ plugin: name, config: {} })),
    context,
    capacityBytes: options.capacityBytes,
  };
  const others: ProviderDefinition[] = otherBank
    ? [{ ...provider, id: otherProviderId, name: 'south', bank: { plugin: 'other', config: {} }, key: Buffer.alloc(32, 9) }]
    : [];
  const providers = await openProviderRegistry([provider, ...others], { registry, log: silentLog, threads: 1, scratchFolder });
  const protectables = await Promise.all(
    registry.listProtectables().map(async (plugin) => ({
      type: plugin.type,
      parentTypes: plugin.parentTypes,
      protectable: await plugin.open({}, context),
    })),
  );
  const checkpoints = createCheckpointStore(knex);
  const quotas = createQuotaStore(knex);
  const quotaDefaults: QuotaLimits = { ...eachQuotaResource(() => -1), ...options.quota };
  let agedMs = 0;
  const catalogClock: Clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + agedMs };
  const openOwnQueue = (): Promise<Queue> => openQueue({ connectionString: database.url, log: silentLog });
  let queue = await openOwnQueue();
  const deps: ProtectionDeps = {
    knex,
    plans: createPlanStore(knex),
    garbageCollections: createGarbageCollectionStore(knex),
    restores: createRestoreStore(knex),
    verifications: createVerificationStore(knex),
    logs: createOperationLogStore(knex),
    checkpoints,
    operations: createOperationStore(knex),
    quotas,
    quotaDefaults,
    gate: createQuotaGate(quotas, quotaDefaults),
    services: createServiceStore(knex),
    queue: {
      announce: (...word) => queue.announce(...word),
      consume: (...how) => queue.consume(...how),
      close: () => queue.close(),
    },
    providers,
    protectables,
    catalog: createCheckpointCatalog({ store: checkpoints, clock: catalogClock, log: silentLog }),
    commands: createHookRunner(options.commands ?? {}, { environment: { PATH: '/usr/bin:/bin' } }),
    clock: systemClock,
    log: silentLog,
  };
  const protection = createProtection(deps);
  const operationsDeps: OperationsDeps = {
    knex,
    triggers: createTriggerStore(knex),
    scheduledOperations: createScheduledOperationStore(knex),
    runs: createRunStore(knex),
    checkpoints,
    protection,
    limits: { minIntervalSeconds: 3600 },
    clock: options.clock ?? systemClock,
    log: silentLog,
  };
  const startOwnWorker = (): Promise<Worker> =>
    startWorker({
      knex,
      connectionString: database.url,
      queue,
      operations: deps.operations,
      workers: createWorkerStore(knex),
      seat: scratchFolder,
      flows: createFlows(deps),
      concurrency: 2,
      stopGraceMs: 200,
      clock: systemClock,
      log: silentLog,
    });
  let worker = await startOwnWorker();

  const until = async <T>(read: () => Promise<T>, over: (value: T) => boolean): Promise<T> => {
    for (;;) {
      const value = await read();
      if (over(value)) return value;
      await sleep(30);
    }
  };

  return {
    protection,
    operations: createOperations(operationsDeps),
    scheduler: createScheduler(operationsDeps),
    operationsDeps,
    deps,
    settled: (id) =>
      until(
        () => protection.checkpoints.get(caller, providers.list()[0]?.info.id ?? providerId, id),
        ({ status }) => !['protecting', 'deleting', 'wait_copying', 'copying'].includes(status),
      ),
    restored: (id) =>
      until(
        () => protection.restores.get(caller, id),
        ({ status }) => status !== 'in_progress',
      ),
    verified: (id) =>
      until(
        () => protection.verifications.get(caller, id),
        ({ status }) => status !== 'in_progress',
      ),
    reload: (state) => providers.replace(state === 'there' ? [provider, ...others] : others),
    age: () => {
      agedMs += 3_600_000;
    },
    async restartWorker() {
      await worker.stop();
      queue = await openOwnQueue();
      worker = await startOwnWorker();
    },
    async [Symbol.asyncDispose]() {
      await worker.stop();
      await providers.close();
      for (const { protectable } of protectables) await protectable.close();
      await database.drop();
      rmSync(scratchFolder, { recursive: true, force: true });
    },
  };
}
