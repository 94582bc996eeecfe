import { Fault } from '../../src/base/faults.ts';
import { eachQuotaResource, type QuotaLimits } from '../../src/model/quota.ts';
import type { Service } from '../../src/model/service.ts';
import type { QuotaService, ServiceService } from '../../src/protection/contract.ts';

const defaults: QuotaLimits = { ...eachQuotaResource(() => -1), plans: 50 };

/** Keeps what is set and counts nothing. */
export function createFakeQuotas(): QuotaService {
  const set = new Map<string, QuotaLimits>();
  const limitsOf = (key: string): QuotaLimits => set.get(key) ?? defaults;
  const keep = (key: string, change: Partial<QuotaLimits>): QuotaLimits => {
    set.set(key, { ...limitsOf(key), ...change });
    return limitsOf(key);
  };
  const refuse = (allowed: boolean): void => {
    if (!allowed) throw new Fault('forbidden', 'quota.foreign', 'Not yours to see.');
  };
  return {
    async get(caller, projectId) {
      refuse(caller.isAdmin || caller.projectId === projectId);
      return limitsOf(projectId);
    },
    async getDetail(caller, projectId) {
      refuse(caller.isAdmin || caller.projectId === projectId);
      const limits = limitsOf(projectId);
      return eachQuotaResource((resource) => ({ limit: limits[resource], inUse: 1, reserved: 0 }));
    },
    getDefaults: () => defaults,
    update: async (projectId, change) => keep(projectId, change),
    async delete(projectId) {
      set.delete(projectId);
    },
    async getClass(caller, name) {
      refuse(caller.isAdmin);
      return limitsOf(`class ${name}`);
    },
    updateClass: async (name, change) => keep(`class ${name}`, change),
  };
}

/** One scheduler, number 2. */
export function createFakeServices(): ServiceService {
  const service: Service = {
    id: 2,
    binary: 'karbor-operationengine',
    host: 'ctl-1',
    status: 'enabled',
    state: 'up',
    updatedAt: 1_930_000_000_000,
    disabledReason: null,
  };
  return {
    list: async ({ host = service.host, binary = service.binary }) =>
      host === service.host && binary === service.binary ? [service] : [],
    async update(id, { status }) {
      if (id !== '2') throw new Fault('not-found', 'service.unknown', `Service ${id} could not be found.`);
      return { ...service, status: status === 'disabled' ? 'disabled' : 'enabled' };
    },
  };
}
