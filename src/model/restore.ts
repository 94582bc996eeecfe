import type { OperationProgress } from './progress.ts';
import type { Parameters } from './resource.ts';

export type RestoreStatus = 'in_progress' | 'success' | 'fail';

export interface Restore {
  readonly id: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly checkpointId: string;
  readonly restoreTarget: string | null;
  readonly parameters: Parameters;
  readonly status: RestoreStatus;
  /** `TYPE#NEW_ID`, or `TYPE#ORIGINAL_ID` while nothing new has an id → `restoring`, `available`, `error`. */
  readonly resourcesStatus: Readonly<Record<string, string>>;
  readonly resourcesReason: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

export interface ShownRestore extends Restore {
  readonly progress: OperationProgress | null;
}
