import { Fault, faultText } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { CatalogueEntry } from '../db/checkpoint-store.ts';
import type { Ending, Flow } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import { lockUnchanged } from './delete.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import { buildCall, findMain, getNode, type OperationInput, runHook } from './hook-call.ts';
import { checkpointSubject, getProtection, publishEnd } from './protect.ts';
import type { OpenProvider } from './provider-registry.ts';
import { decodeResourceGraph, type GraphNode, resourceKey } from './resource-graph.ts';
import { getSaved, savedOf } from './saved.ts';

interface UndeleteInput extends OperationInput {
  /** As it was before its deletion. */
  readonly whole: Checkpoint;
  readonly deleted: Checkpoint;
  /** Of the end of this operation. */
  readonly generation: number;
}

/**
 * Queues that a deletion is taken back. The checkpoint stays `deleted` until all of it is there again; when something is not, it stays so for good,
 * with the reason. What it held is told by the bank: its words before the deletion are never overwritten.
 */
export async function startUndelete(deps: ProtectionDeps, caller: Caller, entry: CatalogueEntry): Promise<void> {
  const { checkpoint } = entry;
  if (checkpoint.status !== 'deleted' && checkpoint.status !== 'error-deleting') {
    throw new Fault(
      'invalid',
      'checkpoint.not_deleted',
      `Checkpoint ${checkpoint.id} is ${checkpoint.status}; there is no deletion to take back.`,
    );
  }
  const provider = deps.providers.get(checkpoint.providerId);
  const whole = await deps.catalog.findWhole(provider, checkpoint);
  if (whole === undefined) {
    throw new Fault(
      'invalid',
      'checkpoint.never_whole',
      `Checkpoint ${checkpoint.id} was never available: there is nothing to have back.`,
    );
  }
  const graph = decodeResourceGraph(whole.resourceGraph ?? '');
  const saved = savedOf(whole);
  const held = graph.filter((node) => saved[resourceKey(node)] !== undefined);
  for (const node of held) getUndelete(provider, node.type);
  const operationId = newId();
  const input: UndeleteInput = {
    projectId: checkpoint.projectId,
    userId: caller.userId,
    providerId: checkpoint.providerId,
    checkpointId: checkpoint.id,
    graph,
    parameters: {},
    logId: newId(),
    whole,
    deleted: checkpoint,
    generation: entry.generation + 1,
  };
  const steps = drawSteps({
    graph,
    has: (node, hook) => held.includes(node) && getUndelete(provider, node.type)[hook] !== undefined,
    announce: false,
  });
  await deps.knex.transaction(async (trx) => {
    await lockUnchanged(deps, entry, trx);
    const subject = checkpointSubject(checkpoint.id);
    if ((await deps.operations.listOpen('undelete', trx)).some((open) => open.subject === subject)) {
      throw new Fault('invalid', 'checkpoint.undelete_runs', `Checkpoint ${checkpoint.id} is being had back already.`);
    }
    await deps.gate.takeOne(checkpoint.projectId, 'checkpoints', trx);
    await deps.logs.create(
      {
        id: input.logId,
        projectId: checkpoint.projectId,
        operationType: 'undelete',
        checkpointId: checkpoint.id,
        planId: checkpoint.plan.id,
        providerId: checkpoint.providerId,
        restoreId: null,
        scheduledOperationId: null,
        status: 'in_progress',
        startedAt: deps.clock.now(),
        endedAt: null,
        errorInfo: null,
        extraInfo: null,
      },
      trx,
    );
    await deps.operations.create({ id: operationId, kind: 'undelete', subject, input, steps }, trx);
    await deps.queue.announce(operationId, trx);
  });
}

function getUndelete(provider: OpenProvider, type: string) {
  const { undelete } = getProtection(provider, type);
  if (undelete) return undelete;
  throw new Fault(
    'invalid',
    'checkpoint.no_undelete',
    `What a checkpoint held of a ${type} cannot be had back once it is deleted.`,
  );
}

export function createUndeleteFlow(deps: ProtectionDeps): Flow {
  return {
    kind: 'undelete',

    async runStep(step, run) {
      const input = run.operation.input as UndeleteInput;
      const what = step.input as StepInput;
      if (what.do !== 'hook') throw new Fault('internal', 'undelete.bad_step', `An undelete has no step ${step.name}.`);
      const node = getNode(input.graph, what.node);
      const provider = deps.providers.get(input.providerId);
      const saved = getSaved(savedOf(input.whole), input.checkpointId, node);
      const call = { ...(await buildCall(input, node, provider, run)), saved };
      return { ...(await runHook(getUndelete(provider, node.type), what.hook, call, deps.clock)) };
    },

    async finish(ending) {
      const input = ending.operation.input as UndeleteInput;
      const isBack = ending.state === 'succeeded';
      if (!isBack) for (const node of input.graph) await deleteAgain(input, node, ending);
      const checkpoint: Checkpoint = isBack ? input.whole : { ...input.deleted, reason: ending.error };
      const { generation } = input;
      const published = await publishEnd(deps, ending, { checkpoint, generation });
      return async (trx) => {
        await deps.checkpoints.upsert([{ checkpoint, generation, published }], trx);
        const { status } = checkpoint;
        await deps.logs.close(input.logId, { status, endedAt: deps.clock.now(), errorInfo: ending.error, extraInfo: null }, trx);
      };
    },
  };

  /** All of it is back, or nothing: a part that is would never be collected. */
  async function deleteAgain(input: UndeleteInput, node: GraphNode, ending: Ending): Promise<void> {
    const main = findMain(ending.steps, node.key);
    if (main === undefined || main.attempts === 0) return;
    try {
      const provider = deps.providers.get(input.providerId);
      const run = { ...ending, stepId: `${ending.operation.id}/${main.number}`, steps: new Map(), report: () => undefined };
      const saved = getSaved(savedOf(input.whole), input.checkpointId, node);
      await getProtection(provider, node.type).delete.main?.({ ...(await buildCall(input, node, provider, run)), saved });
    } catch (error) {
      ending.log.warn('What a failed undelete has had back could not be deleted again.', {
        resource: resourceKey(node),
        error: faultText(error),
      });
    }
  }
}
