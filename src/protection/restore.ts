import { Fault, faultText } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { StepRecord } from '../db/operation-store.ts';
import type { ResourceOutcome } from '../db/restore-store.ts';
import type { Ending, Flow, StepRun } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Restore } from '../model/restore.ts';
import type { RestoreCall } from '../plugin/protection.ts';
import type { NewRestore } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import {
  buildCall,
  failureOf,
  findMain,
  getNode,
  type HookOutcome,
  hookOutcome,
  type OperationInput,
  runHook,
} from './hook-call.ts';
import { checkParameters } from './parameters.ts';
import { figures, getProtection } from './protect.ts';
import type { OpenProvider } from './provider-registry.ts';
import { decodeResourceGraph, type GraphNode, type ResourceGraph, resourceKey } from './resource-graph.ts';
import { getSaved, type SavedInfos, savedOf } from './saved.ts';
import { getVisibleCheckpoint } from './visible.ts';

interface RestoreInput extends OperationInput {
  readonly restoreId: string;
  readonly restoreTarget: string | null;
  readonly saved: SavedInfos;
}

/** A hook's outcome, and the id of what it made. */
interface RestoreOutcome extends HookOutcome {
  readonly made?: string;
}

export function restoreSubject(restoreId: string): string {
  return `restore:${restoreId}`;
}

/**
 * Records the restore and queues it. What the engine refuses (unknown checkpoint, bad parameter) becomes a record with
 * status `fail` that says why, as Karbor's clients expect; only a foreign checkpoint is a fault of the request.
 */
export async function startRestore(deps: ProtectionDeps, caller: Caller, wanted: NewRestore): Promise<Restore> {
  const record: Restore = {
    id: newId(),
    projectId: caller.projectId,
    providerId: wanted.providerId,
    checkpointId: wanted.checkpointId,
    restoreTarget: wanted.restoreTarget,
    parameters: wanted.parameters,
    status: 'in_progress',
    resourcesStatus: {},
    resourcesReason: {},
    createdAt: deps.clock.now(),
  };
  let planned: { provider: OpenProvider; checkpoint: Checkpoint; graph: ResourceGraph };
  try {
    planned = await planRestore(deps, caller, wanted);
  } catch (error) {
    const key = `Checkpoint#${wanted.checkpointId}`;
    const failed: Restore = {
      ...record,
      status: 'fail',
      resourcesStatus: { [key]: 'error' },
      resourcesReason: { [key]: faultText(error).slice(0, 2000) },
    };
    await deps.knex.transaction((trx) => deps.restores.create(failed, trx));
    if (error instanceof Fault && error.kind === 'forbidden') throw error;
    return failed;
  }

  const { provider, checkpoint, graph } = planned;
  const logId = newId();
  const operationId = newId();
  const input: RestoreInput = {
    projectId: checkpoint.projectId,
    userId: caller.userId,
    providerId: checkpoint.providerId,
    checkpointId: checkpoint.id,
    graph,
    parameters: wanted.parameters,
    logId,
    restoreId: record.id,
    restoreTarget: wanted.restoreTarget,
    saved: savedOf(checkpoint),
  };
  const steps = drawSteps({
    graph,
    has: (node, hook) => getProtection(provider, node.type).restore[hook] !== undefined,
    announce: false,
  });
  await deps.knex.transaction(async (trx) => {
    await deps.restores.create(record, trx);
    await deps.logs.create(
      {
        id: logId,
        projectId: caller.projectId,
        operationType: 'restore',
        checkpointId: checkpoint.id,
        planId: null,
        providerId: wanted.providerId,
        restoreId: record.id,
        scheduledOperationId: null,
        status: 'in_progress',
        startedAt: record.createdAt,
        endedAt: null,
        errorInfo: null,
        extraInfo: null,
      },
      trx,
    );
    await deps.operations.create({ id: operationId, kind: 'restore', subject: restoreSubject(record.id), input, steps }, trx);
    await deps.queue.announce(operationId, trx);
  });
  return record;
}

async function planRestore(deps: ProtectionDeps, caller: Caller, wanted: NewRestore) {
  const { checkpoint } = await getVisibleCheckpoint(deps, caller, wanted.providerId, wanted.checkpointId);
  if (checkpoint.status !== 'available') {
    throw new Fault(
      'invalid',
      'checkpoint.not_available',
      `Checkpoint ${checkpoint.id} is ${checkpoint.status}; only an available one can be restored.`,
    );
  }
  if (wanted.restoreTarget !== null) {
    throw new Fault('unsupported', 'restore.no_target', `This service knows no cloud at ${wanted.restoreTarget}.`, {
      help: 'Leave restore_target out to restore on this cloud.',
    });
  }
  // The one that made it: another one that the request names may only share the database.
  const provider = deps.providers.get(checkpoint.providerId);
  checkParameters(provider, wanted.parameters, 'restore');
  const graph = decodeResourceGraph(checkpoint.resourceGraph ?? '');
  for (const node of graph) getProtection(provider, node.type);
  return { provider, checkpoint, graph };
}

