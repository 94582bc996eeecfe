import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { builtInPlugins } from '../../plugins/index.ts';
import type { Api } from '../api/declare.ts';
import { createPolicy } from '../api/policy.ts';
import { createRateLimit } from '../api/rate-limit.ts';
import { createServer } from '../api/server.ts';
import type { Clock } from '../base/clock.ts';
import { faultText } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/config.ts';
import { type ProviderConfig, readProviders } from '../config/providers.ts';
import { createCheckpointStore } from '../db/checkpoint-store.ts';
import { createGarbageCollectionStore } from '../db/garbage-collection-store.ts';
import { createOperationLogStore } from '../db/operation-log-store.ts';
import { createOperationStore } from '../db/operation-store.ts';
import { createPlanStore } from '../db/plan-store.ts';
import { createQuotaStore } from '../db/quota-store.ts';
import { createRestoreStore } from '../db/restore-store.ts';
import { createRunStore } from '../db/run-store.ts';
import { createScheduledOperationStore } from '../db/scheduled-operation-store.ts';
import { createServiceStore } from '../db/service-store.ts';
import { createTokenStore } from '../db/token-store.ts';
import { createTriggerStore } from '../db/trigger-store.ts';
import { createVerificationStore } from '../db/verification-store.ts';
import { openQueue } from '../jobs/queue.ts';
import type { QuotaLimits } from '../model/quota.ts';
import type { OperationsDeps } from '../operations/deps.ts';
import { createOperations } from '../operations/operations.ts';
import { createScheduler, type Scheduler } from '../operations/scheduler.ts';
import type { PluginContext } from '../plugin/define.ts';
import { loadPlugins } from '../plugin/load.ts';
import { createRegistry, type Registry } from '../plugin/registry.ts';
import { createCheckpointCatalog } from '../protection/checkpoint-catalog.ts';
import type { ProtectionDeps } from '../protection/deps.ts';
import { createHookRunner } from '../protection/hook-runner.ts';
import { createProtection } from '../protection/protection.ts';
import { openProviderRegistry, type ProviderDefinition } from '../protection/provider-registry.ts';
import { createQuotaGate } from '../protection/quota-gate.ts';
import { createThrottle } from '../storage/throttled.ts';
import { createIdentity } from './identity.ts';

/** Everything that is built once, from the ground up. */
export interface House {
  readonly deps: ProtectionDeps;
  readonly scheduler: Scheduler;
  readonly server: Api;
  /** Reads the provider files again; on a fault the old ones stay. */
  reloadProviders(): Promise<void>;
  close(): Promise<void>;
}

export interface BuildOptions {
  readonly config: Config;
  readonly knex: Knex;
  readonly databaseUrl: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** The only place that constructs. */
export async function buildHouse({ config, knex, databaseUrl, clock, log }: BuildOptions): Promise<House> {
  // First: a bad rule stops the boot before anything is opened.
  const policy = createPolicy(config.policy);
  const registry = await createPluginRegistry(config);
  const definitions = await defineProviders(config, registry, log);
  const scratchFolder = join(config.stateDir, 'scratch');
  mkdirSync(scratchFolder, { recursive: true, mode: 0o700 });
  for (const root of config.volumeRoots) mkdirSync(root, { recursive: true });

  const limits = { uploadBytesPerSecond: config.uploadLimit, downloadBytesPerSecond: config.downloadLimit };
  const throttle = createThrottle(limits, clock);
  const providers = await openProviderRegistry(definitions, { registry, log, threads: config.threads, scratchFolder, throttle });
  const ownFolders = definitions.flatMap(({ context }) => context.ownFolders);
  const protectables = await Promise.all(
    registry.listProtectables().map(async (plugin) => ({
      type: plugin.type,
      parentTypes: plugin.parentTypes,
      protectable: await plugin.open({}, createContext(config, log, { resolvePath: (path) => path, ownFolders })),
    })),
  );
  const checkpoints = createCheckpointStore(knex);
  const quotas = createQuotaStore(knex);
  const quotaDefaults: QuotaLimits = {
    plans: config.quotaPlans,
    checkpoints: config.quotaCheckpoints,
    protected_bytes: config.quotaProtectedBytes,
    stored_bytes: config.quotaStoredBytes,
  };
  const queue = await openQueue({ connectionString: databaseUrl, log });
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
    queue,
    providers,
    protectables,
    catalog: createCheckpointCatalog({ store: checkpoints, clock, log }),
    commands: createHookRunner(config.hooks, { environment: config.hookEnvironment }),
    clock,
    log,
  };
  const protection = createProtection(deps);
  const operationsDeps: OperationsDeps = {
    knex,
    triggers: createTriggerStore(knex),
    scheduledOperations: createScheduledOperationStore(knex),
    runs: createRunStore(knex),
    checkpoints,
    protection,
    limits: { minIntervalSeconds: config.triggerMinInterval },
    clock,
    log,
  };
  const server = await createServer({
    protection,
    operations: createOperations(operationsDeps),
    identity: createIdentity(config, createTokenStore(knex), clock),
    policy,
    ...(config.requestsPerSecond > 0 && { rateLimit: createRateLimit({ perSecond: config.requestsPerSecond, clock }) }),
    ...(config.publicUrl !== undefined && { baseUrl: config.publicUrl }),
    trustProxyHeaders: config.tls === 'proxy',
    log,
    readiness: async () => {
      try {
        await knex.raw('select 1');
        return { ready: true, checks: { database: 'ok' } };
      } catch (error) {
        return { ready: false, checks: { database: faultText(error) } };
      }
    },
    maxLimit: config.maxLimit,
  });

  return {
    deps,
    scheduler: createScheduler(operationsDeps),
    server,
    async reloadProviders() {
      await providers.replace(await defineProviders(config, registry, log));
    },
    async close() {
      await queue.close();
      await providers.close();
      for (const { protectable } of protectables) await protectable.close();
    },
  };
}

export async function createPluginRegistry(config: Config): Promise<Registry> {
  return createRegistry([...builtInPlugins, ...(await loadPlugins(config.plugins))]);
}

/** The enabled providers, as the protection floor wants them. */
async function defineProviders(config: Config, registry: Registry, log: Log): Promise<ProviderDefinition[]> {
  const enabled = (await readProviders(config.providersDir, config.readEnvironment)).filter(({ enabled }) => enabled);
  const ownFolders = listOwnFolders(config, registry, log, enabled);
  return enabled.map(({ id, name, description, bank, key, capacityBytes, protections, resolvePath }) => ({
    id,
    name,
    description,
    bank,
    key,
    capacityBytes,
    protections,
    context: createContext(config, log.child({ provider: name }), { resolvePath, ownFolders }),
  }));
}

/** Where this service writes: no volume may hold one of these, or a protect would read what it writes. */
function listOwnFolders(config: Config, registry: Registry, log: Log, providers: readonly ProviderConfig[]): string[] {
  const banks = providers.flatMap(({ bank, resolvePath }) => {
    const context = createContext(config, log, { resolvePath, ownFolders: [] });
    return registry.getBank(bank.plugin).listOwnFolders?.(bank.config, context) ?? [];
  });
  return [join(config.stateDir, 'postgres'), join(config.stateDir, 'scratch'), config.providersDir, ...banks];
}

export function createContext(config: Config, log: Log, own: Pick<PluginContext, 'resolvePath' | 'ownFolders'>): PluginContext {
  return { log, readEnvironment: config.readEnvironment, volumeRoots: config.volumeRoots, namedVolumes: config.volumes, ...own };
}
