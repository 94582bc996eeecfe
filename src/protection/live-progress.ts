import type { OperationStore } from '../db/operation-store.ts';
import type { OperationProgress } from '../model/progress.ts';

/** How far the newest operation of each subject has got; a subject without one is not in the answer. */
export async function findProgress(operations: OperationStore, subjects: readonly string[]): Promise<Map<string, OperationProgress>> {
  const progress = new Map<string, OperationProgress>();
  for (const operation of await operations.findNewest(subjects)) {
    if (operation.progress !== null) progress.set(operation.subject, operation.progress as unknown as OperationProgress);
  }
  return progress;
}
