import { isoTime } from '../base/clock.ts';
import { Fault, faultText } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { Ending, Flow, StepRun } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint, CheckpointResource } from '../model/checkpoint.ts';
import type { Parameters } from '../model/resource.ts';
import type { CopyCall } from '../plugin/protection.ts';
import type { Copies } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import { buildCall, failureOf, findMain, forgetAll, getNode, hookOutcome, type OperationInput, runHook } from './hook-call.ts';
import { createSnapshotCopy, ownerOf } from './mover.ts';
import { checkpointSubject, figures, getProtection, publishEnd, storedBytes, withinRoom } from './protect.ts';
import type { OpenProvider } from './provider-registry.ts';
import { type GraphNode, type ResourceGraph, resourceKey } from './resource-graph.ts';
import { getSaved, type SavedInfos, savedOf } from './saved.ts';

export interface CopyPlan {
  readonly original: Checkpoint;
  readonly graph: ResourceGraph;
  readonly target: OpenProvider;
}

/** Provider and checkpoint of the input are those of the copy. */
interface CopyInput extends OperationInput {
  readonly source: CopyCall['source'];
  /** Of the original. */
  readonly saved: SavedInfos;
  /** As it is while the copy runs: status `copying`. */
  readonly checkpoint: Checkpoint;
}

/** Of the words about a copy; the first, `wait_copying`, is 0 and in the database alone. */
const copyingGeneration = 1;
const endGeneration = 2;

/** Writes the copies down, and says so to the queue. Each is an operation of its own, so that one that fails stops no other. */
export async function startCopies(
  deps: ProtectionDeps,
  caller: Caller,
  plans: readonly CopyPlan[],
  parameters: Parameters,
): Promise<Copies['pairs']> {
  const started = plans.map((plan) => ({ ...plan, copy: newCopy(plan, deps.clock.now()), logId: newId(), operationId: newId() }));
  await deps.knex.transaction(async (trx) => {
    for (const { original, graph, target, copy, logId, operationId } of started) {
      const input: CopyInput = {
        projectId: copy.projectId,
        userId: caller.userId,
        providerId: copy.providerId,
        checkpointId: copy.id,
        graph,
        parameters,
        logId,
        source: { providerId: original.providerId, checkpointId: original.id },
        saved: savedOf(original),
        checkpoint: { ...copy, status: 'copying' },
      };
      const steps = drawSteps({
        graph,
        has: (node, hook) => getCopy(target, node.type)[hook] !== undefined,
        announce: true,
      });
      await deps.gate.takeOne(copy.projectId, 'checkpoints', trx);
      await deps.checkpoints.upsert([{ checkpoint: copy, generation: 0, published: false }], trx);
      await deps.logs.create(
        {
          id: logId,
          projectId: copy.projectId,
          operationType: 'copy',
          checkpointId: copy.id,
          planId: copy.plan.id,
          providerId: copy.providerId,
          restoreId: null,
          scheduledOperationId: null,
          status: copy.status,
          startedAt: copy.createdAt,
          endedAt: null,
          errorInfo: null,
          extraInfo: null,
        },
        trx,
      );
      const subject = checkpointSubject(copy.id);
      await deps.operations.create({ id: operationId, kind: 'copy', subject, input, steps }, trx);
      await deps.queue.announce(operationId, trx);
    }
  });
  return started.map(({ original, copy }) => ({ originalId: original.id, copyId: copy.id }));
}

/** `copy_status` is Karbor's, and comes when the copy is finished. */
function newCopy({ original, target }: CopyPlan, now: number): Checkpoint {
  return {
    ...original,
    id: newId(),
    providerId: target.info.id,
    status: 'wait_copying',
    plan: { ...original.plan, providerId: target.info.id },
    extraInfo: {
      copied_from_provider: original.providerId,
      copied_from_checkpoint: original.id,
      protected_at: isoTime(original.createdAt),
    },
    createdAt: now,
    resources: original.resources.map(({ type, id, name }) => ({ type, id, name, status: 'protecting', reason: '' })),
    reason: null,
  };
}

function getCopy(provider: OpenProvider, type: string) {
  const { copy } = getProtection(provider, type);
  if (copy) return copy;
  throw new Fault('unsupported', 'copy.no_plugin', `The plugin of ${provider.info.name} for ${type} can no longer copy.`, {
    help: 'Put the plugin back that the copy was begun with, and copy again.',
  });
}

