export type OperationType = 'protect' | 'restore' | 'verify' | 'copy' | 'delete';

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
