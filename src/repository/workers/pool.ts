import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { throwIfAborted } from '../../base/abort.ts';
import { Fault } from '../../base/faults.ts';
import type { TableView } from '../index/chunk-table.ts';
import type { SinkCounters } from '../packs/chunk-sink.ts';
import type { KeyRing } from '../seal/keys.ts';
import type { Task } from './task.ts';
import { decodeFault, type FromWorker, type ToWorker, type WorkerSetup } from './wire.ts';

type PackMessage = Extract<FromWorker, { type: 'pack' }>;

export interface PoolOptions {
  readonly threads: number;
  readonly projectId: string;
  readonly keys: KeyRing;
  /** What the workers look chunks up in, at the time they are started. */
  readonly view: TableView;
  readonly packNumbers: Int32Array;
  /** Called before a task is handed out. */
  beforeTask(): void;
  /** Stores a finished pack; never rejects. Tells whether the buffer may be used again. */
  storePack(pack: PackMessage): Promise<'emptied' | 'lost'>;
  /** A thread has died, and the pool with it. */
  onDeath(fault: Fault): void;
}

export interface PoolRunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: readonly ArrayBuffer[];
}

export interface TaskResult<Output> {
  readonly output: Output;
  readonly counters: SinkCounters;
}

interface Job {
  readonly message: { readonly type: 'task'; readonly name: string; readonly input: unknown } | { readonly type: 'flush' };
  readonly transfer: readonly ArrayBuffer[];
  readonly cancel: Int32Array;
  readonly resolve: (result: TaskResult<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly emptied: MessagePort;
  readonly emptiedCount: Int32Array;
  /** Handed to the thread and not answered yet; the first one runs. */
  readonly jobs: Map<number, Job>;
}

/** What the rest of the repository uses of a pool. */
export type TaskPool = Pick<Pool, 'run' | 'flush' | 'show' | 'trim' | 'close'>;

/** What a task leaves behind is small and soon dead: with V8's own 48 MiB, each thread grows by some 50 MiB in a long write, and is no faster. */
const maxYoungGenerationSizeMb = 8;

/** One that runs and one that waits, so that a thread never idles while an answer travels. */
const jobsPerThread = 2;

/**
 * Worker threads, started once and kept warm. They do not keep the process alive unless something runs.
 * A thread that dies takes the pool with it: all runs and later ones end with its fault.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #threads: Thread[];
  readonly #waiting: Job[] = [];
  readonly #views = new Map<number, { missing: number; readonly resolve: () => void }>();
  #nextId = 0;
  #broken: Fault | undefined;

  /** Nobody waits for the threads to come up: what they are given meanwhile is kept for them. */
  constructor(options: PoolOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.threads }, () => this.#startThread());
    for (const { worker } of this.#threads) worker.unref();
  }

