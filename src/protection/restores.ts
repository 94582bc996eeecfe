import type { Restore, ShownRestore } from '../model/restore.ts';
import type { RestoreService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { restoreSubject, startRestore } from './restore.ts';
import { getVisible } from './visible.ts';

export function createRestoreService(deps: ProtectionDeps): RestoreService {
  const show = async (restores: readonly Restore[]): Promise<ShownRestore[]> => {
    const progress = await deps.operations.findProgress(restores.map(({ id }) => restoreSubject(id)));
    return restores.map((restore) => ({ ...restore, progress: progress.get(restoreSubject(restore.id)) ?? null }));
  };

  return {
    async create(caller, restore) {
      return { ...(await startRestore(deps, caller, restore)), progress: null };
    },
    async list(_caller, query) {
      return { items: await show((await deps.restores.list(query)).items) };
    },
    async get(caller, id) {
      const restore = getVisible(caller, 'restore', await deps.restores.get(id));
      const [shown] = await show([restore]);
      return shown ?? { ...restore, progress: null };
    },
  };
}
