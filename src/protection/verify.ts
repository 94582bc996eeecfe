import { Fault, faultText } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { StepRecord } from '../db/operation-store.ts';
import type { Flow } from '../jobs/flow.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Verification, VerifiedResource } from '../model/verification.ts';
import type { VerifyCall, VerifyReport } from '../plugin/protection.ts';
import type { NewVerification } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { drawSteps, type StepInput } from './draw-steps.ts';
import { buildCall, failureOf, getNode, type HookOutcome, hookOutcome, type OperationInput, runHook } from './hook-call.ts';
import { checkParameters } from './parameters.ts';
import { figures, getProtection } from './protect.ts';
import type { OpenProvider } from './provider-registry.ts';
import { decodeResourceGraph, type GraphNode, type ResourceGraph, resourceKey } from './resource-graph.ts';
import { getSaved, type SavedInfos, savedOf } from './saved.ts';
import { getVisibleCheckpoint } from './visible.ts';

interface VerifyInput extends OperationInput {
  readonly verificationId: string;
  readonly saved: SavedInfos;
}

interface VerifyOutcome extends HookOutcome {
  readonly checkedAt: number;
}

/** What a record says of one resource, in characters; all damages are counted and the first are listed beside it. */
const maxReason = 2000;

export function verificationSubject(verificationId: string): string {
  return `verification:${verificationId}`;
}

/** Records the verification and queues it. As with a restore, what the engine refuses becomes a record with status `fail` that says why. */
export async function startVerification(deps: ProtectionDeps, caller: Caller, wanted: NewVerification): Promise<Verification> {
  const record: Verification = {
    ...wanted,
    id: newId(),
    projectId: caller.projectId,
    status: 'in_progress',
    resourcesStatus: {},
    resourcesReason: {},
    resources: [],
    createdAt: deps.clock.now(),
  };
  let planned: { provider: OpenProvider; checkpoint: Checkpoint; graph: ResourceGraph };
  try {
    planned = await planVerification(deps, caller, wanted);
  } catch (error) {
    const key = `Checkpoint#${wanted.checkpointId}`;
    const failed: Verification = {
      ...record,
      status: 'fail',
      resourcesStatus: { [key]: 'error' },
      resourcesReason: { [key]: faultText(error).slice(0, maxReason) },
    };
    await deps.verifications.create(failed);
    if (error instanceof Fault && error.kind === 'forbidden') throw error;
    return failed;
  }

  const { provider, checkpoint, graph } = planned;
  const logId = newId();
  const operationId = newId();
  const input: VerifyInput = {
    projectId: checkpoint.projectId,
    userId: caller.userId,
    providerId: checkpoint.providerId,
    checkpointId: checkpoint.id,
    graph,
    parameters: wanted.parameters,
    logId,
    verificationId: record.id,
    saved: savedOf(checkpoint),
  };
  const steps = drawSteps({ graph, has: (node, hook) => getVerify(provider, node.type)[hook] !== undefined, announce: false });
  await deps.knex.transaction(async (trx) => {
    await deps.verifications.create(record, trx);
    await deps.logs.create(
      {
        id: logId,
        projectId: caller.projectId,
        operationType: 'verify',
        checkpointId: checkpoint.id,
        planId: null,
        providerId: wanted.providerId,
        restoreId: null,
        scheduledOperationId: null,
        status: 'in_progress',
        startedAt: record.createdAt,
        endedAt: null,
        errorInfo: null,
        extraInfo: { verification_id: record.id },
      },
      trx,
    );
    const subject = verificationSubject(record.id);
    await deps.operations.create({ id: operationId, kind: 'verify', subject, input, steps }, trx);
    await deps.queue.announce(operationId, trx);
  });
  return record;
}

