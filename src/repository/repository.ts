import { join } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { Fault, isFault } from '../base/faults.ts';
import type { Repository, RepositoryOptions, StoredBytes } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import { Presence } from './gc/presence.ts';
import { currentStanding, learnTrust, publish, type TrustParts } from './gc/trust.ts';
import { GcView } from './gc/view.ts';
import { ChunkIndex } from './index/chunk-index.ts';
import { Runs } from './index/runs.ts';
import { rememberInside } from './inside.ts';
import { packKey } from './layout.ts';
import { Lease } from './lease.ts';
import { LocalNote } from './local-note.ts';
import { BadPacks } from './packs/bad-packs.ts';
import { decodeDirectory } from './packs/format.ts';
import { PackReader } from './packs/reader.ts';
import { deriveKey, maxObjectBytes, openObject, sealObject } from './seal/crypto.ts';
import { openKeyRing } from './seal/keys.ts';
import { Session, type SessionHost } from './session.ts';
import { findOwned, forgetOwned } from './snapshots/owned.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import { WholeSnapshots } from './snapshots/whole-snapshots.ts';
import type { PoolOptions, TaskPool } from './workers/pool.ts';
import { RestingPool } from './workers/resting-pool.ts';

/** How the worker threads are started: a test may do without any. */
export type StartPool = (options: PoolOptions) => Promise<TaskPool>;

/** Long enough that a plan with pauses between its resources does not start anew each time. */
const restAfterMs = 5 * 60 * 1000;

/**
 * Opens the repository of one project in one bank, or makes it. Reads its keys alone, so open it whenever a snapshot is to be listed or a
 * document opened. The first call that needs chunks loads what is new of the index and starts the worker threads; after a while without use
 * they are let go again. Close it.
 * @throws {Fault} `repository.absent`, `repository.wrong_key`, `repository.key_damaged`
 */
