import { Fault } from '../base/faults.ts';
import type { Service } from '../model/service.ts';
import type { ServiceService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';

export function createServiceService({ services }: Pick<ProtectionDeps, 'services'>): ServiceService {
  const get = async (id: string): Promise<Service> => {
    const service = /^\d{1,9}$/.test(id) ? await services.find(Number(id)) : undefined;
    if (service) return service;
    throw new Fault('not-found', 'service.unknown', `Service ${id} could not be found.`);
  };

  return {
    list: (query) => services.list(query),

    async update(id, { status, disabledReason }) {
      const service = await get(id);
      if (service.binary !== 'karbor-operationengine') {
        throw new Fault('invalid', 'service.not_switchable', `Service ${id} is a ${service.binary}, which cannot be switched.`, {
          help: 'Only a karbor-operationengine can be disabled: it then starts nothing on schedule.',
        });
      }
      if (status === 'enabled' && disabledReason != null) {
        throw new Fault('invalid', 'service.reason_given', 'disabled_reason: an enabled service has none.', {
          details: { field: 'disabled_reason' },
        });
      }
      if (status !== 'enabled' && status !== 'disabled') return service;
      await services.setStatus(service.id, status, status === 'disabled' ? (disabledReason ?? null) : null);
      return get(id);
    },
  };
}
