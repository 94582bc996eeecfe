import type { Knex } from 'knex';
import { formatBytes } from '../base/bytes.ts';
import { Fault } from '../base/faults.ts';
import { effectiveLimits, type QuotaStore } from '../db/quota-store.ts';
import type { QuotaLimits, QuotaResource } from '../model/quota.ts';

/** Refuses what would go beyond a project's quota. */
export interface QuotaGate {
  /**
   * For one more, in the transaction that makes it: until that ends, nobody else of the project makes one.
   * @throws over-quota `quota.plans`, `quota.checkpoints`
   */
  takeOne(projectId: string, resource: 'plans' | 'checkpoints', trx: Knex.Transaction): Promise<void>;
  /**
   * Bytes that may still be put into the banks; Infinity without a limit.
   * @throws over-quota `quota.protected_bytes`, `quota.stored_bytes` when there are none
   */
  roomFor(projectId: string): Promise<number>;
}

export function createQuotaGate(quotas: QuotaStore, defaults: QuotaLimits): QuotaGate {
  return {
    async takeOne(projectId, resource, trx) {
      const limit = effectiveLimits(defaults, await quotas.findLimits(projectId, trx))[resource];
      if (limit < 0) return;
      await quotas.hold(`${resource} ${projectId}`, trx);
      const inUse = await quotas.countInUse(projectId, resource, limit + 1, trx);
      if (inUse >= limit) throw overQuota(resource, `The project may have ${limit} ${resource} and has them all.`, limit);
    },

    async roomFor(projectId) {
      const limits = effectiveLimits(defaults, await quotas.findLimits(projectId));
      const { protected_bytes: protectedLimit, stored_bytes: storedLimit } = limits;
      if (protectedLimit >= 0 && (await quotas.sumInUse(projectId, 'protected_bytes')) >= protectedLimit)
        throw overQuota('protected_bytes', `The project protects all the ${formatBytes(protectedLimit)} it may.`, protectedLimit);
      if (storedLimit < 0) return Number.POSITIVE_INFINITY;
      const stored = (await quotas.sumInUse(projectId, 'stored_bytes')) + (await quotas.sumUnderWay(projectId));
      if (stored < storedLimit) return storedLimit - stored;
      throw overQuota(
        'stored_bytes',
        `The project has all the ${formatBytes(storedLimit)} in the banks that it may have.`,
        storedLimit,
      );
    },
  };
}

export function overQuota(resource: QuotaResource, message: string, limit: number): Fault {
  return new Fault('over-quota', `quota.${resource}`, message, {
    details: { resource, limit },
    help: `Delete ${resource === 'plans' ? 'plans' : 'checkpoints'}, or ask an administrator for a larger quota.`,
  });
}
