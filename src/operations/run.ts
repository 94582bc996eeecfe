import { faultText, isFault, toFault } from '../base/faults.ts';
import type { CheckpointStatus } from '../model/checkpoint.ts';
import type { ScheduledOperation, ScheduledRun } from '../model/scheduled-operation.ts';
import type { OperationsDeps } from './deps.ts';
import { callerOf, listRetained } from './retained.ts';
import { planRetention } from './retention.ts';
import { windowSecondsOf } from './triggers.ts';

/** Ended runs that are kept of one scheduled operation. */
const keptRuns = 100;

/**
 * Takes one run as far as it goes now. The checkpoint has the run's own id, so that whoever carries the run on, and however
 * often, makes one. Repeatable: nothing is done that another scheduler has done already.
 */
export async function advanceRun(deps: OperationsDeps, run: ScheduledRun): Promise<void> {
  const operation = await deps.scheduledOperations.get(run.scheduledOperationId);
  const { properties } = await deps.triggers.get(operation.triggerId);
  if (run.state === 'triggered') {
    if (await deps.runs.isBusy(run)) {
      if (properties.overlap === 'queue') return;
      const reason = 'The run before was still going on.';
      await deps.runs.move(run, 'dropped_overlap', { endedAt: deps.clock.now(), reason });
      return;
    }
    const startedAt = deps.clock.now();
    if (!(await deps.runs.move(run, 'in_progress', { startedAt }))) return;
    return advanceRun(deps, { ...run, state: 'in_progress', startedAt });
  }

  const known = await deps.checkpoints.get(run.id);
  if (known === undefined) {
    const lastMoment = run.triggeredAt + windowSecondsOf(properties, deps.limits) * 1000;
    await begin(deps, operation, run, lastMoment);
    return;
  }
  if (known.checkpoint.status === 'protecting') return;
  await end(deps, operation, run, { status: known.checkpoint.status, reason: known.checkpoint.reason });
}

async function begin(deps: OperationsDeps, operation: ScheduledOperation, run: ScheduledRun, lastMoment: number): Promise<void> {
  const { providerId, planId } = operation.definition;
  const extraInfo = {
    created_by: 'operation-engine',
    trigger_id: operation.triggerId,
    scheduled_operation_id: operation.id,
  };
  try {
    await deps.protection.checkpoints.create(callerOf(operation), providerId, planId, extraInfo, run.id);
    await deps.runs.move(run, 'in_progress', { checkpointId: run.id });
  } catch (error) {
    const fault = toFault(error);
    // Another scheduler was faster.
    if (fault.kind === 'conflict') return;
    const reason = faultText(fault);
    if (mayPass(fault) && deps.clock.now() < lastMoment) {
      deps.log.warn('A scheduled run cannot begin yet; it is tried again.', { run: run.id, error: reason });
      return;
    }
    await end(deps, operation, run, { status: 'error', reason });
  }
}

/** A bank or database that is away comes back; the reason for the refusal may be one level down. */
function mayPass(error: unknown): boolean {
  for (let fault: unknown = error; fault !== undefined && fault !== null; fault = Object(fault).cause) {
    if (isFault(fault) && (fault.kind === 'unavailable' || fault.kind === 'timeout')) return true;
  }
  return false;
}

/** The outcome of the run is that of the backup. The retention comes first, so that a run that is over has done all it does. */
async function end(
  deps: OperationsDeps,
  operation: ScheduledOperation,
  run: ScheduledRun,
  { status, reason }: { status: CheckpointStatus; reason: string | null },
): Promise<void> {
  const good = status === 'available';
  const retention = operation.type === 'retention_protect' ? await retain(deps, operation) : { deleted: [], reason: null };
  const state = good && retention.reason === null ? 'success' : 'failed';
  await deps.runs.move(run, state, {
    endedAt: deps.clock.now(),
    reason: good ? retention.reason : (reason ?? `The checkpoint is ${status}.`),
    deletedCheckpoints: retention.deleted,
  });
  await deps.runs.prune(operation.id, keptRuns);
}

async function retain(
  deps: OperationsDeps,
  operation: ScheduledOperation,
): Promise<{ deleted: string[]; reason: string | null }> {
  const deleted: string[] = [];
  try {
    const verdicts = planRetention(await listRetained(deps, operation), operation.definition.retention, deps.clock.now());
    for (const { id, goes, reason } of verdicts) {
      if (!goes) continue;
      await deps.protection.checkpoints.delete(callerOf(operation), operation.definition.providerId, id);
      deleted.push(id);
      deps.log.info('A retention lets a checkpoint go.', { checkpoint: id, scheduledOperation: operation.id, reason });
    }
    return { deleted, reason: null };
  } catch (error) {
    return { deleted, reason: `The retention came to no end: ${faultText(error)}` };
  }
}
