import type { Caller } from '../model/caller.ts';
import type { ScheduledOperation } from '../model/scheduled-operation.ts';
import type { OperationsDeps } from './deps.ts';
import type { RetainedCheckpoint } from './retention.ts';

const pageSize = 500;

/** As whom a scheduled operation runs: its maker, in the maker's project, with the roles the maker had. */
export function callerOf({ id, userId, projectId, roles }: ScheduledOperation): Caller {
  return { userId, projectId, roles, isAdmin: false, requestId: `run-of-${id}` };
}

/** Every checkpoint of the operation's plan, manual ones too, as the bank has them. */
export async function listRetained({ protection }: OperationsDeps, operation: ScheduledOperation): Promise<RetainedCheckpoint[]> {
  const { providerId, planId } = operation.definition;
  const found: RetainedCheckpoint[] = [];
  for (let marker: string | undefined; ; ) {
    const { items } = await protection.checkpoints.list(callerOf(operation), providerId, {
      limit: pageSize,
      sort: [
        { key: 'created_at', direction: 'desc' },
        { key: 'id', direction: 'desc' },
      ],
      filters: {},
      projectId: operation.projectId,
      planId,
      ...(marker !== undefined && { marker }),
    });
    found.push(...items);
    if (items.length < pageSize) return found;
    marker = items.at(-1)?.id;
  }
}
