import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { Caller } from '../model/caller.ts';
import type { ScheduledOperation } from '../model/scheduled-operation.ts';
import type { ScheduledOperationService } from './contract.ts';
import { readDefinition } from './definition.ts';
import type { OperationsDeps } from './deps.ts';
import { listRetained } from './retained.ts';
import { planRetention } from './retention.ts';

export function createScheduledOperationService(deps: OperationsDeps): ScheduledOperationService {
  const { scheduledOperations, triggers, protection, runs, clock } = deps;

  const get = async (caller: Caller, id: string): Promise<ScheduledOperation> => {
    const operation = await scheduledOperations.get(id);
    if (operation.projectId === caller.projectId || caller.isAdmin) return operation;
    throw new Fault('forbidden', 'scheduled_operation.foreign', `Scheduled operation ${id} belongs to another project.`);
  };

  return {
    async create(caller, { name, description, type, triggerId, definition: given }) {
      const definition = readDefinition(given);
      const trigger = await triggers.get(triggerId);
      if (trigger.projectId !== caller.projectId) {
        throw new Fault('invalid', 'scheduled_operation.foreign_trigger', `Trigger ${triggerId} belongs to another project.`, {
          details: { field: 'trigger_id' },
        });
      }
      // As the project's own: not even an administrator schedules what belongs to others.
      const plan = await protection.plans.get({ ...caller, isAdmin: false }, definition.planId);
      if (plan.providerId !== definition.providerId) {
        throw new Fault(
          'invalid',
          'scheduled_operation.other_provider',
          `operation_definition.provider_id: plan ${plan.id} belongs to provider ${plan.providerId}.`,
          { details: { field: 'operation_definition.provider_id' } },
        );
      }
      const operation: ScheduledOperation = {
        id: newId(),
        projectId: caller.projectId,
        userId: caller.userId,
        roles: caller.roles,
        name,
        description,
        type,
        triggerId,
        definition,
        createdAt: clock.now(),
      };
      await scheduledOperations.create(operation);
      return operation;
    },

    list: (_caller, query) => scheduledOperations.list(query),
    get,

    async delete(caller, id) {
      await get(caller, id);
      await scheduledOperations.delete(id);
    },

    async listRuns(caller, id, query) {
      await get(caller, id);
      return runs.list(id, query);
    },

    async previewRetention(caller, id) {
      const operation = await get(caller, id);
      if (operation.type !== 'retention_protect') return [];
      return planRetention(await listRetained(deps, operation), operation.definition.retention, clock.now());
    },
  };
}
