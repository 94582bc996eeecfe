import { createHash, createHmac } from 'node:crypto';
import { throwIfAborted } from '../../src/base/abort.ts';
import { Fault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { RepositoryCore, WriteSession } from '../../src/repository/core.ts';
import type { ChunkSink } from '../../src/repository/packs/chunk-sink.ts';
import type { BlockBatch, ChunkSource } from '../../src/repository/packs/chunk-source.ts';
import type { NewSnapshot, SnapshotRecord } from '../../src/repository/snapshots/record.ts';
import type { Task, WorkerContext } from '../../src/repository/workers/task.ts';

/**
 * A repository core with chunks in a map and tasks run on the spot, so that a test can step in between: change a file before a task, or put chunks in
 * that no writer would.
 */
export interface InlineCore extends RepositoryCore {
  readonly chunks: Map<string, Buffer>;
  readonly snapshots: SnapshotRecord[];
  /** Called before each task with its name. */
  beforeTask: (name: string) => void;
  /** Called with each chunk before it is stored. */
  beforeStore: (plain: Uint8Array) => void;
  put(plain: Uint8Array): Buffer;
  digest(plain: Uint8Array): Buffer;
}

const keyId = '0'.repeat(32);

export function createInlineCore(): InlineCore {
  const chunks = new Map<string, Buffer>();
  const snapshots: SnapshotRecord[] = [];
  const digest = (plain: Uint8Array): Buffer => createHmac('sha256', 'test').update(plain).digest();
  const put = (plain: Uint8Array): Buffer => {
    const id = digest(plain);
    chunks.set(id.toString('hex'), Buffer.from(plain));
    return id;
  };
  const store = (plain: Uint8Array): Buffer => {
    core.beforeStore(plain);
    return put(plain);
  };
  const sink: ChunkSink = {
    store,
    storeRun: (plain, chunkBytes) =>
      Buffer.concat(
        Array.from({ length: Math.ceil(plain.length / chunkBytes) }, (_, n) =>
          store(plain.subarray(n * chunkBytes, (n + 1) * chunkBytes)),
        ),
      ),
    storeSmall: store,
    storeMap: put,
    countReused: () => undefined,
    identify: digest,
    has: (id) => chunks.has(Buffer.from(id).toString('hex')),
  };
  const context = (signal: AbortSignal | undefined): WorkerContext => ({
    sink,
    identify: (plain) => digest(plain),
    openBatch(batch, visit, onBad) {
      for (let i = 0; i < batch.wants.length; i++) {
        const id = batch.ids.subarray(i * 32, i * 32 + 32);
        const wants = batch.wants.subarray(i, i + 1);
        if (onBad !== undefined && !sink.has(id)) onBad({ packId: 'inline', what: 'a chunk is absent', wants: [...wants] });
        else visit(get(id), wants, i);
      }
    },
    openIndex: () => undefined,
    throwIfAborted: () => throwIfAborted(signal),
    transfer: () => undefined,
  });
  const get = (id: Uint8Array): Buffer => {
    const plain = chunks.get(Buffer.from(id).toString('hex'));
    if (plain === undefined) throw new Fault('corrupt', 'repository.chunk_absent', 'A chunk is absent.');
    return plain;
  };
  const split = (ids: Uint8Array): Uint8Array[] =>
    Array.from({ length: ids.length / 32 }, (_, i) => ids.slice(i * 32, i * 32 + 32));
  const source: ChunkSource = {
    fetch: async (ids) => split(ids).map((id) => Buffer.from(get(id))),
    async *batches(ids) {
      const all = split(ids);
      for (let at = 0; at < all.length; at += 100) yield batchOf(all.slice(at, at + 100), at);
    },
    has: sink.has,
  };
  async function run<Input, Output>(task: Task<Input, Output>, input: Input, signal: AbortSignal | undefined): Promise<Output> {
    throwIfAborted(signal);
    core.beforeTask(task.name);
    return task.run(structuredClone(input), context(signal));
  }
  const core: InlineCore = {
    log: silentLog,
    threads: 2,
    writingKeyId: keyId,
    chunks,
    snapshots,
    source,
    put,
    digest,
    beforeTask: () => undefined,
    beforeStore: () => undefined,
    run: (task, input, { signal }) => run(task, input, signal),
    noteDamage: () => undefined,
    findParent: async (subject) => snapshots.findLast((snapshot) => snapshot.subject === subject),
    getSnapshot: async (id) => {
      const found = snapshots.find((snapshot) => snapshot.id === id);
      if (found === undefined) throw new Fault('not-found', 'repository.snapshot_absent', id);
      return found;
    },
    isWhole: () => false,
    openSession({ signal }): WriteSession {
      return {
        signal: signal ?? new AbortController().signal,
        run: (task, input) => run(task, input, signal),
        setTotal: () => undefined,
        countReused: () => undefined,
        settle: async () => undefined,
        finish: async (snapshot: NewSnapshot) => {
          const id = createHash('sha256').update(`${snapshots.length}`).digest('hex');
          const record: SnapshotRecord = { id, keyId, createdAtMs: 0, storedBytes: 0, reusedBytes: 0, ...snapshot };
          snapshots.push(record);
          return record;
        },
        close: async () => undefined,
      };
    },
  };
  return core;
}

function batchOf(ids: readonly Uint8Array[], first: number): BlockBatch {
  return {
    packId: '',
    keyId,
    bytes: new Uint8Array(0),
    blocks: new Uint32Array(0),
    chunks: new Uint32Array(0),
    ids: new Uint8Array(Buffer.concat(ids)),
    wants: Uint32Array.from(ids, (_, i) => first + i),
  };
}
