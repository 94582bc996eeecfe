import type { Operations } from './contract.ts';
import type { OperationsDeps } from './deps.ts';
import { createScheduledOperationService } from './scheduled-operations.ts';
import { createTriggerService } from './triggers.ts';

/** What the API asks, built on what `app` hands in. */
export function createOperations(deps: OperationsDeps): Operations {
  return { triggers: createTriggerService(deps), scheduledOperations: createScheduledOperationService(deps) };
}
