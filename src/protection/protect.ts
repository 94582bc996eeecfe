import { Fault, faultText, toFault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike, newId } from '../base/ids.ts';
import type { StepRecord } from '../db/operation-store.ts';
import type { Ending, Flow, StepRun } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint, CheckpointResource } from '../model/checkpoint.ts';
import type { Plan, PlanHooks } from '../model/plan.ts';
import type { ResourceRef } from '../model/protectable.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import { buildCall, failureOf, forgetAll, getNode, hookOutcome, type OperationInput, runHook } from './hook-call.ts';
import { listDependents } from './protectables.ts';
import type { OpenProvider } from './provider-registry.ts';
import { overQuota } from './quota-gate.ts';
import { buildResourceGraph, encodeResourceGraph, type ResourceGraph, resourceKey } from './resource-graph.ts';

interface ProtectInput extends OperationInput {
  readonly checkpoint: Checkpoint;
  readonly hooks: PlanHooks | null;
}

export function checkpointSubject(checkpointId: string): string {
  return `checkpoint:${checkpointId}`;
}

/** Builds the graph and the steps, writes them down, and says so to the queue; the work itself is done by a worker. */
export async function startProtect(
  deps: ProtectionDeps,
  caller: Caller,
  plan: Plan,
  extraInfo: Readonly<Record<string, unknown>> | null,
  wantedId?: string,
): Promise<Checkpoint> {
  if (wantedId !== undefined && (await deps.operations.get(wantedId))) throw alreadyMade(wantedId);
  const id = wantedId ?? newId();
  const { provider, graph, checkpoint } = await refuseEarly('checkpoint', async () => {
    const provider = deps.providers.get(plan.providerId);
    const roots: ResourceRef[] = plan.resources.map((resource) => ({ ...resource, extraInfo: resource.extraInfo ?? null }));
    const built = await buildResourceGraph(roots, (parent) => listDependents(deps.protectables, caller, parent));
    for (const node of built) {
      if (!provider.findProtection(node.type)) {
        throw new Fault(
          'invalid',
          'protection.no_plugin',
          `Provider ${provider.info.name} has no plugin for ${resourceKey(node)}.`,
          {
            help: 'Add a protection plugin for this type to the provider file, or take the resource out of the plan.',
          },
        );
      }
    }
    await deps.gate.roomFor(plan.projectId);
    // Opens the repository and asks the bank for something: a bank that is away or a wrong key refuses the request itself.
    await provider.repository(plan.projectId, { create: true });
    await provider.bank.stat(`checkpoints/${provider.info.id}`);
    return { provider, graph: built, checkpoint: newCheckpoint(id, plan, built, extraInfo, deps.clock.now()) };
  });

  // The operation has the checkpoint's id: of two requests for one id the database lets one through.
  const operationId = id;
  const logId = newId();
  const input: ProtectInput = {
    projectId: plan.projectId,
    userId: caller.userId,
    providerId: plan.providerId,
    checkpointId: checkpoint.id,
    graph,
    parameters: plan.parameters,
    logId,
    checkpoint,
    hooks: plan.hooks,
  };
  const steps = drawSteps({
    graph,
    has: (node, hook) => provider.findProtection(node.type)?.protection.protect[hook] !== undefined,
    announce: true,
    pre: plan.hooks?.pre,
    post: plan.hooks?.post,
  });
  await deps.knex.transaction(async (trx) => {
    await deps.gate.takeOne(plan.projectId, 'checkpoints', trx);
    await deps.checkpoints.upsert([{ checkpoint, generation: 0, published: false }], trx);
    await deps.logs.create(
      {
        id: logId,
        projectId: plan.projectId,
        operationType: 'protect',
        checkpointId: checkpoint.id,
        planId: plan.id,
        providerId: plan.providerId,
        restoreId: null,
        scheduledOperationId: scheduledOperationId(extraInfo),
        status: 'protecting',
        startedAt: checkpoint.createdAt,
        endedAt: null,
        errorInfo: null,
        extraInfo: null,
      },
      trx,
    );
    await deps.operations.create(
      { id: operationId, kind: 'protect', subject: checkpointSubject(checkpoint.id), input, steps },
      trx,
    );
    await deps.queue.announce(operationId, trx);
  });
  return checkpoint;
}

