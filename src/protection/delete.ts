import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { CatalogueEntry } from '../db/checkpoint-store.ts';
import type { Flow } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { DeleteCall } from '../plugin/protection.ts';
import { collectAfterDelete } from './collect.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import { buildCall, failureOf, forgetAll, getNode, type OperationInput, runHook } from './hook-call.ts';
import { checkpointSubject, getProtection, publishEnd } from './protect.ts';
import { decodeResourceGraph, resourceKey } from './resource-graph.ts';
import { savedOf } from './saved.ts';

interface DeleteInput extends OperationInput {
  /** As it is while the deletion runs: status `deleting`. */
  readonly checkpoint: Checkpoint;
  readonly generation: number;
}

const underWay = ['wait_copying', 'copying'];
const deletable = ['available', 'error', 'error-deleting', ...underWay];

/**
 * Marks the checkpoint and queues its deletion; a copy that is under way is cancelled, and takes back itself what it has made. The bank hears `deleting` first, then the snapshots go, then it hears
 * `deleted`: a crash in between leaves a checkpoint that says truly that it is being deleted.
 */
export async function startDelete(deps: ProtectionDeps, caller: Caller, entry: CatalogueEntry): Promise<void> {
  const { checkpoint } = entry;
  if (!deletable.includes(checkpoint.status)) {
    throw new Fault(
      'invalid',
      'checkpoint.not_deletable',
      `Checkpoint ${checkpoint.id} is ${checkpoint.status} and cannot be deleted now.`,
      {
        help: 'A checkpoint can be deleted when it is available, in error or in error-deleting, and while it is being copied.',
      },
    );
  }
  const provider = deps.providers.get(checkpoint.providerId);
  // A protect that failed before its graph was built has nothing in the bank but its entry.
  const graph = checkpoint.resourceGraph === null ? [] : decodeResourceGraph(checkpoint.resourceGraph);
  for (const node of graph) getProtection(provider, node.type);

  const deleting: Checkpoint = { ...checkpoint, status: 'deleting', reason: null };
  const generation = entry.generation + 1;
  const operationId = newId();
  const input: DeleteInput = {
    projectId: checkpoint.projectId,
    userId: caller.userId,
    providerId: checkpoint.providerId,
    checkpointId: checkpoint.id,
    graph,
    parameters: {},
    logId: newId(),
    checkpoint: deleting,
    generation,
  };
  const steps = drawSteps({
    graph,
    has: (node, hook) => getProtection(provider, node.type).delete[hook] !== undefined,
    announce: true,
  });
  await deps.knex.transaction(async (trx) => {
    await lockUnchanged(deps, entry, trx);
    if (underWay.includes(checkpoint.status)) await deps.operations.cancel(checkpointSubject(checkpoint.id), trx);
    await deps.checkpoints.upsert([{ checkpoint: deleting, generation, published: false }], trx);
    await deps.logs.create(
      {
        id: input.logId,
        projectId: checkpoint.projectId,
        operationType: 'delete',
        checkpointId: checkpoint.id,
        planId: checkpoint.plan.id,
        providerId: checkpoint.providerId,
        restoreId: null,
        scheduledOperationId: null,
        status: 'deleting',
        startedAt: deps.clock.now(),
        endedAt: null,
        errorInfo: null,
        extraInfo: null,
      },
      trx,
    );
    await deps.operations.create(
      { id: operationId, kind: 'delete', subject: checkpointSubject(checkpoint.id), input, steps },
      trx,
    );
    await deps.queue.announce(operationId, trx);
  });
}

/**
 * Of two requests that would change the state at once, one comes first and the other is refused.
 * @throws {Fault} invalid `checkpoint.changed`
 */
export async function lockUnchanged(
  deps: ProtectionDeps,
  { checkpoint, generation }: CatalogueEntry,
  trx: Knex.Transaction,
): Promise<void> {
  const now = await deps.checkpoints.lock(checkpoint.id, trx);
  if (now?.generation === generation && now.checkpoint.status === checkpoint.status) return;
  const state = now === undefined ? 'gone from the bank' : now.checkpoint.status;
  throw new Fault('invalid', 'checkpoint.changed', `Checkpoint ${checkpoint.id} is ${state} since a moment ago.`, {
    help: 'Look at it again, and ask again if it is still to be done.',
  });
}

export function createDeleteFlow(deps: ProtectionDeps): Flow {
  return {
    kind: 'delete',

    async runStep(step, run) {
      const input = run.operation.input as DeleteInput;
      const what = step.input as StepInput;
      const provider = deps.providers.get(input.providerId);
      if (what.do === 'announce') {
        await deps.catalog.publish(provider, { checkpoint: input.checkpoint, generation: input.generation });
        return undefined;
      }
      if (what.do !== 'hook') throw new Fault('internal', 'delete.bad_step', `A deletion has no step ${step.name}.`);
      const node = getNode(input.graph, what.node);
      const call: DeleteCall = {
        ...(await buildCall(input, node, provider, run)),
        saved: savedOf(input.checkpoint)[resourceKey(node)],
      };
      const outcome = await runHook(getProtection(provider, node.type).delete, what.hook, call, deps.clock);
      if (what.hook === 'main') await forgetAll(input, node, provider);
      return { ...outcome };
    },

    async finish(ending) {
      const input = ending.operation.input as DeleteInput;
      const status = ending.state === 'succeeded' ? 'deleted' : 'error-deleting';
      const checkpoint: Checkpoint = {
        ...input.checkpoint,
        status,
        reason: ending.error,
        resources: input.checkpoint.resources.map((resource) => {
          const node = input.graph.find((n) => resourceKey(n) === resourceKey(resource));
          const reason = node && failureOf(ending.steps, node.key);
          if (reason !== undefined) return { ...resource, status: 'error' as const, reason };
          // What is gone has no saved info any more: nothing can be restored from it.
          const { saved: _, ...rest } = resource;
          return { ...rest, status: 'deleted' as const, reason: '' };
        }),
      };
      const generation = input.generation + 1;
      const published = await publishEnd(deps, ending, { checkpoint, generation });
      return async (trx) => {
        await deps.checkpoints.upsert([{ checkpoint, generation, published }], trx);
        await deps.logs.close(input.logId, { status, endedAt: deps.clock.now(), errorInfo: ending.error, extraInfo: null }, trx);
        if (status === 'deleted') await collectAfterDelete(deps, input, trx);
      };
    },
  };
}
