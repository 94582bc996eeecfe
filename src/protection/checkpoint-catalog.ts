import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Fault, faultText, isFault, toFault } from '../base/faults.ts';
import { createLimit } from '../base/limit.ts';
import type { Log } from '../base/log.ts';
import type { CatalogueEntry, CheckpointStore } from '../db/checkpoint-store.ts';
import { type Checkpoint, type CheckpointStatus, compareWords } from '../model/checkpoint.ts';
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
  /**
   * One checkpoint, whoever's; asked for by a member of the project. While the bank is away the catalogue alone answers.
   * @throws {Fault} not-found `checkpoint.unknown`
   */
  get(provider: OpenProvider, projectId: string, checkpointId: string): Promise<CatalogueEntry>;
  /** The checkpoint as the bank has it from before its deletion; undefined when it was never whole, nor failed in parts. */
  findWhole(provider: OpenProvider, checkpoint: Checkpoint): Promise<Checkpoint | undefined>;
  /** Tells the banks every end that they were away for. One that is away still is asked again the next time. */
  tellAllLate(findProvider: (id: string) => OpenProvider | undefined): Promise<void>;
}

export function createCheckpointCatalog(options: { store: CheckpointStore; clock: Clock; log: Log }): CheckpointCatalog {
  const { store, clock, log } = options;
  const refreshedAt = new Map<string, number>();

  const read = async (provider: OpenProvider, key: CheckpointKey): Promise<CatalogueEntry> => {
    const repository = await provider.repository(key.projectId, { create: false });
    const plain = repository.openDocument('checkpoint', key.key, await provider.bank.get(key.key, { maxBytes: maxEntryBytes }));
    const { format, ...checkpoint } = JSON.parse(plain.toString('utf8')) as Checkpoint & { format: number };
    if (format !== 1) {
      throw new Fault(
        'unsupported',
        'protection.newer_checkpoint',
        `Checkpoint ${key.checkpointId} was written by a newer Karri (format ${format}).`,
        { help: 'Update this service.' },
      );
    }
    return { checkpoint, generation: key.generation, published: true };
  };

  const publish: CheckpointCatalog['publish'] = async (provider, { checkpoint, generation }) => {
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
    const repository = await provider.repository(checkpoint.projectId, { create: false });
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
        limit(() =>
          read(provider, key).catch((error: unknown) => {
            // One damaged entry must not hide all the others; it is named in the log and stays as the catalogue had it.
            const fault = toFault(error);
            if (fault.kind !== 'corrupt' && fault.kind !== 'unsupported' && fault.code !== 'storage.missing') throw error;
            log.error('A checkpoint of the bank cannot be read.', {
              checkpoint: key.checkpointId,
              key: key.key,
              error: faultText(error),
            });
            return undefined;
          }),
        ),
      ),
    );
    await store.upsert(entries.filter((entry) => entry !== undefined));
  };

  /** States that could not be told to the bank when they came about, because it was away, are told now. */
  const tellLate = async (provider: OpenProvider, checkpointId: string): Promise<void> => {
    const entry = await store.get(checkpointId);
    if (!entry || entry.published || !endStatuses.includes(entry.checkpoint.status)) return;
    try {
      await publish(provider, entry);
    } catch (error) {
      // Whoever asked for something else (a list) is not to suffer for it.
      log.warn('The bank could still not be told of a state.', { checkpoint: checkpointId, error: faultText(error) });
      return;
    }
    await store.upsert([{ ...entry, published: true }]);
  };

  const refresh: CheckpointCatalog['refresh'] = async (provider, projectId) => {
    const scope = `${provider.info.id}/${projectId}`;
    const last = refreshedAt.get(scope);
    if (last !== undefined && clock.monotonic() - last < freshMs) return;
    // Asked before the bank is: what it has as published by now must be in the listing, or is gone from the bank.
    const known = await store.listWords(provider.info.id, projectId);
    const newest = await listNewest(provider, checkpointsPrefix(provider.info.id, projectId));

    const changed = [...newest].filter(([id, key]) => {
      const word = known.get(id);
      return word === undefined || compareWords(key, word) > 0;
    });
    await takeOver(
      provider,
      changed.map(([, key]) => key),
    );
    for (const [id, { published }] of known) if (!published) await tellLate(provider, id);
    await store.remove([...known].filter(([id, { published }]) => published && !newest.has(id)).map(([id]) => id));
    refreshedAt.set(scope, clock.monotonic());
  };

  return {
    publish,
    refresh,

    async get(provider, projectId, checkpointId) {
      await refresh(provider, projectId).catch((error: unknown) => {
        const { kind } = toFault(error);
        // What the catalogue does not know either is asked of the bank below, which then says itself that it is away.
        if (kind !== 'unavailable' && kind !== 'timeout') throw error;
      });
      const known = await store.get(checkpointId);
      if (known) return known;
      const newest = (await listNewest(provider, checkpointsPrefix(provider.info.id))).get(checkpointId);
      if (!newest) throw unknownCheckpoint(checkpointId);
      const entry = await read(provider, newest).catch((error: unknown) => {
        // A repository that is sealed with another provider's key is somebody else's: as good as not there.
        throw isFault(error, 'repository.wrong_key') ? unknownCheckpoint(checkpointId) : error;
      });
      await store.upsert([entry]);
      return entry;
    },

    async findWhole(provider, { projectId, plan, id }) {
      let newest: CheckpointKey | undefined;
      for await (const { key } of provider.bank.list(`${checkpointsPrefix(provider.info.id, projectId)}${plan.id}/`)) {
        const parsed = parseCheckpointKey(key);
        if (parsed?.checkpointId !== id || (parsed.status !== 'available' && parsed.status !== 'error')) continue;
        newest = newest ? laterOf(newest, parsed) : parsed;
      }
      return newest && (await read(provider, newest)).checkpoint;
    },

    async tellAllLate(findProvider) {
      for (const { id, providerId } of await store.listUntold(endStatuses)) {
        const provider = findProvider(providerId);
        if (provider) await tellLate(provider, id);
      }
    },
  };
}

function unknownCheckpoint(id: string): Fault {
  return new Fault('not-found', 'checkpoint.unknown', `Checkpoint ${id} could not be found.`);
}
