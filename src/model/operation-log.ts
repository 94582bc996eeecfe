import { type Static, Type } from 'typebox';
import { microsecondTime } from '../base/clock.ts';
import { nullableText, uuid } from './schema.ts';

const operationTypes = ['protect', 'restore', 'verify', 'copy', 'delete', 'undelete'] as const;
export type OperationType = (typeof operationTypes)[number];

export interface OperationLog {
  readonly id: string;
  readonly projectId: string;
  readonly operationType: OperationType;
  readonly checkpointId: string | null;
  readonly planId: string | null;
  readonly providerId: string | null;
  readonly restoreId: string | null;
  readonly scheduledOperationId: string | null;
  /** The status of the thing being done (`protecting`, `available`, `in_progress`, `success`, …). */
  readonly status: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly errorInfo: string | null;
  /** JSON-able: warnings, bytes, seconds. */
  readonly extraInfo: Readonly<Record<string, unknown>> | null;
}

const nullableUuid = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'uuid' });

export const operationLogSchema = Type.Object(
  {
    id: uuid,
    operation_type: Type.Unsafe<OperationType>({ type: 'string', enum: operationTypes }),
    checkpoint_id: nullableUuid,
    plan_id: nullableUuid,
    provider_id: nullableUuid,
    restore_id: nullableUuid,
    scheduled_operation_id: nullableUuid,
    status: Type.String({ description: 'The status of the thing being done.' }),
    started_at: Type.String({ description: 'UTC, without zone.' }),
    ended_at: nullableText,
    error_info: nullableText,
    extra_info: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'JSON text of an object: warnings, bytes, seconds.',
    }),
  },
  {
    $id: 'OperationLog',
    description: 'What was done to a checkpoint, when, and how it ended.',
    examples: [
      {
        id: '63c0d9f4-1b27-4c8e-95aa-0e7d6f5b4c3a',
        operation_type: 'protect',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        restore_id: null,
        scheduled_operation_id: null,
        status: 'available',
        started_at: '2031-03-09T02:00:03.512000',
        ended_at: '2031-03-09T02:07:41.090000',
        error_info: null,
        extra_info: null,
      },
    ],
  },
);

export type OperationLogJson = Static<typeof operationLogSchema>;

export function toOperationLogJson(log: OperationLog): OperationLogJson {
  return {
    id: log.id,
    operation_type: log.operationType,
    checkpoint_id: log.checkpointId,
    plan_id: log.planId,
    provider_id: log.providerId,
    restore_id: log.restoreId,
    scheduled_operation_id: log.scheduledOperationId,
    status: log.status,
    started_at: microsecondTime(log.startedAt),
    ended_at: log.endedAt === null ? null : microsecondTime(log.endedAt),
    error_info: log.errorInfo,
    extra_info: log.extraInfo === null ? null : JSON.stringify(log.extraInfo),
  };
}
