import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { ShownGarbageCollection } from '../../src/model/garbage-collection.ts';
import type { GarbageCollectionService } from '../../src/protection/contract.ts';

/** In memory; they never end. */
export function createFakeCollections(getProvider: (id: string) => unknown): GarbageCollectionService {
  const all: ShownGarbageCollection[] = [];
  return {
    async create(providerId, { dryRun }) {
      getProvider(providerId);
      const status = 'in_progress';
      const made = {
        id: newId(),
        providerId,
        dryRun,
        status,
        repositories: [],
        createdAt: 0,
        endedAt: null,
        progress: null,
      } as const;
      all.push(made);
      return made;
    },
    async list(providerId, { limit }) {
      getProvider(providerId);
      return { items: all.filter((one) => one.providerId === providerId).slice(0, limit) };
    },
    async get(providerId, id) {
      getProvider(providerId);
      const found = all.find((one) => one.id === id && one.providerId === providerId);
      if (found) return found;
      throw new Fault('not-found', 'gc.unknown', `Garbage collection ${id} could not be found.`);
    },
  };
}
