import type { Knex } from 'knex';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { CheckpointStore } from '../db/checkpoint-store.ts';
import type { GarbageCollectionStore } from '../db/garbage-collection-store.ts';
import type { OperationLogStore } from '../db/operation-log-store.ts';
import type { OperationStore } from '../db/operation-store.ts';
import type { PlanStore } from '../db/plan-store.ts';
import type { QuotaStore } from '../db/quota-store.ts';
import type { RestoreStore } from '../db/restore-store.ts';
import type { ServiceStore } from '../db/service-store.ts';
import type { VerificationStore } from '../db/verification-store.ts';
import type { Queue } from '../jobs/queue.ts';
import type { QuotaLimits } from '../model/quota.ts';
import type { Protectable } from '../plugin/protectable.ts';
import type { CheckpointCatalog } from './checkpoint-catalog.ts';
import type { HookRunner } from './hook-runner.ts';
import type { ProviderRegistry } from './provider-registry.ts';
import type { QuotaGate } from './quota-gate.ts';

/** A protectable plugin that is open, with what it said of itself. */
export interface OpenProtectable {
  readonly type: string;
  readonly parentTypes: readonly string[];
  readonly protectable: Protectable;
}

/** What the rooms of this floor share; built once by `app`. */
export interface ProtectionDeps {
  readonly knex: Knex;
  readonly plans: PlanStore;
  readonly restores: RestoreStore;
  readonly verifications: VerificationStore;
  readonly garbageCollections: GarbageCollectionStore;
  readonly logs: OperationLogStore;
  readonly checkpoints: CheckpointStore;
  readonly operations: OperationStore;
  readonly quotas: QuotaStore;
  readonly quotaDefaults: QuotaLimits;
  readonly gate: QuotaGate;
  readonly services: ServiceStore;
  readonly queue: Queue;
  readonly providers: ProviderRegistry;
  readonly protectables: readonly OpenProtectable[];
  readonly catalog: CheckpointCatalog;
  readonly commands: HookRunner;
  readonly clock: Clock;
  readonly log: Log;
}