export function createRestoreFlow(deps: ProtectionDeps): Flow {
  const restoreCall = async (
    input: RestoreInput,
    node: GraphNode,
    run: StepRun,
  ): Promise<{ call: RestoreCall; made: () => string | undefined }> => {
    let made = madeOf(run.steps.values(), node);
    const call: RestoreCall = {
      ...(await buildCall(input, node, deps.providers.get(input.providerId), run)),
      saved: getSaved(input.saved, input.checkpointId, node),
      newResources: newResources(run.steps.values(), input.graph),
      restoreTarget: input.restoreTarget,
      async made(id) {
        made = id;
        await deps.restores.setResource(input.restoreId, {
          resource: `${node.type}#${id}`,
          status: 'restoring',
          reason: '',
          replaces: resourceKey(node),
        });
      },
    };
    return { call, made: () => made };
  };

  return {
    kind: 'restore',

    async runStep(step, run) {
      const input = run.operation.input as RestoreInput;
      const what = step.input as StepInput;
      if (what.do !== 'hook') throw new Fault('internal', 'restore.bad_step', `A restore has no step ${step.name}.`);
      const node = getNode(input.graph, what.node);
      const { call, made } = await restoreCall(input, node, run);
      const outcome = await runHook(
        getProtection(deps.providers.get(input.providerId), node.type).restore,
        what.hook,
        call,
        deps.clock,
      );
      const id = made();
      return { ...outcome, ...(id !== undefined && { made: id }) };
    },

    async finish(ending: Ending) {
      const input = ending.operation.input as RestoreInput;
      const results: ResourceOutcome[] = [];
      for (const node of input.graph) {
        const made = madeOf(ending.steps, node);
        const reason = failureOf(ending.steps, node.key);
        results.push({
          resource: `${node.type}#${made ?? node.id}`,
          status: reason === undefined ? 'available' : 'error',
          reason: reason ?? '',
          replaces: resourceKey(node),
        });
        if (reason !== undefined) await abandon(input, node, ending);
      }
      const status = ending.state === 'succeeded' ? 'success' : 'fail';
      return async (trx) => {
        for (const result of results) await deps.restores.setResource(input.restoreId, result, trx);
        // What a failed hook had begun to make under an id of its own is no more being restored.
        const { resourcesStatus } = await deps.restores.get(input.restoreId, trx);
        for (const [resource, was] of Object.entries(resourcesStatus)) {
          if (was !== 'restoring') continue;
          await deps.restores.setResource(input.restoreId, { resource, status: 'error', reason: ending.error ?? '' }, trx);
        }
        await deps.restores.setStatus(input.restoreId, status, trx);
        await deps.logs.close(
          input.logId,
          {
            status,
            endedAt: deps.clock.now(),
            errorInfo: ending.error,
            extraInfo: { resources: figures(ending.steps, input.graph) },
          },
          trx,
        );
      };
    },
  };

  /** Takes back what a failed restore left of this resource; trouble with that is told, and does not change how the restore ended. */
  async function abandon(input: RestoreInput, node: GraphNode, ending: Ending): Promise<void> {
    const main = findMain(ending.steps, node.key);
    if (!main || main.attempts === 0) return;
    try {
      const hooks = getProtection(deps.providers.get(input.providerId), node.type).restore;
      if (!hooks.abandon) return;
      const { call } = await restoreCall(input, node, {
        ...ending,
        stepId: `${ending.operation.id}/${main.number}`,
        steps: new Map(ending.steps.map((step) => [step.number, step])),
        report: () => undefined,
      });
      await hooks.abandon(call);
    } catch (error) {
      ending.log.warn('What the failed restore left behind could not be removed.', {
        resource: resourceKey(node),
        error: faultText(error),
      });
    }
  }
}

/** What the restore made of a node, as the last of its finished hooks said. */
function madeOf(steps: Iterable<StepRecord>, node: GraphNode): string | undefined {
  let made: string | undefined;
  const all = [...steps];
  for (const hook of ['prepareBegin', 'prepareFinish', 'main', 'complete'] as const) {
    const outcome = hookOutcome(all, node.key, hook) as RestoreOutcome | undefined;
    made = outcome?.made ?? made;
  }
  return made;
}

function newResources(steps: Iterable<StepRecord>, graph: ResourceGraph): Map<string, string> {
  const all = [...steps];
  const made = new Map<string, string>();
  for (const node of graph) {
    const id = madeOf(all, node);
    if (id !== undefined) made.set(resourceKey(node), id);
  }
  return made;
}
