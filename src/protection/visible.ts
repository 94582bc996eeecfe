import { Fault } from '../base/faults.ts';
import type { Caller } from '../model/caller.ts';

/** The record, if it is the caller's own or the caller is an administrator; otherwise it does not exist for him. */
export function getVisible<T extends { readonly id: string; readonly projectId: string }>(
  caller: Caller,
  noun: 'plan' | 'restore' | 'operation_log',
  record: T,
): T {
  if (record.projectId === caller.projectId || caller.isAdmin) return record;
  const name = `${noun.charAt(0).toUpperCase()}${noun.slice(1).replace('_', ' ')}`;
  throw new Fault('not-found', `${noun}.unknown`, `${name} ${record.id} could not be found.`);
}