export async function openRepository(
  options: RepositoryOptions,
  startPool: StartPool = startThreads,
  packsPerList = 1000,
): Promise<Repository> {
  const { store, projectId, log, threads } = options;
  const clock = systemClock;
  const keys = await openKeyRing(options);
  const cacheFolder = join(options.scratchFolder, keys.writing.id);
  const cacheKey = deriveKey(keys.writing, 'local cache');
  const pool: RestingPool = new RestingPool(() =>
    startPool({
      threads,
      projectId,
      keys,
      view: index.view,
      packNumbers: index.packNumbers,
      beforeTask: () => index.ensureRoom(),
      storePack: packs.store,
      onDeath(fault) {
        death = fault;
        for (const session of sessions) session.fail(fault);
      },
    }),
  );
  const runs = new Runs({
    folder: cacheFolder,
    key: cacheKey,
    run: async (task, input, signal) => (await pool.run(task, input, { signal })).output,
  });
  const whole = new WholeSnapshots(new LocalNote({ path: join(cacheFolder, 'whole-snapshots'), key: cacheKey }));
  const index = new ChunkIndex({ store, projectId, keys, log, threads, runs, whole });
  index.onView = (shown) => pool.show(shown);
  const view = new GcView({ store, projectId, keys });
  const bad = new BadPacks({ store, projectId, keys, log, index });
  const note = new LocalNote({ path: join(cacheFolder, 'packs'), key: cacheKey });
  const presence = new Presence({ store, index, note, packsPerList });
  const snapshots = new Snapshots({ store, projectId, keys, log, clock });
  const sessions = new Set<Session>();
  const packs = createPackStorer(options, index, sessions);
  /** Of a worker thread: what the threads knew is lost, so they and the table are made anew before the next use. */
  let death: Fault | undefined;
  // Not lost: what the bank has is read again, and what it does not name is stored again.
  const noteUnsaved = (error: unknown): void =>
    log.warn('What is known of the index could not be kept.', { reason: String(error) });
  const lease = new Lease({
    idleMs: options.restAfterMs ?? restAfterMs,
    isSpent: () => death !== undefined,
    async rest() {
      if (death === undefined) {
        await index.save(undefined);
        await index.fold(undefined);
      }
      await pool.rest();
      await packs.settle();
      index.unload();
      death = undefined;
    },
    onFault: noteUnsaved,
    dispose: () => index.unload(),
  });
  const host: Omit<SessionHost, 'publish'> = {
    pool,
    isDurable: (number) => index.packs.isDurable(number),
    settlePacks: packs.settle,
    saveIndex: (signal) => index.save(signal),
    onClose(session) {
      sessions.delete(session);
      if (sessions.size === 0) pool.trim();
    },
  };
  const core: RepositoryCore = {
    log,
    threads,
    writingKeyId: keys.writing.id,
    source: new PackReader({ store, index, pool, onBad: (fault) => bad.note(fault), isBad: (id) => bad.ids.has(id) }),
    noteDamage: (fault) => bad.note(fault),
    openSession(sessionOptions) {
      const began = currentStanding(trust);
      const publishing: SessionHost = {
        ...host,
        async publish(snapshot, figures, signal) {
          const all = { ...figures, gcGeneration: began.generation };
          const published = await publish(trust, snapshot, all, sessionOptions.purpose, began, signal);
          const stands = index.distrustCount === began.distrustCount;
          if (stands) await index.addWhole(published.record.id);
          return published;
        },
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
    isWhole: (id) => index.isWhole(id),
  };
  const trust: TrustParts = { core, store, index, view, bad, presence, snapshots };
  const parts = { ...options, ...trust, keys };

  const use = <T>({ signal }: { readonly signal?: AbortSignal | undefined }, work: () => Promise<T>): Promise<T> =>
    lease.hold(async () => {
      throwIfAborted(signal);
      return work();
    });
  const held = (bytes: StoredBytes): StoredBytes => ({
    ...bytes,
    read(range, transfer) {
      const pieces = bytes.read(range, transfer); // says at once what is wrong with the range
      return lease.stream(() => pieces);
    },
  });

  const repository: Repository = {
    writeVolume: (input, writeOptions) =>
      use(writeOptions, async () => {
        const [{ writeVolume }] = await Promise.all([
          import('./volume/writer.ts'),
          learnTrust(trust, writeOptions.signal), // what others have stored since need not be stored again
        ]);
        const { subject, purpose, signal } = writeOptions;
        return (await findOwned(trust, subject, purpose, signal)) ?? writeVolume(core, clock, input, writeOptions);
      }),
    writeTree: (input, writeOptions) =>
      use(writeOptions, async () => {
        const [{ writeTree }] = await Promise.all([import('./tree/writer.ts'), learnTrust(trust, writeOptions.signal)]);
        const { subject, purpose, signal } = writeOptions;
        return (await findOwned(trust, subject, purpose, signal)) ?? writeTree(core, input, writeOptions, clock);
      }),
    restoreVolume: (id, target, transfer) =>
      use(transfer, async () => {
        const { restoreVolume } = await import('./volume/restorer.ts');
        return restoreVolume(core, await snapshots.get(id, transfer.signal), target, transfer);
      }),
    restoreTree: (id, target, transfer) =>
      use(transfer, async () => {
        const { restoreTree } = await import('./tree/restorer.ts');
        return restoreTree(core, await snapshots.get(id, transfer.signal), target, transfer);
      }),
    readVolume: (id, offset, length, transfer) =>
      use(transfer, async () => {
        const { readVolume } = await import('./volume/reader.ts');
        return readVolume(core, await snapshots.get(id, transfer.signal), offset, length, transfer);
      }),
    getVolume: (id, transfer) =>
      use(transfer, async () => {
        const { getVolume } = await import('./volume/reader.ts');
        return held(getVolume(core, await snapshots.get(id, transfer.signal)));
      }),
    listTree: (id, query, transfer) =>
      use(transfer, async () => {
        const { listTree } = await import('./tree/contents.ts');
        return listTree(core.source, await snapshots.get(id, transfer.signal), query, transfer);
      }),
    getFile: (id, path, transfer) =>
      use(transfer, async () => {
        const { getFile } = await import('./tree/contents.ts');
        return held(await getFile(core.source, await snapshots.get(id, transfer.signal), path, transfer));
      }),
    readTree: (id, folder, transfer) =>
      lease.stream(async function* () {
        const { readTree } = await import('./tree/contents.ts');
        yield* readTree(core.source, await snapshots.get(id, transfer.signal), folder, transfer);
      }),
    verifySnapshot: (id, percent, transfer) =>
      use(transfer, async () => (await import('./check/verify.ts')).verifySnapshot(parts, id, percent, transfer)),
    forget: async (id) => (await import('./snapshots/forget.ts')).forget(trust, id),
    undelete: (id) => use({}, async () => (await import('./snapshots/forget.ts')).undelete(trust, id, undefined)),
    listForgotten: async () => (await import('./snapshots/forget.ts')).listForgotten(trust),
    forgetOwned: (subject, owner) => forgetOwned(trust, subject, owner),
    hasGarbage: async () => (await import('./gc/unfinished.ts')).hasGarbage({ store, projectId, keys }),
    planGc: (gcOptions) => use(gcOptions, async () => (await import('./gc/plan.ts')).planGc(trust, gcOptions)),
    runGc: (plan, transfer) =>
      use(transfer, async () => (await import('./gc/run.ts')).runGc({ ...trust, projectId, keys }, plan, transfer)),
    listSnapshots: () => snapshots.list(),
    check: (percent, transfer) =>
      use(transfer, async () => (await import('./check/check.ts')).checkRepository(parts, percent, transfer)),
    repair: (transfer) =>
      use(transfer, async () => (await import('./check/repair.ts')).repair({ ...parts, view, presence }, transfer)),
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
      if (lease.isIdle && death === undefined) await index.fold(undefined).catch(noteUnsaved);
      for (const session of sessions) session.fail(new Fault('cancelled', 'repository.closed', 'The repository was closed.'));
      packs.abort();
      await pool.close();
      await packs.settle();
      await bad.settle();
      await lease.close();
    },
  };
  return rememberInside(repository, {
    core,
    hold: (work) => lease.hold(work),
    refresh: (signal) => learnTrust(trust, signal),
    newestFirst: (subject, signal) => snapshots.newestFirst(subject, signal),
    findOwned: (subject, purpose, signal) => findOwned(trust, subject, purpose, signal),
  });
}

async function startThreads(options: PoolOptions): Promise<TaskPool> {
  const { Pool } = await import('./workers/pool.ts');
  return new Pool(options);
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
