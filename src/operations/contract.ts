import type { Caller } from '../model/caller.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { ScheduledOperation, ScheduledOperationType, ScheduledRun } from '../model/scheduled-operation.ts';
import type { NewTriggerProperties, ShownTrigger } from '../model/trigger.ts';
import type { RetentionVerdict } from './retention.ts';

/** What the API asks of the operations floor. Another project's trigger or scheduled operation is `forbidden`, as in Karbor. */
export interface Operations {
  readonly triggers: TriggerService;
  readonly scheduledOperations: ScheduledOperationService;
}

export interface TriggerService {
  /** @throws invalid `trigger.bad_pattern`, `trigger.bad_timezone`, `trigger.bad_properties` */
  create(caller: Caller, trigger: { readonly name: string; readonly properties: NewTriggerProperties }): Promise<ShownTrigger>;
  list(caller: Caller, query: PageQuery): Promise<Page<ShownTrigger>>;
  /** @throws not-found `trigger.unknown`; forbidden `trigger.foreign` */
  get(caller: Caller, id: string): Promise<ShownTrigger>;
  /** New properties take the place of all the old ones, at once. @throws as `create`, and when it would never strike */
  update(
    caller: Caller,
    id: string,
    change: { readonly name?: string; readonly properties?: NewTriggerProperties },
  ): Promise<ShownTrigger>;
  /** @throws conflict `trigger.in_use` */
  delete(caller: Caller, id: string): Promise<void>;
}

export interface NewScheduledOperation {
  readonly name: string;
  readonly description: string | null;
  readonly type: ScheduledOperationType;
  readonly triggerId: string;
  readonly definition: Readonly<Record<string, unknown>> | string;
}

export interface ScheduledOperationService {
  /**
   * Runs as the caller, with the caller's roles.
   * @throws not-found `trigger.unknown`, `plan.unknown`; invalid `scheduled_operation.foreign_trigger`,
   * `scheduled_operation.other_provider`, `scheduled_operation.bad_definition`
   */
  create(caller: Caller, operation: NewScheduledOperation): Promise<ScheduledOperation>;
  list(caller: Caller, query: PageQuery): Promise<Page<ScheduledOperation>>;
  /** @throws not-found `scheduled_operation.unknown`; forbidden `scheduled_operation.foreign` */
  get(caller: Caller, id: string): Promise<ScheduledOperation>;
  /** Its runs go with it; a checkpoint that is being made is made. */
  delete(caller: Caller, id: string): Promise<void>;
  /** Newest first. */
  listRuns(caller: Caller, id: string, query: PageQuery): Promise<Page<ScheduledRun>>;
  /** What its retention would let go now, and why. */
  previewRetention(caller: Caller, id: string): Promise<readonly RetentionVerdict[]>;
}
