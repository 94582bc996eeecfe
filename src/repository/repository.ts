import { throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { Fault, isFault } from '../base/faults.ts';
import { BadPacks } from './bad-packs.ts';
import { checkRepository, verifySnapshot } from './check.ts';
import { ChunkIndex } from './chunk-index.ts';
import type { Repository, RepositoryOptions } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import { maxObjectBytes, openObject, sealObject } from './crypto.ts';
import { forget, listForgotten, undelete } from './forget.ts';
import { planGc } from './gc-plan.ts';
import { runGc } from './gc-run.ts';
import { GcView } from './gc-view.ts';
import { rememberInside } from './inside.ts';
import { openKeyRing } from './keys.ts';
import { packKey } from './layout.ts';
import { decodeDirectory } from './pack-format.ts';
import { PackReader } from './pack-reader.ts';
import { Pool, type PoolOptions, type TaskPool } from './pool.ts';
import { Session, type SessionHost } from './session.ts';
import { Snapshots } from './snapshots.ts';
import { getFile, listTree, readTree } from './tree-contents.ts';
import { restoreTree } from './tree-restorer.ts';
import { writeTree } from './tree-writer.ts';
import { currentStanding, learnTrust, publish, type TrustParts } from './trust.ts';
import { getVolume, readVolume } from './volume-reader.ts';
import { restoreVolume } from './volume-restorer.ts';
import { writeVolume } from './volume-writer.ts';

/** How the worker threads are started: a test may do without any. */
export type StartPool = (options: PoolOptions) => Promise<TaskPool>;

/**
 * Opens the repository of one project in one bank, or makes it. Loads every index object and starts the worker threads, so keep it
 * open while there is work. Close it.
 * @throws {Fault} `repository.absent`, `repository.wrong_key`, `repository.key_damaged`
 */
export async function openRepository(options: RepositoryOptions, startPool: StartPool = Pool.start): Promise<Repository> {
  const { store, projectId, log } = options;
  const clock = systemClock;
  const keys = await openKeyRing(options);
  const index = await ChunkIndex.open({ store, projectId, keys, log, threads: options.threads });
  const view = new GcView({ store, projectId, keys });
  const bad = new BadPacks({ store, projectId, keys, log, index });
  const snapshots = new Snapshots({ store, projectId, keys, log, clock });
  const sessions = new Set<Session>();
  const packs = createPackStorer(options, index, sessions);
  const { generations, packNumbers } = index;
  const beforeTask = (): void => index.ensureRoom();
  const pool = await startPool({
    threads: options.threads,
    projectId,
    keys,
    generations,
    packNumbers,
    beforeTask,
    storePack: packs.store,
  });
  index.onGrow = (generation) => pool.grow(generation);

  const host: Omit<SessionHost, 'publish'> = {
    pool,
    isDurable: (number) => index.isDurable(number),
    settlePacks: packs.settle,
    saveIndex: (signal) => index.save(signal),
    onClose(session) {
      sessions.delete(session);
      if (sessions.size === 0) pool.trim();
    },
  };
  const core: RepositoryCore = {
    log,
    threads: options.threads,
    writingKeyId: keys.writing.id,
    source: new PackReader({ store, index, pool, onBad: (fault) => bad.note(fault) }),
    openSession(sessionOptions) {
      const began = currentStanding(trust);
      const publishing: SessionHost = {
        ...host,
        publish: (snapshot, figures, signal) =>
          publish(trust, snapshot, { ...figures, gcGeneration: began.generation }, began, signal),
      };
      const session = new Session(publishing, sessionOptions);
      sessions.add(session);
      return session;
    },
    async run(task, input, runOptions) {
      try {
        return (await pool.run(task, input, runOptions)).output;
      } catch (error) {
        if (isFault(error, 'base.cancelled')) throwIfAborted(runOptions.signal); // tells why
        if (isFault(error)) bad.note(error);
        throw error;
      }
    },
    findParent: (subject, signal) => snapshots.findNewest(subject, signal),
    getSnapshot: (id, signal) => snapshots.get(id, signal),
  };
  const trust: TrustParts = { core, store, index, view, bad, snapshots };
  const parts = { ...options, core, index, snapshots, bad };

  const repository: Repository = {
    async writeVolume(input, writeOptions) {
      throwIfAborted(writeOptions.signal);
      await learnTrust(trust, writeOptions.signal); // what others have stored since need not be stored again
      return writeVolume(core, clock, input, writeOptions);
    },
    async writeTree(input, writeOptions) {
      throwIfAborted(writeOptions.signal);
      await learnTrust(trust, writeOptions.signal);
      return writeTree(core, input, writeOptions, clock);
    },
    async restoreVolume(id, target, transfer) {
      throwIfAborted(transfer.signal);
      return restoreVolume(core, await snapshots.get(id, transfer.signal), target, transfer);
    },
    async restoreTree(id, target, transfer) {
      throwIfAborted(transfer.signal);
      return restoreTree(core, await snapshots.get(id, transfer.signal), target, transfer);
    },
    async readVolume(id, offset, length, transfer) {
      throwIfAborted(transfer.signal);
      return readVolume(core, await snapshots.get(id, transfer.signal), offset, length, transfer);
    },
    async getVolume(id, transfer) {
      return getVolume(core, await snapshots.get(id, transfer.signal));
    },
    async listTree(id, query, transfer) {
      return listTree(core.source, await snapshots.get(id, transfer.signal), query, transfer);
    },
    async getFile(id, path, transfer) {
      return getFile(core.source, await snapshots.get(id, transfer.signal), path, transfer);
    },
    async *readTree(id, folder, transfer) {
      yield* readTree(core.source, await snapshots.get(id, transfer.signal), folder, transfer);
    },
    verifySnapshot: (id, percent, transfer) => verifySnapshot(parts, id, percent, transfer),
    forget: (id) => forget(trust, id),
    undelete: (id) => undelete(trust, id, undefined),
    listForgotten: () => listForgotten(trust),
    planGc: (gcOptions) => planGc(trust, gcOptions),
    runGc: (plan, transfer) => runGc({ ...trust, projectId, keys }, plan, transfer),
    listSnapshots: () => snapshots.list(),
    check: (percent, transfer) => checkRepository(parts, percent, transfer),
    sealDocument: (kind, name, plain) => sealObject(keys.writing, projectId, `document:${kind}`, name, plain),
    openDocument(kind, name, sealed) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      const opened =
        bytes.length <= maxObjectBytes ? openObject(keys.all, projectId, `document:${kind}`, name, bytes) : undefined;
      if (opened) return opened.plain;
      throw new Fault(
        'corrupt',
        'repository.document_damaged',
        `The ${kind} document ${name} is damaged, or belongs to another project or name.`,
        {
          details: { kind, name },
          help: 'Put the object back from a copy of the bank.',
        },
      );
    },
    async close() {
      for (const session of sessions) session.fail(new Fault('cancelled', 'repository.closed', 'The repository was closed.'));
      packs.abort();
      await pool.close();
      await packs.settle();
      await bad.settle();
    },
  };
  return rememberInside(repository, {
    core,
    refresh: (signal) => learnTrust(trust, signal),
    newestFirst: (subject, signal) => snapshots.newestFirst(subject, signal),
  });
}

