import type { Parameters, PlanResource } from './resource.ts';

export type PlanStatus = 'suspended' | 'started';

/** Names of commands on the operator's allow-list. `pre` runs before the point in time is taken, `post` after it whatever happened. */
export interface PlanHooks {
  readonly pre?: string;
  readonly post?: string;
}

export interface Plan {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly description: string | null;
  readonly providerId: string;
  readonly status: PlanStatus;
  readonly resources: readonly PlanResource[];
  readonly parameters: Parameters;
  readonly hooks: PlanHooks | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}
