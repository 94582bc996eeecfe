import { systemClock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ScheduledOperationStore } from '../../src/db/scheduled-operation-store.ts';
import type { TriggerStore } from '../../src/db/trigger-store.ts';
import type { ScheduledOperation } from '../../src/model/scheduled-operation.ts';
import type { Trigger } from '../../src/model/trigger.ts';
import type { Operations } from '../../src/operations/contract.ts';
import type { OperationsDeps } from '../../src/operations/deps.ts';
import { createOperations } from '../../src/operations/operations.ts';
import type { Protection } from '../../src/protection/contract.ts';
import { pageOf } from './fake-protection.ts';

/** The services as they are, on stores in memory. Nothing strikes. */
export function createFakeOperations(protection: Protection): Operations {
  const triggers = new Map<string, Trigger>();
  const operations = new Map<string, ScheduledOperation>();
  let tick = 1_930_000_000_000;
  // Lists are by time: no two things are made at one.
  const clock = { ...systemClock, now: () => ++tick };
  const triggerStore: Pick<TriggerStore, 'create' | 'get' | 'list' | 'update' | 'delete'> = {
    async create(trigger) {
      triggers.set(trigger.id, trigger);
    },
    get: async (id) => known(triggers, id, 'trigger'),
    list: async (query) => pageOf([...triggers.values()], query),
    async update(id, { name, properties, next }) {
      const trigger = known(triggers, id, 'trigger');
      triggers.set(id, {
        ...trigger,
        ...(name !== undefined && { name }),
        ...(properties !== undefined && { properties }),
        ...(next !== undefined && { nextAt: next.nextAt }),
      });
    },
    async delete(id) {
      if ([...operations.values()].some(({ triggerId }) => triggerId === id))
        throw new Fault('conflict', 'trigger.in_use', `Trigger ${id} is used.`);
      triggers.delete(id);
    },
  };
  const operationStore: Pick<ScheduledOperationStore, 'create' | 'get' | 'list' | 'delete'> = {
    async create(operation) {
      operations.set(operation.id, operation);
    },
    get: async (id) => known(operations, id, 'scheduled_operation'),
    list: async (query) => pageOf([...operations.values()], query),
    async delete(id) {
      operations.delete(id);
    },
  };
  return createOperations({
    triggers: triggerStore,
    scheduledOperations: operationStore,
    runs: { list: async () => ({ items: [] }) },
    protection,
    limits: { minIntervalSeconds: 3600 },
    clock,
    log: silentLog,
  } as unknown as OperationsDeps);
}

function known<T>(map: ReadonlyMap<string, T>, id: string, noun: string): T {
  const found = map.get(id);
  if (found !== undefined) return found;
  throw new Fault('not-found', `${noun}.unknown`, `${noun} ${id} could not be found.`);
}
