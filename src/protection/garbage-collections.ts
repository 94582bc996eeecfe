import type { GarbageCollection, ShownGarbageCollection } from '../model/garbage-collection.ts';
import { listRepositories } from './bank-layout.ts';
import { collectionSubject, startCollection } from './collect.ts';
import type { GarbageCollectionService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';

export function createGarbageCollectionService(deps: ProtectionDeps): GarbageCollectionService {
  const show = async (collections: readonly GarbageCollection[]): Promise<ShownGarbageCollection[]> => {
    const progress = await deps.operations.findProgress(collections.map(({ id }) => collectionSubject(id)));
    return collections.map((one) => ({ ...one, progress: progress.get(collectionSubject(one.id)) ?? null }));
  };

  return {
    async create(providerId, { dryRun }) {
      const { bank } = deps.providers.get(providerId);
      const projectIds = await listRepositories(bank);
      const made = await deps.knex.transaction((trx) => startCollection(deps, { providerId, projectIds, dryRun }, trx));
      return { ...made, progress: null };
    },
    async list(providerId, query) {
      deps.providers.get(providerId);
      return { items: await show((await deps.garbageCollections.list(providerId, query)).items) };
    },
    async get(providerId, id) {
      deps.providers.get(providerId);
      const collection = await deps.garbageCollections.get(providerId, id);
      const [shown] = await show([collection]);
      return shown ?? { ...collection, progress: null };
    },
  };
}
