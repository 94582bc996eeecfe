import type { Knex } from 'knex';
import { isoTime } from '../base/clock.ts';
import { faultText, isFault } from '../base/faults.ts';
import { newId, uuidV5 } from '../base/ids.ts';
import type { StepRecord } from '../db/operation-store.ts';
import type { Flow } from '../jobs/flow.ts';
import type { CollectedRepository, GarbageCollection, PackAmount } from '../model/garbage-collection.ts';
import type { GcPlan, Repository } from '../repository/contract.ts';
import { listRepositories } from './bank-layout.ts';
import type { ProtectionDeps } from './deps.ts';
import type { OperationInput } from './hook-call.ts';
import type { OpenProvider } from './provider-registry.ts';

/** One step for each repository. */
interface CollectInput {
  readonly collectionId: string;
  readonly providerId: string;
  readonly projectIds: readonly string[];
  readonly dryRun: boolean;
}

const none: PackAmount = { packs: 0, bytes: 0 };
const maxReason = 2000;

export function collectionSubject(id: string): string {
  return `gc:${id}`;
}

/**
 * Writes a garbage collection down and queues it; whoever wants one at set times calls this too. A step that is repeated after a crash is one generation
 * more, which harms nothing.
 */
export async function startCollection(
  deps: ProtectionDeps,
  wanted: { readonly providerId: string; readonly projectIds: readonly string[]; readonly dryRun: boolean; readonly id?: string },
  trx: Knex.Transaction,
): Promise<GarbageCollection> {
  const { providerId, projectIds, dryRun } = wanted;
  const record: GarbageCollection = {
    id: wanted.id ?? newId(),
    providerId,
    dryRun,
    status: 'in_progress',
    repositories: [],
    createdAt: deps.clock.now(),
    endedAt: null,
  };
  const input: CollectInput = { collectionId: record.id, providerId, projectIds, dryRun };
  const operationId = newId();
  const steps = projectIds.map((projectId, number) => ({
    number,
    name: `collect ${projectId}`,
    input: { projectId },
    // One after the other: each reads the maps of all snapshots of its project.
    after: number === 0 ? [] : [number - 1],
    always: true,
  }));
  await deps.garbageCollections.create(record, trx);
  await deps.operations.create({ id: operationId, kind: 'collect', subject: collectionSubject(record.id), input, steps }, trx);
  await deps.queue.announce(operationId, trx);
  return record;
}

/** After a deletion, once for all that are under way in the repository: the last of them sees no other. Part of the transaction that ends it. */
export async function collectAfterDelete(
  deps: ProtectionDeps,
  { providerId, projectId }: { readonly providerId: string; readonly projectId: string },
  trx: Knex.Transaction,
): Promise<void> {
  // Of two that end at once the later sees that the other has ended.
  await deps.quotas.hold(`gc ${providerId} ${projectId}`, trx);
  const deletions = (await deps.operations.listOpen('delete', trx)).map(({ input }) => input as OperationInput);
  if (deletions.some((input) => input.providerId === providerId && input.projectId === projectId)) return;
  if (await isQueued(deps, providerId, projectId, trx)) return;
  await startCollection(deps, { providerId, projectIds: [projectId], dryRun: false }, trx);
}

/**
 * Goes on with what garbage collections and deletions have begun, in banks in which nobody deletes any more: one collection a day (UTC) of each repository
 * that has something on its way out, however many schedulers ask. A bank that cannot be asked is asked again next time, and holds up no other.
 */
export async function collectIdle(deps: ProtectionDeps): Promise<void> {
  const day = isoTime(deps.clock.now()).slice(0, 10);
  for (const provider of deps.providers.list()) {
    const providerId = provider.info.id;
    try {
      for (const projectId of await listRepositories(provider.bank)) {
        const id = uuidV5(providerId, `${day} ${projectId}`);
        if ((await deps.garbageCollections.has(id)) || !(await hasGarbage(provider, projectId))) continue;
        await deps.knex.transaction(async (trx) => {
          await deps.quotas.hold(`gc ${providerId} ${projectId}`, trx);
          if ((await deps.garbageCollections.has(id, trx)) || (await isQueued(deps, providerId, projectId, trx))) return;
          await startCollection(deps, { id, providerId, projectIds: [projectId], dryRun: false }, trx);
        });
      }
    } catch (error) {
      deps.log.warn('A bank could not be asked whether garbage is left in it.', {
        provider: provider.info.name,
        error: faultText(error),
      });
    }
  }
}

async function hasGarbage(provider: OpenProvider, projectId: string): Promise<boolean> {
  try {
    return await (await provider.repository(projectId, { create: false })).hasGarbage();
  } catch (error) {
    // Another provider's, in a bank that several share; or one whose keys were destroyed on purpose.
    if (isFault(error, 'repository.wrong_key') || isFault(error, 'repository.destroyed')) return false;
    throw error;
  }
}

async function isQueued(deps: ProtectionDeps, providerId: string, projectId: string, trx: Knex.Transaction): Promise<boolean> {
  const queued = (await deps.operations.listOpen('collect', trx)).filter(({ state }) => state === 'queued');
  return queued.some(({ input }) => {
    const { providerId: provider, projectIds, dryRun } = input as CollectInput;
    return provider === providerId && projectIds.includes(projectId) && !dryRun;
  });
}

export function createCollectFlow(deps: ProtectionDeps): Flow {
  return {
    kind: 'collect',

    async runStep(step, run) {
      const input = run.operation.input as CollectInput;
      const { projectId } = step.input as { projectId: string };
      let repository: Repository;
      try {
        repository = await deps.providers.get(input.providerId).repository(projectId, { create: false });
      } catch (error) {
        // Another provider's, in a bank that several share.
        if (isFault(error, 'repository.wrong_key')) return { ...skipped(projectId, faultText(error)) };
        throw error;
      }
      const plan = await repository.planGc({ signal: run.signal });
      if (!input.dryRun) await repository.runGc(plan, { signal: run.signal });
      return { ...toCollected(projectId, plan) };
    },

    async finish(ending) {
      const input = ending.operation.input as CollectInput;
      const repositories = ending.steps.map((step) => collectedBy(step));
      const status = ending.state === 'succeeded' ? 'success' : 'fail';
      return async (trx) => {
        for (const { projectId, generation, ...amounts } of repositories) {
          if (generation === null) continue;
          const { deleted, condemned, quarantined, suspects, kept } = amounts;
          const left = [condemned, quarantined, suspects, kept, ...(input.dryRun ? [deleted] : [])];
          const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
          await deps.quotas.setStoredBytes(projectId, input.providerId, bytes, trx);
        }
        await deps.garbageCollections.end(input.collectionId, { status, repositories, endedAt: deps.clock.now() }, trx);
      };
    },
  };
}

function toCollected(projectId: string, plan: GcPlan): CollectedRepository {
  return {
    projectId,
    reason: '',
    generation: plan.generation,
    deleted: plan.deletes,
    condemned: plan.deletesNext,
    quarantined: plan.quarantined,
    suspects: plan.suspects,
    kept: plan.keeps,
  };
}

function skipped(projectId: string, reason: string): CollectedRepository {
  const amounts = { deleted: none, condemned: none, quarantined: none, suspects: none, kept: none };
  return { projectId, reason: reason.slice(0, maxReason), generation: null, ...amounts };
}

function collectedBy({ input, outcome, error }: StepRecord): CollectedRepository {
  const { projectId } = input as { projectId: string };
  return (outcome as CollectedRepository | null) ?? skipped(projectId, error ?? 'It was not looked at.');
}
