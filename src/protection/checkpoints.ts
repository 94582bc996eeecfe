import { Fault } from '../base/faults.ts';
import type { CatalogueEntry } from '../db/checkpoint-store.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint, CheckpointStatus, ShownCheckpoint } from '../model/checkpoint.ts';
import type { CheckpointService } from './contract.ts';
import { lockUnchanged, startDelete } from './delete.ts';
import type { ProtectionDeps } from './deps.ts';
import { checkpointSubject, startProtect } from './protect.ts';
import { startUndelete } from './undelete.ts';
import { getVisible, getVisibleCheckpoint } from './visible.ts';

const resettable: readonly CheckpointStatus[] = ['available', 'error', 'copying', 'wait_copying'];
const dayMs = 86_400_000;

export function createCheckpointService(deps: ProtectionDeps): CheckpointService {
  const show = async (checkpoints: readonly Checkpoint[]): Promise<ShownCheckpoint[]> => {
    const progress = await deps.operations.findProgress(checkpoints.map(({ id }) => checkpointSubject(id)));
    return checkpoints.map((checkpoint) => ({ ...checkpoint, progress: progress.get(checkpointSubject(checkpoint.id)) ?? null }));
  };

  const get = (caller: Caller, providerId: string, id: string) => getVisibleCheckpoint(deps, caller, providerId, id);

  return {
    async create(caller, providerId, planId, extraInfo, id) {
      const plan = getVisible(caller, 'plan', await deps.plans.get(planId));
      if (plan.providerId !== providerId) {
        throw new Fault(
          'invalid',
          'checkpoint.other_provider',
          `Plan ${planId} belongs to provider ${plan.providerId}, not to ${providerId}.`,
        );
      }
      return { ...(await startProtect(deps, caller, plan, extraInfo, id)), progress: null };
    },

    async list(caller, providerId, query) {
      const provider = deps.providers.get(providerId);
      const projectId = query.projectId ?? caller.projectId;
      await deps.catalog.refresh(provider, projectId);
      const { items } = await deps.checkpoints.list({
        ...query,
        providerId,
        ...(query.startDate !== undefined && { from: Date.parse(`${query.startDate}T00:00:00Z`) }),
        ...(query.startDate !== undefined &&
          query.endDate !== undefined && { until: Date.parse(`${query.endDate}T00:00:00Z`) + dayMs }),
      });
      return { items: await show(items) };
    },

    async get(caller, providerId, id) {
      const { checkpoint } = await get(caller, providerId, id);
      const [shown] = await show([checkpoint]);
      return shown ?? { ...checkpoint, progress: null };
    },

    async resetState(caller, providerId, id, state) {
      const entry = await get(caller, providerId, id);
      const { checkpoint } = entry;
      const isCopying = checkpoint.status === 'copying' || checkpoint.status === 'wait_copying';
      // A copy that is not finished cannot be called available; called an error, it is cancelled.
      if (!resettable.includes(checkpoint.status) || (isCopying && state === 'available')) {
        throw new Fault(
          'invalid',
          'checkpoint.not_resettable',
          `Checkpoint ${id} is ${checkpoint.status}; its state cannot be set to ${state} now.`,
        );
      }
      const changed: CatalogueEntry = {
        checkpoint: { ...checkpoint, status: state, reason: state === 'error' ? 'Set by a request.' : null },
        generation: entry.generation + 1,
        published: true,
      };
      await deps.knex.transaction(async (trx) => {
        await lockUnchanged(deps, entry, trx);
        if (isCopying) await deps.operations.cancel(checkpointSubject(id), trx);
        await deps.catalog.publish(deps.providers.get(checkpoint.providerId), changed);
        await deps.checkpoints.upsert([changed], trx);
      });
    },

    async delete(caller, providerId, id) {
      await startDelete(deps, caller, await get(caller, providerId, id));
    },

    async undelete(caller, providerId, id) {
      const entry = await get(caller, providerId, id);
      await startUndelete(deps, caller, entry);
      const [shown] = await show([entry.checkpoint]);
      return shown ?? { ...entry.checkpoint, progress: null };
    },
  };
}