async function planVerification(deps: ProtectionDeps, caller: Caller, wanted: NewVerification) {
  const { checkpoint } = await getVisibleCheckpoint(deps, caller, wanted.providerId, wanted.checkpointId);
  if (checkpoint.status !== 'available') {
    throw new Fault(
      'invalid',
      'checkpoint.not_verifiable',
      `Checkpoint ${checkpoint.id} is ${checkpoint.status}; only an available one can be verified.`,
    );
  }
  const provider = deps.providers.get(checkpoint.providerId);
  checkParameters(provider, wanted.parameters, 'verify');
  const graph = decodeResourceGraph(checkpoint.resourceGraph ?? '');
  for (const node of graph) getVerify(provider, node.type);
  return { provider, checkpoint, graph };
}

function getVerify(provider: OpenProvider, type: string) {
  const { verify } = getProtection(provider, type);
  if (verify) return verify;
  throw new Fault('unsupported', 'verify.unsupported', `What a checkpoint holds of a ${type} cannot be verified.`, {
    help: 'Its protection plugin offers no verification; restore it under another name instead.',
  });
}

export function createVerifyFlow(deps: ProtectionDeps): Flow {
  return {
    kind: 'verify',

    async runStep(step, run) {
      const input = run.operation.input as VerifyInput;
      const what = step.input as StepInput;
      if (what.do !== 'hook') throw new Fault('internal', 'verify.bad_step', `A verification has no step ${step.name}.`);
      const node = getNode(input.graph, what.node);
      const provider = deps.providers.get(input.providerId);
      const call: VerifyCall = {
        ...(await buildCall(input, node, provider, run)),
        saved: getSaved(input.saved, input.checkpointId, node),
      };
      const outcome = await runHook(getVerify(provider, node.type), what.hook, call, deps.clock);
      return { ...outcome, checkedAt: deps.clock.now() };
    },

    async finish(ending) {
      const input = ending.operation.input as VerifyInput;
      const found = input.graph.map((node) => toVerified(ending.steps, node));
      const status = found.every(({ resource }) => resource.outcome === 'sound') ? 'success' : 'fail';
      const error = found.find(({ reason }) => reason !== '')?.reason ?? ending.error;
      const by = <T>(pick: (one: (typeof found)[number]) => T): Record<string, T> =>
        Object.fromEntries(found.map((one) => [resourceKey(one.resource), pick(one)]));
      return async (trx) => {
        await deps.verifications.end(
          input.verificationId,
          {
            status,
            resourcesStatus: by(({ resource }) => (resource.outcome === 'sound' ? 'available' : 'error')),
            resourcesReason: by(({ reason }) => reason),
            resources: found.map(({ resource }) => resource),
          },
          trx,
        );
        const extraInfo = { verification_id: input.verificationId, resources: figures(ending.steps, input.graph) };
        await deps.logs.close(input.logId, { status, endedAt: deps.clock.now(), errorInfo: error, extraInfo }, trx);
      };
    },
  };
}

/** What is known of a resource when all is over; the reason is empty when it is sound. */
function toVerified(
  steps: readonly StepRecord[],
  { key, type, id, name }: GraphNode,
): { resource: VerifiedResource; reason: string } {
  const failure = failureOf(steps, key);
  const main = hookOutcome(steps, key, 'main') as VerifyOutcome | undefined;
  const report = (main?.value ?? null) as VerifyReport | null;
  const damageCount = report?.damage_count ?? 0;
  const damaged = damageCount > 0 ? `${damageCount} damages: ${report?.damages.join(' ')}` : '';
  return {
    resource: {
      type,
      id,
      name,
      outcome: failure !== undefined ? 'failed' : damageCount > 0 ? 'damaged' : 'sound',
      percent: report?.percent ?? null,
      readBytes: report?.read_bytes ?? null,
      digest: report?.digest ?? null,
      damages: report?.damages ?? [],
      damageCount,
      checkedAt: main?.checkedAt ?? null,
    },
    reason: (failure ?? damaged).slice(0, maxReason),
  };
}