function alreadyMade(id: string): Fault {
  return new Fault('conflict', 'checkpoint.exists', `Checkpoint ${id} has been asked for already.`);
}

/** Karbor answers every refusal by the engine with 400 and the reason. */
export async function refuseEarly<T>(what: 'checkpoint' | 'copy', prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    const fault = toFault(error);
    if (fault.kind === 'invalid' || fault.kind === 'over-quota') throw fault;
    throw new Fault('invalid', 'checkpoint.refused', `The ${what} cannot be made: ${fault.message}`, {
      cause: fault,
      ...(fault.help !== undefined && { help: fault.help }),
    });
  }
}

function newCheckpoint(
  id: string,
  plan: Plan,
  graph: ResourceGraph,
  extraInfo: Readonly<Record<string, unknown>> | null,
  now: number,
): Checkpoint {
  return {
    id,
    projectId: plan.projectId,
    providerId: plan.providerId,
    status: 'protecting',
    plan: { id: plan.id, name: plan.name, providerId: plan.providerId, resources: plan.resources },
    resourceGraph: encodeResourceGraph(graph),
    extraInfo: { created_by: 'manual', ...extraInfo },
    createdAt: now,
    resources: graph.map(({ type, id, name }) => ({ type, id, name, status: 'protecting', reason: '' })),
    reason: null,
  };
}

function scheduledOperationId(extraInfo: Readonly<Record<string, unknown>> | null): string | null {
  const id = extraInfo?.['scheduled_operation_id'];
  return typeof id === 'string' && isUuidLike(id) ? canonicalUuid(id) : null;
}