  /** Runs the task in whichever thread is free first. An aborted run settles when the thread has let go of it. */
  run<Input, Output>(task: Task<Input, Output>, input: Input, options: PoolRunOptions): Promise<TaskResult<Output>> {
    const run = this.#enqueue({ type: 'task', name: task.name, input }, options, (job) => {
      this.#waiting.push(job);
      this.#handOut();
    });
    return run as Promise<TaskResult<Output>>; // the worker runs the task of that name, whose types these are
  }

  /** Has every thread seal and send its open block and pack; the counters say what that added. */
  async flush(signal: AbortSignal | undefined): Promise<readonly SinkCounters[]> {
    const flushes = this.#threads.map((thread) => this.#enqueue({ type: 'flush' }, { signal }, (job) => this.#give(thread, job)));
    const results = await Promise.allSettled(flushes);
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value.counters;
    });
  }

  /** Has every thread look chunks up in this view, in each task handed out from now on; resolves when none uses an older one. */
  async show(view: TableView): Promise<void> {
    if (this.#broken) return;
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#views.set(id, { missing: this.#threads.length, resolve });
    for (const { worker } of this.#threads) post(worker, { type: 'view', id, view });
    await promise;
  }

  /** Has every thread give its empty pack buffers back to the system: nothing is being written just now. */
  trim(): void {
    if (this.#broken) return;
    for (const { worker } of this.#threads) post(worker, { type: 'trim' });
  }

  close(): Promise<void> {
    return this.#break(new Fault('cancelled', 'repository.closed', 'The repository was closed.'));
  }

  #enqueue(message: Job['message'], options: PoolRunOptions, start: (job: Job) => void): Promise<TaskResult<unknown>> {
    const { signal } = options;
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const done = new Promise<TaskResult<unknown>>((resolve, reject) => {
      if (this.#broken) throw this.#broken;
      throwIfAborted(signal);
      start({ message, transfer: options.transfer ?? [], cancel, resolve, reject });
    });
    if (signal === undefined) return done;
    const onAbort = (): void => void Atomics.store(cancel, 0, 1);
    signal.addEventListener('abort', onAbort, { once: true });
    return done.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#threads.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
      if (thread.jobs.size >= jobsPerThread) return;
      const job = this.#waiting.shift();
      if (job) this.#give(thread, job);
    }
  }

  #give(thread: Thread, job: Job): void {
    this.#options.beforeTask();
    const id = this.#nextId++;
    thread.jobs.set(id, job);
    thread.worker.ref();
    try {
      post(thread.worker, { ...job.message, id, cancel: job.cancel }, job.transfer);
    } catch (error) {
      // An input that cannot be sent: the defect of one caller, not of the thread.
      this.#settle(thread, id)?.reject(error);
    }
  }

  #startThread(): Thread {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    const { keys, projectId, view, packNumbers } = this.#options;
    const emptiedCount = new Int32Array(new SharedArrayBuffer(4));
    const setup: WorkerSetup = {
      projectId,
      keys: [...keys.all.values()],
      writingKeyId: keys.writing.id,
      view,
      packNumbers,
      emptied: port2,
      emptiedCount,
    };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: setup,
      transferList: [port2],
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    const thread: Thread = { worker, emptied: port1, emptiedCount, jobs: new Map() };
    worker.on('message', (message: FromWorker) => this.#receive(thread, message));
    worker.on('error', (cause) => {
      const fault = new Fault(
        'internal',
        'repository.worker_died',
        `A worker thread of the repository died: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          cause,
          help: 'Give the process more memory if it ran out of it; the operation can be started again and goes on from what is stored.',
        },
      );
      this.#options.onDeath(fault);
      void this.#break(fault);
    });
    return thread;
  }

  #receive(thread: Thread, message: FromWorker): void {
    if (message.type === 'pack') {
      void this.#storePack(thread, message);
      return;
    }
    if (message.type === 'seen') {
      this.#countSeen(message.id);
      return;
    }
    const job = this.#settle(thread, message.id);
    if (message.type === 'done') job?.resolve({ output: message.output, counters: message.counters });
    else job?.reject(decodeFault(message.fault));
    this.#handOut();
  }

  #countSeen(id: number): void {
    const view = this.#views.get(id);
    if (view === undefined || --view.missing > 0) return;
    this.#views.delete(id);
    view.resolve();
  }

  #settle(thread: Thread, id: number): Job | undefined {
    const job = thread.jobs.get(id);
    thread.jobs.delete(id);
    if (thread.jobs.size === 0) thread.worker.unref();
    return job;
  }

  /** Puts the pack and gives its buffer back to the thread, which may be waiting for it in the middle of a task. */
  async #storePack({ emptied, emptiedCount }: Thread, pack: PackMessage): Promise<void> {
    const outcome = await this.#options.storePack(pack);
    if (this.#broken) return;
    if (outcome === 'emptied') emptied.postMessage(pack.buffer, [pack.buffer]);
    else emptied.postMessage(null);
    Atomics.add(emptiedCount, 0, 1);
    Atomics.notify(emptiedCount, 0);
  }

  /** Runs settle only when their threads are gone: whoever waits for one closes files that it may still be writing to. */
  async #break(fault: Fault): Promise<void> {
    if (this.#broken) return;
    this.#broken = fault;
    for (const job of this.#waiting.splice(0)) job.reject(fault);
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
    for (const { resolve } of this.#views.values()) resolve();
    this.#views.clear();
    for (const { emptied, jobs } of this.#threads) {
      emptied.close();
      for (const job of jobs.values()) job.reject(fault);
      jobs.clear();
    }
  }
}

function post(worker: Worker, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}
