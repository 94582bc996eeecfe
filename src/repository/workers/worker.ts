import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Fault } from '../../base/faults.ts';
import { ChunkTable } from '../index/chunk-table.ts';
import { type FinishedPack, maxPackBytes } from '../packs/format.ts';
import { openBatch } from '../packs/open-batch.ts';
import { deriveKey, openObject, type RootKey } from '../seal/crypto.ts';
import { type KeyedHash, openKeyedHash } from '../seal/keyed-hash.ts';
import { WorkerSink } from './sink.ts';
import type { WorkerContext } from './task.ts';
import { tasks } from './tasks.ts';
import { encodeFault, type FromWorker, type ToWorker, type WorkerSetup } from './wire.ts';

/** What runs in each worker thread: one task after the other, each from start to end without a pause. */

/** Filling one, and two on their way: back-pressure and the bound on memory in one number. */
const buffersPerThread = 3;

const port = parentPort;
if (port === null) throw new Fault('internal', 'repository.not_a_worker', 'worker.ts runs in a worker thread only.');
const setup = workerData as WorkerSetup;
const roots = new Map<string, RootKey>(setup.keys.map(({ id, secret }) => [id, { id, secret: Buffer.from(secret) }]));
const hashes = new Map<string, KeyedHash>();
for (const root of roots.values()) hashes.set(root.id, await openKeyedHash(deriveKey(root, 'chunk id')));
const writingRoot = roots.get(setup.writingKeyId);
const writingHash = hashes.get(setup.writingKeyId);
if (writingRoot === undefined || writingHash === undefined)
  throw new Fault('internal', 'repository.no_writing_key', 'The writing key is not among the keys.');

const table = new ChunkTable(setup.view);
const byName = new Map(tasks.map((task) => [task.name, task]));
let cancel: Int32Array = new Int32Array(1);
let transfers: ArrayBuffer[] = [];
let buffersMade = 0;

const sink = new WorkerSink({
  root: writingRoot,
  projectId: setup.projectId,
  hash: writingHash,
  table,
  takePackNumber: () => Atomics.add(setup.packNumbers, 0, 1),
  takeBuffer,
  send: sendPack,
});

const openKeys = { roots, hashes, projectId: setup.projectId };
const context: WorkerContext = {
  sink,
  identify: (plain, keyId) => getHash(keyId).digest(plain),
  openBatch: (batch, ...how) => openBatch(batch, openKeys, ...how),
  openIndex: (id, bytes) =>
    openObject(roots, setup.projectId, 'index', id, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))?.plain,
  throwIfAborted,
  transfer: (buffer) => void transfers.push(buffer),
};

port.on('message', (message: ToWorker) => {
  if (message.type === 'view') {
    table.show(message.view);
    send({ type: 'seen', id: message.id }, []);
    return;
  }
  if (message.type === 'trim') {
    trim();
    return;
  }
  cancel = message.cancel;
  transfers = [];
  try {
    throwIfAborted();
    const output = message.type === 'flush' ? sink.flush() : getTask(message.name).run(message.input as never, context);
    send({ type: 'done', id: message.id, output, counters: sink.takeCounters() }, transfers);
  } catch (error) {
    sink.takeCounters();
    send({ type: 'failed', id: message.id, fault: encodeFault(error) }, []);
  }
});

function getTask(name: string): (typeof tasks)[number] {
  const task = byName.get(name);
  if (task === undefined)
    throw new Fault('internal', 'repository.task_unknown', `No task is called ${name}; add it to workers/tasks.ts.`);
  return task;
}

function getHash(keyId: string): KeyedHash {
  const hash = hashes.get(keyId);
  if (hash === undefined) throw new Fault('corrupt', 'repository.key_damaged', `No slot of root key ${keyId} opens.`);
  return hash;
}

function throwIfAborted(): void {
  if (Atomics.load(cancel, 0) !== 0) throw new Fault('cancelled', 'base.cancelled', 'The work was cancelled.');
}

function takeBuffer(): ArrayBuffer {
  for (;;) {
    const count = Atomics.load(setup.emptiedCount, 0);
    const back = takeEmptied();
    if (back) return back;
    if (buffersMade < buffersPerThread) {
      buffersMade++;
      return new ArrayBuffer(maxPackBytes);
    }
    throwIfAborted();
    // A short wait, as the cancel flag lives elsewhere.
    Atomics.wait(setup.emptiedCount, 0, count, 100);
  }
}

/** A buffer that came back. Null instead of one: the bank refused the pack and may still hold its bytes, so that one is given up. */
function takeEmptied(): ArrayBuffer | undefined {
  for (;;) {
    const back: { message: ArrayBuffer | null } | undefined = receiveMessageOnPort(setup.emptied);
    if (back === undefined) return undefined;
    if (back.message) return back.message;
    buffersMade--;
  }
}

function trim(): void {
  for (let buffer = takeEmptied(); buffer; buffer = takeEmptied()) {
    buffer.transfer(0);
    buffersMade--;
  }
}

function sendPack(number: number, pack: FinishedPack): void {
  send({ type: 'pack', number, ...pack }, [pack.buffer, pack.directory.buffer]);
}

function send(message: FromWorker, transfer: readonly ArrayBuffer[]): void {
  port?.postMessage(message, [...transfer]);
}
