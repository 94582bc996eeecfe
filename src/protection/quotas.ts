import type { Knex } from 'knex';
import { formatBytes } from '../base/bytes.ts';
import { Fault } from '../base/faults.ts';
import { effectiveLimits } from '../db/quota-store.ts';
import type { Caller } from '../model/caller.ts';
import { eachQuotaResource, type QuotaDetail, type QuotaLimits } from '../model/quota.ts';
import type { QuotaService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';

export function createQuotaService(deps: Pick<ProtectionDeps, 'knex' | 'quotas' | 'quotaDefaults' | 'providers'>): QuotaService {
  const { knex, quotas, quotaDefaults, providers } = deps;
  const limitsOf = async (projectId: string): Promise<QuotaLimits> =>
    effectiveLimits(quotaDefaults, await quotas.findLimits(projectId));

  /**
   * What is promised to projects together must fit what the operator says the banks can hold. Only limits that were set are
   * promises, and as long as one bank's capacity is not declared there is nothing to compare with.
   */
  const checkPool = async (trx: Knex.Transaction): Promise<void> => {
    const capacities = providers.list().map(({ capacityBytes }) => capacityBytes);
    if (capacities.length === 0 || capacities.includes(undefined)) return;
    const capacity = capacities.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
    const promised = await quotas.sumOfLimits('stored_bytes', trx);
    if (promised <= capacity) return;
    throw new Fault(
      'invalid',
      'quota.beyond_capacity',
      `stored_bytes: ${formatBytes(promised)} would be promised to all projects together, and the banks hold ${formatBytes(capacity)}.`,
      {
        details: { field: 'quota.stored_bytes', promised_bytes: promised, capacity_bytes: capacity },
        help: 'Promise less, or raise `capacity` in a provider file after enlarging its bank.',
      },
    );
  };

  return {
    async get(caller, projectId) {
      refuseForeign(caller, projectId);
      return limitsOf(projectId);
    },

    async getDetail(caller, projectId) {
      refuseForeign(caller, projectId);
      const limits = await limitsOf(projectId);
      const [plans, checkpoints, protectedBytes, storedBytes, underWay] = await Promise.all([
        quotas.countInUse(projectId, 'plans'),
        quotas.countInUse(projectId, 'checkpoints'),
        quotas.sumInUse(projectId, 'protected_bytes'),
        quotas.sumInUse(projectId, 'stored_bytes'),
        quotas.sumUnderWay(projectId),
      ]);
      const inUse = { plans, checkpoints, protected_bytes: protectedBytes, stored_bytes: storedBytes };
      return eachQuotaResource((resource) => ({
        limit: limits[resource],
        inUse: inUse[resource],
        reserved: resource === 'stored_bytes' ? underWay : 0,
      })) satisfies QuotaDetail;
    },

    getDefaults: () => quotaDefaults,

    update: (projectId, change) =>
      knex.transaction(async (trx) => {
        if (change.stored_bytes !== undefined) await quotas.hold('pool', trx);
        await quotas.setLimits(projectId, change, trx);
        if (change.stored_bytes !== undefined) await checkPool(trx);
        return effectiveLimits(quotaDefaults, await quotas.findLimits(projectId, trx));
      }),

    delete: (projectId) => quotas.removeLimits(projectId),

    async getClass(caller, name) {
      if (!caller.isAdmin) throw new Fault('forbidden', 'quota_class.foreign', 'Quota classes are for administrators.');
      return effectiveLimits(quotaDefaults, await quotas.findClass(name));
    },

    async updateClass(name, change) {
      await quotas.setClass(name, change);
      return effectiveLimits(quotaDefaults, await quotas.findClass(name));
    },
  };
}

function refuseForeign(caller: Caller, projectId: string): void {
  if (caller.isAdmin || caller.projectId === projectId) return;
  throw new Fault('forbidden', 'quota.foreign', `The quota of project ${projectId} is not yours to see.`);
}
