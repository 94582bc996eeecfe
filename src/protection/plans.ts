import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { Caller } from '../model/caller.ts';
import type { Plan, PlanHooks } from '../model/plan.ts';
import type { PlanService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { checkParameters } from './parameters.ts';
import { getVisible } from './visible.ts';

export function createPlanService(deps: ProtectionDeps): PlanService {
  const get = async (caller: Caller, id: string): Promise<Plan> => getVisible(caller, 'plan', await deps.plans.get(id));
  const checkHooks = (hooks: PlanHooks | null): void => {
    for (const name of [hooks?.pre, hooks?.post]) {
      if (name === undefined || deps.commands.has(name)) continue;
      throw new Fault('invalid', 'plan.unknown_hook', `hooks: there is no command ${name} on this service's list.`, {
        details: { field: 'plan.hooks' },
        help: 'The operator adds commands under `hooks:` in the configuration file.',
      });
    }
  };

  return {
    async create(caller, wanted) {
      const provider = deps.providers.find(wanted.providerId);
      if (!provider) {
        throw new Fault('invalid', 'plan.unknown_provider', `provider_id: there is no provider ${wanted.providerId}.`, {
          details: { field: 'plan.provider_id' },
        });
      }
      checkParameters(provider, wanted.parameters, 'options');
      checkHooks(wanted.hooks);
      const plan: Plan = {
        ...wanted,
        id: newId(),
        projectId: caller.projectId,
        status: 'suspended',
        createdAt: deps.clock.now(),
      };
      await deps.knex.transaction(async (trx) => {
        await deps.gate.takeOne(plan.projectId, 'plans', trx);
        await deps.plans.create(plan, trx);
      });
      return plan;
    },
    list: (_caller, query) => deps.plans.list(query),
    get,
    async update(caller, id, change) {
      const plan = await get(caller, id);
      const { status: _, ...others } = change;
      if (plan.status === 'started' && Object.keys(others).length > 0) {
        throw new Fault('invalid', 'plan.started', `Plan ${id} is started; only its status can be changed.`, {
          details: { field: 'plan.status' },
          help: 'Set its status to suspended first.',
        });
      }
      if (change.hooks !== undefined) checkHooks(change.hooks);
      return deps.plans.update(id, change);
    },
    async delete(caller, id) {
      await get(caller, id);
      await deps.plans.delete(id);
    },
  };
}
