import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Fault, faultText, isFault } from '../base/faults.ts';
import { createLimit } from '../base/limit.ts';
import type { Log } from '../base/log.ts';
import type { CatalogueEntry, CheckpointStore } from '../db/checkpoint-store.ts';
import type { Checkpoint, CheckpointStatus } from '../model/checkpoint.ts';
import { type CheckpointKey, checkpointKey, checkpointsPrefix, laterOf, parseCheckpointKey } from './bank-layout.ts';
import type { OpenProvider } from './provider-registry.ts';

/** A list asked for again within this time is answered from the database alone. */
const freshMs = 1000;
const endStatuses: readonly CheckpointStatus[] = ['available', 'error', 'deleted', 'error-deleting'];
const maxEntryBytes = 64 * 1024 * 1024;

/**
 * Keeps the database's catalogue equal to what the bank says. The bank is the truth: it may hold checkpoints that another
 * cloud made, and outlives every database.
 */
export interface CheckpointCatalog {
  /** Writes a checkpoint's new state into the bank. Only then may the database say so too. */
  publish(provider: OpenProvider, entry: Pick<CatalogueEntry, 'checkpoint' | 'generation'>): Promise<void>;
  /** Takes over what the bank knows and the catalogue does not. */
  refresh(provider: OpenProvider, projectId: string): Promise<void>;
  /** One checkpoint, whoever's; looked for in the bank when the catalogue does not have it. */
  find(provider: OpenProvider, checkpointId: string): Promise<CatalogueEntry | undefined>;
}

export function createCheckpointCatalog(options: { store: CheckpointStore; clock: Clock; log: Log }): CheckpointCatalog {
  const { store, clock, log } = options;
  const refreshedAt = new Map<string, number>();

  const read = async (provider: OpenProvider, key: CheckpointKey): Promise<CatalogueEntry> => {
    const repository = await provider.repository(key.projectId, { create: false });
    const plain = repository.openDocument('checkpoint', key.key, await provider.bank.get(key.key, { maxBytes: maxEntryBytes }));
    const { format, ...checkpoint } = JSON.parse(plain.toString('utf8')) as Checkpoint & { format: number };
    if (format !== 1) {
      throw new Fault('unsupported', 'protection.newer_checkpoint', `Checkpoint ${key.checkpointId} was written by a newer Karri (format ${format}).`, {
        help: 'Update this service.',
      });
    }
    return { checkpoint, generation: key.generation, published: true };
  };

  const publish = async (provider: OpenProvider, { checkpoint, generation }: Pick<CatalogueEntry, 'checkpoint' | 'generation'>): Promise<void> => {
    const key = checkpointKey(
      checkpoint.providerId,
      {
        projectId: checkpoint.projectId,
        planId: checkpoint.plan.id,
        checkpointId: checkpoint.id,
        createdAt: checkpoint.createdAt,
        generation,
        status: checkpoint.status,
      },
      randomBytes(4).toString('hex'),
    );
    const repository = await provider.repository(checkpoint.projectId, { create: true });
    const plain = Buffer.from(JSON.stringify({ format: 1, ...checkpoint }));
    await provider.bank.put(key, repository.sealDocument('checkpoint', key, plain));
  };

  /** The newest word about every checkpoint below a prefix. */
  const listNewest = async (provider: OpenProvider, prefix: string): Promise<Map<string, CheckpointKey>> => {
    const newest = new Map<string, CheckpointKey>();
    for await (const { key } of provider.bank.list(prefix)) {
      const parsed = parseCheckpointKey(key);
      if (!parsed) continue;
      const known = newest.get(parsed.checkpointId);
      newest.set(parsed.checkpointId, known ? laterOf(known, parsed) : parsed);
    }
    return newest;
  };

  const takeOver = async (provider: OpenProvider, keys: readonly CheckpointKey[]): Promise<void> => {
    const limit = createLimit(8);
    const entries = await Promise.all(
      keys.map((key) =>
        limit(async () => {
          try {
            return await read(provider, key);
          } catch (error) {
            // One damaged entry must not hide all the others; it is named in the log and stays as the catalogue had it.
            if (!(error instanceof Fault) || (error.kind !== 'corrupt' && error.kind !== 'unsupported' && error.code !== 'storage.missing')) throw error;
            log.error('A checkpoint of the bank cannot be read.', { checkpoint: key.checkpointId, key: key.key, error: faultText(error) });
            return undefined;
          }
        }),
      ),
    );
    await store.upsert(entries.filter((entry) => entry !== undefined));
  };

  return {
    publish,

    async refresh(provider, projectId) {
      const scope = `${provider.info.id}/${projectId}`;
      const last = refreshedAt.get(scope);
      if (last !== undefined && clock.monotonic() - last < freshMs) return;
      const newest = await listNewest(provider, checkpointsPrefix(provider.info.id, projectId));
      const known = await store.listGenerations(provider.info.id, projectId);

      const changed = [...newest.values()].filter((key) => (known.get(key.checkpointId)?.generation ?? -1) < key.generation);
      if (changed.length > 0) await takeOver(provider, changed);

      // States that could not be told to the bank when they came about (it was away) are told now.
      for (const [id, { published }] of known) {
        if (published) continue;
        const entry = await store.get(id);
        if (!entry || !endStatuses.includes(entry.checkpoint.status)) continue;
        await publish(provider, entry);
        await store.upsert([{ ...entry, published: true }]);
      }
      const gone = [...known].filter(([id, { published }]) => published && !newest.has(id)).map(([id]) => id);
      if (gone.length > 0) await store.remove(gone);
      refreshedAt.set(scope, clock.monotonic());
    },

    async find(provider, checkpointId) {
      const known = await store.get(checkpointId);
      if (known) return known;
      const newest = (await listNewest(provider, checkpointsPrefix(provider.info.id))).get(checkpointId);
      if (!newest) return undefined;
      try {
        await takeOver(provider, [newest]);
      } catch (error) {
        // A repository that is sealed with another provider's key is somebody else's: as good as not there.
        if (!isFault(error, 'repository.wrong_key')) throw error;
      }
      return store.get(checkpointId);
    },
  };
}
