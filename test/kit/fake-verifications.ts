import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { PageQuery } from '../../src/model/page.ts';
import type { ShownVerification } from '../../src/model/verification.ts';
import type { VerificationService } from '../../src/protection/contract.ts';

/** In memory; one of a checkpoint that is there stays in progress for ever. */
export function createFakeVerifications(
  checkpoints: readonly ShownCheckpoint[],
  seen: { page?: PageQuery },
): VerificationService & { reset(): void } {
  const all: ShownVerification[] = [];
  const isVisible = (caller: Caller, { projectId }: { projectId: string }) => caller.isAdmin || projectId === caller.projectId;
  return {
    async create(caller, wanted) {
      const checkpoint = checkpoints.find(({ id }) => id === wanted.checkpointId);
      if (checkpoint !== undefined && !isVisible(caller, checkpoint))
        throw new Fault('forbidden', 'checkpoint.foreign', `Checkpoint ${checkpoint.id} belongs to another project.`);
      const created: ShownVerification = {
        ...wanted,
        id: newId(),
        projectId: caller.projectId,
        status: checkpoint === undefined ? 'fail' : 'in_progress',
        resourcesStatus: {},
        resourcesReason: {},
        resources: [],
        createdAt: all.length,
        progress: null,
      };
      all.push(created);
      return created;
    },
    async list(_caller, query) {
      seen.page = query;
      const mine = all.filter(({ projectId }) => query.projectId === undefined || projectId === query.projectId);
      return { items: mine.toReversed().slice(0, query.limit) };
    },
    async get(caller, id) {
      const found = all.find((one) => one.id === id && isVisible(caller, one));
      if (found) return found;
      throw new Fault('not-found', 'verification.unknown', `Verification ${id} could not be found.`);
    },
    reset: () => void all.splice(0),
  };
}
