import { throwIfAborted } from '../../src/base/abort.ts';
import { Fault } from '../../src/base/faults.ts';
import { ChunkTable } from '../../src/repository/index/chunk-table.ts';
import { type FinishedPack, maxPackBytes } from '../../src/repository/packs/format.ts';
import { openBatch } from '../../src/repository/packs/open-batch.ts';
import type { StartPool } from '../../src/repository/repository.ts';
import { deriveKey, openObject } from '../../src/repository/seal/crypto.ts';
import { openKeyedHash } from '../../src/repository/seal/keyed-hash.ts';
import { WorkerSink } from '../../src/repository/workers/sink.ts';
import type { WorkerContext } from '../../src/repository/workers/task.ts';
import { tasks } from '../../src/repository/workers/tasks.ts';

/** Of all pools: they are large, and a pool uses one or two. */
const buffers: ArrayBuffer[] = [];
const byName = new Map(tasks.map((task) => [task.name, task]));

/**
 * A pool without threads: every task runs on the spot, so that between two calls of the store nothing happens that a test does not decide.
 */
export const startInlinePool: StartPool = async (options) => {
  const { projectId, keys, packNumbers } = options;
  const table = new ChunkTable(options.view);
  const hashes = new Map(
    await Promise.all(
      [...keys.all.values()].map(async (root) => [root.id, await openKeyedHash(deriveKey(root, 'chunk id'))] as const),
    ),
  );
  const getHash = (keyId: string): NonNullable<ReturnType<typeof hashes.get>> => {
    const hash = hashes.get(keyId);
    if (hash) return hash;
    throw new Fault('corrupt', 'repository.key_damaged', `No slot of root key ${keyId} opens.`);
  };
  const onTheirWay = new Set<Promise<void>>();
  const send = async (number: number, pack: FinishedPack): Promise<void> => {
    if ((await options.storePack({ type: 'pack', number, ...pack })) === 'emptied') buffers.push(pack.buffer);
  };
  const sink = new WorkerSink({
    root: keys.writing,
    projectId,
    hash: getHash(keys.writing.id),
    table,
    takePackNumber: () => Atomics.add(packNumbers, 0, 1),
    takeBuffer: () => buffers.pop() ?? new ArrayBuffer(maxPackBytes),
    send(number, pack) {
      const sent = send(number, pack).finally(() => onTheirWay.delete(sent));
      onTheirWay.add(sent);
    },
  });
  const openKeys = { roots: keys.all, hashes, projectId };
  const contextOf = (signal: AbortSignal | undefined): WorkerContext => ({
    sink,
    identify: (plain, keyId) => getHash(keyId).digest(plain),
    openBatch: (batch, ...how) => openBatch(batch, openKeys, ...how),
    openIndex: (id, bytes) => openObject(keys.all, projectId, 'index', id, Buffer.from(bytes))?.plain,
    throwIfAborted: () => throwIfAborted(signal),
    transfer: () => undefined,
  });
  let isClosed = false;
  const work = <T>(signal: AbortSignal | undefined, call: () => T): T => {
    if (isClosed) throw new Fault('cancelled', 'repository.closed', 'The repository was closed.');
    throwIfAborted(signal);
    options.beforeTask();
    return call();
  };
  return {
    async run(task, input, { signal }) {
      if (!byName.has(task.name)) throw new Fault('internal', 'repository.task_unknown', `No task is called ${task.name}.`);
      return work(signal, () => ({ output: task.run(input, contextOf(signal)), counters: sink.takeCounters() }));
    },
    flush: async (signal) =>
      work(signal, () => {
        sink.flush();
        return [sink.takeCounters()];
      }),
    show: async (view) => table.show(view),
    trim: () => undefined,
    async close() {
      isClosed = true;
      await Promise.all(onTheirWay);
    },
  };
};
