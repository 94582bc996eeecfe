import type { Knex } from 'knex';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CheckpointStore } from '../db/checkpoint-store.ts';
import type { RunStore } from '../db/run-store.ts';
import type { ScheduledOperationStore } from '../db/scheduled-operation-store.ts';
import type { TriggerStore } from '../db/trigger-store.ts';
import type { Protection } from '../protection/contract.ts';
import type { TriggerLimits } from './triggers.ts';

/** What the rooms of this floor share; built once by `app`. */
export interface OperationsDeps {
  readonly knex: Knex;
  readonly triggers: TriggerStore;
  readonly scheduledOperations: ScheduledOperationStore;
  readonly runs: RunStore;
  readonly checkpoints: CheckpointStore;
  readonly protection: Protection;
  readonly limits: TriggerLimits;
  readonly clock: Clock;
  readonly log: Log;
}