export function createProtectFlow(deps: ProtectionDeps): Flow {
  const runStep = async (step: StepRecord, run: StepRun): ReturnType<Flow['runStep']> => {
    const input = run.operation.input as ProtectInput;
    const what = step.input as StepInput;
    const provider = deps.providers.get(input.providerId);
    switch (what.do) {
      case 'announce':
        await deps.catalog.publish(provider, { checkpoint: input.checkpoint, generation: 0 });
        return undefined;
      case 'command':
        // Nothing to undo when what comes before it was never begun.
        if (what.phase === 'post' && input.hooks?.pre !== undefined && !wasBegun(run.steps.values(), 'pre')) return undefined;
        await deps.commands.run(what.name, {
          operationId: run.operation.id,
          checkpointId: input.checkpointId,
          planId: input.checkpoint.plan.id,
          phase: what.phase,
          signal: run.signal,
          log: run.log,
        });
        return undefined;
      case 'hook': {
        const node = getNode(input.graph, what.node);
        const hooks = getProtection(provider, node.type).protect;
        const limited = withinRoom(run, await deps.gate.roomFor(input.projectId));
        return { ...(await runHook(hooks, what.hook, await buildCall(input, node, provider, limited), deps.clock)) };
      }
    }
  };

  const finish = async (ending: Ending): ReturnType<Flow['finish']> => {
    const input = ending.operation.input as ProtectInput;
    const resources = input.graph.map((node): CheckpointResource => {
      const reason = failureOf(ending.steps, node.key);
      const saved = hookOutcome(ending.steps, node.key, 'main')?.value;
      return {
        type: node.type,
        id: node.id,
        name: node.name,
        status: reason === undefined ? 'available' : 'error',
        reason: reason ?? '',
        ...(saved != null && { saved }),
      };
    });
    const status = ending.state === 'succeeded' ? 'available' : 'error';
    const checkpoint: Checkpoint = { ...input.checkpoint, status, resources, reason: ending.error };
    if (status === 'error') await forgetUnnamed(deps, ending, resources);
    const published = await publishEnd(deps, ending, { checkpoint, generation: 1 });
    // What a step that failed has stored is in the bank too, though no saved info says so.
    const stored = Math.max(storedBytes(ending.steps, input.graph), ending.storedBytes);
    return async (trx) => {
      await deps.checkpoints.upsert([{ checkpoint, generation: 1, published }], trx);
      await deps.quotas.addStoredBytes(input.projectId, input.providerId, stored, trx);
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
  };

  return { kind: 'protect', runStep, finish };
}

/** Of resources that have saved nothing. Where the bank is away it is made good when the checkpoint is deleted. */
async function forgetUnnamed(deps: ProtectionDeps, ending: Ending, resources: readonly CheckpointResource[]): Promise<void> {
  const input = ending.operation.input as ProtectInput;
  await ending.checkHeld();
  for (const [at, node] of input.graph.entries()) {
    if (resources[at]?.saved !== undefined) continue;
    try {
      await forgetAll(input, node, deps.providers.get(input.providerId));
    } catch (error) {
      ending.log.warn('What the failed protect may have left behind goes when its checkpoint is deleted.', {
        resource: resourceKey(node),
        error: faultText(error),
      });
    }
  }
}

/** Stops the step as soon as it has put more into the bank than the project's quota has room for. */
export function withinRoom(run: StepRun, room: number): StepRun {
  if (room === Number.POSITIVE_INFINITY) return run;
  const full = new AbortController();
  return {
    ...run,
    signal: AbortSignal.any([run.signal, full.signal]),
    report(progress) {
      run.report(progress);
      if (progress.storedBytes > room) full.abort(overQuota('stored_bytes', noRoom, room));
    },
  };
}

const noRoom = 'The project may have no more bytes in the banks; what was stored so far goes with the next garbage collection.';

export function getProtection(provider: OpenProvider, type: string) {
  const found = provider.findProtection(type);
  if (found) return found.protection;
  throw new Fault('invalid', 'protection.no_plugin', `Provider ${provider.info.name} has no plugin for ${type}.`, {
    help: 'Put the plugin back into the provider file; the operation goes on with the next start of the service.',
  });
}

/**
 * Tells the bank how an operation on a checkpoint ended, and whether it heard. A good end must be heard: the operation is
 * finished again until the bank is back. A bad end is kept here and told to the bank later, for the caller should see it now;
 * also that of an operation whose provider is gone from this service.
 */
export async function publishEnd(
  deps: ProtectionDeps,
  ending: Ending,
  entry: { checkpoint: Checkpoint; generation: number },
): Promise<boolean> {
  await ending.checkHeld();
  try {
    await deps.catalog.publish(deps.providers.get(entry.checkpoint.providerId), entry);
    return true;
  } catch (error) {
    if (ending.state === 'succeeded') throw error;
    ending.log.warn('The bank could not be told of the failure; it will be told when it is back.', { error: faultText(error) });
    return false;
  }
}

function wasBegun(steps: Iterable<StepRecord>, phase: 'pre' | 'post'): boolean {
  for (const step of steps) {
    const input = step.input as StepInput;
    if (input.do === 'command' && input.phase === phase) return step.attempts > 0;
  }
  return false;
}

export function storedBytes(steps: readonly StepRecord[], graph: ResourceGraph): number {
  const stored = figures(steps, graph).map(({ stored_bytes: bytes }) => (typeof bytes === 'number' ? bytes : 0));
  return stored.reduce((sum, bytes) => sum + bytes, 0);
}

/** Members of a hook's outcome that say how much was moved or read; a plugin may have any of them. */
const figureNames = [
  'size_bytes',
  'stored_bytes',
  'reused_bytes',
  'files',
  'digest',
  'warnings',
  'percent',
  'read_bytes',
  'damages',
] as const;

/** What the operation log keeps of each resource: sizes, time, warnings. */
export function figures(steps: readonly StepRecord[], graph: ResourceGraph): Record<string, unknown>[] {
  return graph.map((node) => {
    const main = hookOutcome(steps, node.key, 'main');
    const value = main?.value;
    const members = value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
    return {
      type: node.type,
      id: node.id,
      name: node.name,
      seconds: main?.seconds ?? null,
      ...Object.fromEntries(figureNames.filter((name) => name in members).map((name) => [name, members[name]])),
    };
  });
}
