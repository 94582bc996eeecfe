import type { Json } from '../base/canonical-json.ts';
import type { OperationProgress } from './progress.ts';
import type { PlanResource } from './resource.ts';

export const checkpointStatuses = [
  'protecting',
  'available',
  'error',
  'deleting',
  'deleted',
  'error-deleting',
  'wait_copying',
  'copying',
] as const;
export type CheckpointStatus = (typeof checkpointStatuses)[number];

/** The plan as it was when the checkpoint was made. */
export interface CheckpointPlan {
  readonly id: string;
  readonly name: string;
  readonly providerId: string;
  readonly resources: readonly PlanResource[];
}

/** What one resource of the graph came to. */
export interface CheckpointResource {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly status: 'protecting' | 'available' | 'error' | 'deleting' | 'deleted';
  readonly reason: string;
  /** Saved info of the protection plugin: opaque here. */
  readonly saved?: Json;
}

export interface Checkpoint {
  readonly id: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly status: CheckpointStatus;
  readonly plan: CheckpointPlan;
  /** Karbor's JSON text of `[nodes, adjacency]`; null until the graph is built. */
  readonly resourceGraph: string | null;
  readonly extraInfo: Readonly<Record<string, unknown>> | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly resources: readonly CheckpointResource[];
  /** Why the status is `error` or `error-deleting`; null otherwise. */
  readonly reason: string | null;
}

/** A checkpoint as it is shown: with the live operation's progress while one runs here. */
export interface ShownCheckpoint extends Checkpoint {
  readonly progress: OperationProgress | null;
}