interface PackStorer {
  readonly store: PoolOptions['storePack'];
  /** Resolves when every pack that was on its way is in the bank or lost. */
  settle(): Promise<void>;
  abort(): void;
}

/** Puts finished packs into the bank, and tells the index and the sessions how that went. */
function createPackStorer({ store, log }: RepositoryOptions, index: ChunkIndex, sessions: ReadonlySet<Session>): PackStorer {
  const onTheirWay = new Set<Promise<unknown>>();
  const aborted = new AbortController();

  const storeOne: PoolOptions['storePack'] = async ({ number, id, keyId, buffer, sizeBytes, directory }) => {
    const blocks = decodeDirectory(Buffer.from(directory.buffer), sizeBytes) ?? [];
    const pack = { number, id, keyId, sizeBytes, blocks };
    try {
      if (blocks.length === 0) throw new Fault('internal', 'repository.empty_pack', 'A worker made a pack that names no blocks.');
      await store.put(packKey(id), new Uint8Array(buffer, 0, sizeBytes), { ifAbsent: true, signal: aborted.signal });
    } catch (error) {
      index.dropPack(pack);
      // Any session may have met a chunk of it and taken it for stored.
      for (const session of sessions) session.fail(error);
      return 'lost';
    }
    index.addPack(pack);
    for (const session of sessions) session.packsSettled();
    if (index.wantsSaving) {
      index.save(aborted.signal).catch((error: unknown) => {
        // Not lost: the session's own save at its end tries again, and fails it if that fails too.
        log.warn('An index object could not be written yet.', { reason: String(error) });
      });
    }
    return 'emptied';
  };

  return {
    store(pack) {
      const stored = storeOne(pack);
      onTheirWay.add(stored);
      return stored.finally(() => onTheirWay.delete(stored));
    },
    async settle() {
      await Promise.all(onTheirWay);
    },
    abort: () => aborted.abort(new Fault('cancelled', 'repository.closed', 'The repository was closed.')),
  };
}
