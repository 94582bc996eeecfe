import { type Static, Type } from 'typebox';
import { isoTime } from '../base/clock.ts';
import { closed, descriptionRule, nameRule, nullableText, text, textMap, uuid } from './schema.ts';

export const scheduledOperationTypes = ['protect', 'retention_protect'] as const;
export type ScheduledOperationType = (typeof scheduledOperationTypes)[number];

/** What a retention keeps; absent or null: no such rule. Kept is what any rule of the second kind wants. */
export interface RetentionRules {
  /** At most so many. */
  readonly maxBackups: number | null;
  /** None older, in days. */
  readonly retentionDuration: number | null;
  readonly keepLast: number | null;
  readonly keepHourly: number | null;
  readonly keepDaily: number | null;
  readonly keepWeekly: number | null;
  readonly keepMonthly: number | null;
  readonly keepYearly: number | null;
}

export interface OperationDefinition {
  readonly providerId: string;
  readonly planId: string;
  /** Every member as it was given, as text. */
  readonly members: Readonly<Record<string, string>>;
  readonly retention: RetentionRules;
}

export interface ScheduledOperation {
  readonly id: string;
  readonly projectId: string;
  /** As whom it runs. */
  readonly userId: string;
  readonly roles: readonly string[];
  readonly name: string;
  readonly description: string | null;
  readonly type: ScheduledOperationType;
  readonly triggerId: string;
  readonly definition: OperationDefinition;
  readonly createdAt: number;
}

const runStates = ['triggered', 'in_progress', 'success', 'failed', 'dropped_out_of_window', 'dropped_overlap'] as const;
export type RunState = (typeof runStates)[number];

/** One run of a scheduled operation. Times are milliseconds since the epoch. */
export interface ScheduledRun {
  readonly id: string;
  readonly scheduledOperationId: string;
  readonly expectedAt: number;
  readonly triggeredAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly state: RunState;
  readonly checkpointId: string | null;
  /** Why it failed or was dropped. */
  readonly reason: string | null;
  /** What the retention has let go. */
  readonly deletedCheckpoints: readonly string[];
}

const example = {
  name: 'keep a week',
  description: 'nightly, seven kept',
  operation_type: 'retention_protect',
  trigger_id: 'd1f6a0c8-3b59-4e72-a4c1-60b7e9f2d584',
};
const exampleDefinition = {
  provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
  plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
};

const definitionSchema = Type.Unsafe<Readonly<Record<string, unknown>> | string>({
  type: ['object', 'string'],
  required: ['provider_id', 'plan_id'],
  properties: { provider_id: uuid, plan_id: uuid },
  additionalProperties: { type: ['string', 'integer', 'boolean', 'null'] },
  description:
    '`provider_id` and `plan_id`; a `retention_protect` also has `max_backups`, `retention_duration` (days), and `keep_last`, `keep_hourly`, `keep_daily`, `keep_weekly`, `keep_monthly`, `keep_yearly`. The text form `plan_id=…,provider_id=…` that OpenStackClient sends will do.',
});

export const newScheduledOperationSchema = closed(
  {
    name: nameRule,
    description: Type.Optional(descriptionRule),
    operation_type: Type.Unsafe<ScheduledOperationType>({ type: 'string', enum: [...scheduledOperationTypes] }),
    trigger_id: uuid,
    operation_definition: definitionSchema,
  },
  {
    $id: 'NewScheduledOperation',
    examples: [{ ...example, operation_definition: { ...exampleDefinition, max_backups: 7, retention_duration: 30 } }],
  },
);

export const scheduledOperationSchema = Type.Object(
  {
    id: uuid,
    name: text,
    description: nullableText,
    operation_type: Type.Unsafe<ScheduledOperationType>({ type: 'string', enum: [...scheduledOperationTypes] }),
    trigger_id: uuid,
    operation_definition: textMap,
    enabled: Type.Literal(true),
  },
  {
    $id: 'ScheduledOperation',
    description: 'What happens when a trigger strikes.',
    examples: [
      {
        ...example,
        id: '5b0a7c21-e9d8-4f3f-8a6b-e2c4d1907f36',
        operation_definition: { ...exampleDefinition, max_backups: '7', retention_duration: '30' },
        enabled: true,
      },
    ],
  },
);

export function toScheduledOperationJson(operation: ScheduledOperation): Static<typeof scheduledOperationSchema> {
  const { id, name, description, type, triggerId, definition } = operation;
  return {
    id,
    name,
    description,
    operation_type: type,
    trigger_id: triggerId,
    operation_definition: definition.members,
    enabled: true,
  };
}

const nullableTime = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' });

export const scheduledRunSchema = Type.Object(
  {
    id: uuid,
    scheduled_operation_id: uuid,
    expected_at: Type.String({ format: 'date-time', description: 'What the pattern of the trigger said.' }),
    triggered_at: Type.String({ format: 'date-time' }),
    started_at: nullableTime,
    ended_at: nullableTime,
    state: Type.Unsafe<RunState>({
      type: 'string',
      enum: [...runStates],
      description: 'Success means that the checkpoint is available, not only that it was asked for.',
    }),
    checkpoint_id: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
    reason: nullableText,
    deleted_checkpoints: Type.Array(uuid, { description: 'What the retention has let go.' }),
  },
  {
    $id: 'ScheduledRun',
    description: 'One run of a scheduled operation.',
    examples: [
      {
        id: '08d5b7c2-6e0f-4a84-9c7b-1f2e3d4c5b6a',
        scheduled_operation_id: '5b0a7c21-e9d8-4f3f-8a6b-e2c4d1907f36',
        expected_at: '2031-03-09T02:00:00.000Z',
        triggered_at: '2031-03-09T02:00:00.412Z',
        started_at: '2031-03-09T02:00:01.033Z',
        ended_at: '2031-03-09T02:07:41.090Z',
        state: 'success',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        reason: null,
        deleted_checkpoints: [],
      },
    ],
  },
);

export function toScheduledRunJson(run: ScheduledRun): Static<typeof scheduledRunSchema> {
  return {
    id: run.id,
    scheduled_operation_id: run.scheduledOperationId,
    expected_at: isoTime(run.expectedAt),
    triggered_at: isoTime(run.triggeredAt),
    started_at: run.startedAt === null ? null : isoTime(run.startedAt),
    ended_at: run.endedAt === null ? null : isoTime(run.endedAt),
    state: run.state,
    checkpoint_id: run.checkpointId,
    reason: run.reason,
    deleted_checkpoints: [...run.deletedCheckpoints],
  };
}
