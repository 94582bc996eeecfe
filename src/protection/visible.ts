import { Fault } from '../base/faults.ts';
import type { CatalogueEntry } from '../db/checkpoint-store.ts';
import type { Caller } from '../model/caller.ts';
import type { ProtectionDeps } from './deps.ts';

/** The record, if it is the caller's own or the caller is an administrator; otherwise it does not exist for him. */
export function getVisible<T extends { readonly id: string; readonly projectId: string }>(
  caller: Caller,
  noun: 'plan' | 'restore' | 'verification' | 'operation_log',
  record: T,
): T {
  if (record.projectId === caller.projectId || caller.isAdmin) return record;
  const name = `${noun.charAt(0).toUpperCase()}${noun.slice(1).replace('_', ' ')}`;
  throw new Fault('not-found', `${noun}.unknown`, `${name} ${record.id} could not be found.`);
}

/** A foreign checkpoint is no secret, unlike a foreign plan: Karbor says `forbidden`. */
export async function getVisibleCheckpoint(
  { catalog, providers }: ProtectionDeps,
  caller: Caller,
  providerId: string,
  id: string,
): Promise<CatalogueEntry> {
  const entry = await catalog.get(providers.get(providerId), caller.projectId, id);
  if (entry.checkpoint.projectId === caller.projectId || caller.isAdmin) return entry;
  throw new Fault('forbidden', 'checkpoint.foreign', `Checkpoint ${id} belongs to another project.`);
}
