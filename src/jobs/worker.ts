import type { Knex } from 'knex';
import cron from 'node-cron';
import pg from 'pg';
import type { Clock } from '../base/clock.ts';
import { sleep } from '../base/clock.ts';
import { Fault, faultText, isFault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { OperationStore } from '../db/operation-store.ts';
import { type WorkerStore, workerLockQuery } from '../db/worker-store.ts';
import type { Flow } from './flow.ts';
import type { Queue } from './queue.ts';
import { runOperation } from './run-operation.ts';

/** After this long without a heartbeat a worker whose database session is gone counts as dead. */
const graceMs = 4000;
/** After this long it counts as dead even if its session still seems to be there. */
const deadMs = 60_000;

export interface Worker {
  /** Runs until the worker is told to stop: gives running operations a moment to end, then hands them back. */
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly knex: Knex;
  readonly connectionString: string;
  readonly queue: Queue;
  readonly operations: OperationStore;
  readonly workers: WorkerStore;
  /** Names the one place at which there is never more than one worker, e.g. a machine's locked state folder. */
  readonly seat: string;
  readonly flows: readonly Flow[];
  readonly concurrency: number;
  /** How long a worker that is told to stop waits for what runs before it hands it back. */
  readonly stopGraceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Takes operations from the queue and carries them out; every two seconds says that it lives, and looks for operations
 * whose worker does not. Life is a database session that holds an advisory lock: PostgreSQL drops it the moment a process
 * dies, so a killed worker's operations go on after seconds, without anybody trusting a clock but the database's own.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { knex, queue, operations, workers, log } = options;
  const flows = new Map(options.flows.map((flow) => [flow.kind, flow]));
  const stop = new AbortController();
  /** What is being handled, by operation. */
  const running = new Map<Promise<void>, string>();

  const life = await openLife(options);

  const handle = async (operationId: string): Promise<void> => {
    if (stop.signal.aborted) return;
    try {
      const flow = flows.get((await operations.get(operationId))?.kind ?? '');
      // A kind this process does not know (another version's, or none any more) is left for one that does.
      if (!flow) return;
      const operation = await operations.claim(operationId, life.workerId());
      if (operation) await runOperation(operation, { knex, operations, flow, clock: options.clock, log, signal: stop.signal });
    } catch (error) {
      // Stopped, or the database or bank kept the end from being written. The next look gives it back, and not at once,
      // which would spin while the trouble lasts.
      if (stop.signal.aborted || isFault(error, 'jobs.claim_lost')) return;
      log.error('The operation could not go on; it will be tried again.', { operation: operationId, error: faultText(error) });
    }
  };

  const look = async (): Promise<void> => {
    await life.beat();
    const dead = await workers.removeDead({ graceMs, deadMs });
    if (dead.length > 0) log.warn('Workers have died; their operations go on here or elsewhere.', { workers: dead });
    await operations.releaseAllBut([...running.values()], life.workerId());
    // Said again even if nobody died: a word may have been lost with the worker that took it from the queue.
    const orphans = await operations.listOrphans();
    if (orphans.length === 0) return;
    await knex.transaction(async (trx) => {
      for (const id of orphans) await queue.announce(id, trx);
    });
  };

  try {
    await look();
    await queue.consume(options.concurrency, async (operationId) => {
      const task = handle(operationId);
      running.set(task, operationId);
      await task;
      running.delete(task);
    });
  } catch (error) {
    await life.close();
    throw error;
  }
  let looking = Promise.resolve();
  const lookAgain = (): Promise<void> => {
    looking = look().catch((error: unknown) => log.warn('The heartbeat failed.', { error: faultText(error) }));
    return looking;
  };
  // A missed beat is no matter: the next one does its work.
  const beat = cron.schedule('*/2 * * * * *', lookAgain, { noOverlap: true, suppressMissedWarning: true });

  return {
    async stop() {
      await queue.close();
      const ended = new AbortController();
      await Promise.race([Promise.all(running.keys()), sleep(options.stopGraceMs, ended.signal).catch(() => undefined)]);
      // A timer left behind would keep the process up for the rest of it.
      ended.abort();
      stop.abort(
        new Fault('cancelled', 'jobs.worker_stopped', 'This worker is stopping; the operation goes on when one starts.'),
      );
      await Promise.all(running.keys());
      await beat.stop();
      // A look that is still under way would begin a new life after the end of this one.
      await looking;
      await life.close();
    },
  };
}

interface Life {
  workerId(): string;
  beat(): Promise<void>;
  close(): Promise<void>;
}

/** Registers the worker and keeps the session that proves it alive; begins a new life when the database was away or has given it up. */
async function openLife({ workers, connectionString, seat, log }: WorkerOptions): Promise<Life> {
  let id = '';
  let session: pg.Client | undefined;

  const begin = async (): Promise<void> => {
    const client = new pg.Client({ connectionString, application_name: 'karri-worker', keepAlive: true });
    client.on('error', (error) => {
      log.warn('The worker has lost its database session.', { error: faultText(error) });
      if (session === client) session = undefined;
    });
    try {
      await client.connect();
      // A new id each time: operations claimed in the old life are no longer ours, and their next commit will say so.
      id = newId();
      await client.query(workerLockQuery(await workers.register({ id, seat, pid: process.pid })));
      session = client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  };
  await begin();

  return {
    workerId: () => id,
    async beat() {
      if (session && (await workers.beat(id))) return;
      const lost = session;
      session = undefined;
      await lost?.end().catch(() => undefined);
      await begin();
    },
    async close() {
      try {
        // Frees what it still owns.
        await workers.remove(id);
      } finally {
        await session?.end();
      }
    },
  };
}