export function createCopyFlow(deps: ProtectionDeps): Flow {
  const copyCall = async (
    input: CopyInput,
    node: GraphNode,
    run: Pick<StepRun, 'signal' | 'log' | 'report' | 'steps' | 'stepId'>,
  ): Promise<CopyCall> => {
    const target = deps.providers.get(input.providerId);
    return {
      ...(await buildCall(input, node, target, run)),
      source: input.source,
      saved: getSaved(input.saved, input.source.checkpointId, node),
      async copySnapshot(snapshot) {
        const from = await deps.providers.get(input.source.providerId).repository(input.projectId, { create: false });
        const repository = await target.repository(input.projectId, { create: false });
        const { stepId, signal, report } = run;
        const owner = ownerOf(input.checkpoint);
        return createSnapshotCopy(from, { repository, level: 'default', owner, stepId, signal, report })(snapshot);
      },
    };
  };

  return {
    kind: 'copy',

    async runStep(step, run) {
      const input = run.operation.input as CopyInput;
      const what = step.input as StepInput;
      const target = deps.providers.get(input.providerId);
      if (what.do === 'announce') {
        const entry = { checkpoint: input.checkpoint, generation: copyingGeneration };
        await deps.catalog.publish(target, entry);
        // A later word, of a deletion, counts more and stays.
        await deps.checkpoints.upsert([{ ...entry, published: true }]);
        await deps.logs.setStatus(input.logId, 'copying');
        return undefined;
      }
      if (what.do !== 'hook') throw new Fault('internal', 'copy.bad_step', `A copy has no step ${step.name}.`);
      const node = getNode(input.graph, what.node);
      const limited = withinRoom(run, await deps.gate.roomFor(input.projectId));
      const call = await copyCall(input, node, limited);
      return { ...(await runHook(getCopy(target, node.type), what.hook, call, deps.clock)) };
    },

    async finish(ending) {
      const input = ending.operation.input as CopyInput;
      const isWanted = await stillCopying(input.checkpointId);
      const isGood = ending.state === 'succeeded' && isWanted;
      const resources: CheckpointResource[] = [];
      for (const node of input.graph) resources.push(await endOf(input, node, ending, isGood));
      const checkpoint: Checkpoint = {
        ...input.checkpoint,
        status: isGood ? 'available' : 'error',
        extraInfo: isGood ? { copy_status: 'finished', ...input.checkpoint.extraInfo } : input.checkpoint.extraInfo,
        resources,
        reason: isGood ? null : (ending.error ?? unwanted),
      };
      const published = await publishEnd(deps, ending, { checkpoint, generation: endGeneration });
      return async (trx) => {
        await deps.checkpoints.upsert([{ checkpoint, generation: endGeneration, published }], trx);
        const stored = Math.max(storedBytes(ending.steps, input.graph), ending.storedBytes);
        await deps.quotas.addStoredBytes(input.projectId, input.providerId, stored, trx);
        await deps.logs.close(
          input.logId,
          {
            status: checkpoint.status,
            endedAt: deps.clock.now(),
            errorInfo: checkpoint.reason,
            extraInfo: { source: input.source.checkpointId, resources: figures(ending.steps, input.graph) },
          },
          trx,
        );
      };
    },
  };

  /** False when somebody has deleted it or set its state meanwhile: then nothing of it is to stay. */
  async function stillCopying(checkpointId: string): Promise<boolean> {
    const entry = await deps.checkpoints.get(checkpointId);
    return entry === undefined || entry.checkpoint.status === 'wait_copying' || entry.checkpoint.status === 'copying';
  }

  /** A copy is whole or nothing: of one that has failed, what was made is taken back. */
  async function endOf(input: CopyInput, node: GraphNode, ending: Ending, isGood: boolean): Promise<CheckpointResource> {
    const { type, id, name } = node;
    const saved = hookOutcome(ending.steps, node.key, 'main')?.value ?? undefined;
    if (isGood) return { type, id, name, status: 'available', reason: '', ...(saved !== undefined && { saved }) };
    const reason = failureOf(ending.steps, node.key) ?? 'Taken back, because another part of the copy failed.';
    const failed: CheckpointResource = { type, id, name, status: 'error', reason };
    try {
      if (saved !== undefined) await abandon(input, node, ending);
      await forgetAll(input, node, deps.providers.get(input.providerId));
      return failed;
    } catch (error) {
      ending.log.warn('What the failed copy left behind is taken back when it is deleted.', {
        resource: resourceKey(node),
        error: faultText(error),
      });
      return { ...failed, ...(saved !== undefined && { saved }) };
    }
  }

  async function abandon(input: CopyInput, node: GraphNode, ending: Ending): Promise<void> {
    const main = findMain(ending.steps, node.key);
    const call = await copyCall(input, node, {
      ...ending,
      stepId: `${ending.operation.id}/${main?.number}`,
      steps: new Map(ending.steps.map((step) => [step.number, step])),
      report: () => undefined,
    });
    await getCopy(deps.providers.get(input.providerId), node.type).abandon?.(call);
  }
}

const unwanted = 'It was deleted or set to error while it was being copied.';
