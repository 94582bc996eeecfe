import type { Knex } from 'knex';
import { fromKnex, PgBoss } from 'pg-boss';
import type { Log } from '../base/log.ts';

const queueName = 'operations';

/**
 * Says which operation wants a worker. pg-boss carries the word, never the work: the operation and its steps are rows of
 * ours, and a word said twice or lost is harmless, because only a claim lets a worker begin and `Worker` says again what
 * nobody took.
 */
export interface Queue {
  /** Part of the caller's transaction: the word is out exactly when the operation's rows are. */
  announce(operationId: string, trx: Knex.Transaction): Promise<void>;
  /** Hands up to `concurrency` operations at once to `handle`, until the queue is closed. */
  consume(concurrency: number, handle: (operationId: string) => Promise<void>): Promise<void>;
  /** Takes no more; does not wait for what runs. */
  close(): Promise<void>;
}

export async function openQueue(options: { connectionString: string; log: Log }): Promise<Queue> {
  const boss = new PgBoss({
    connectionString: options.connectionString,
    application_name: 'karri-queue',
    max: 4,
    schedule: false,
    useListenNotify: true,
  });
  boss.on('error', (error) => options.log.error('The job queue reports an error.', { error }));
  await boss.start();
  // "short": one waiting word per operation, however often it is said. A day is the longest pg-boss lets a job run; an
  // operation that takes longer goes on all the same, since only our own claim ends it.
  await boss.createQueue(queueName, {
    policy: 'short',
    notify: true,
    retryLimit: 0,
    expireInSeconds: 86_399,
    heartbeatSeconds: 60,
    deleteAfterSeconds: 3600,
  });
  return {
    async announce(operationId, trx) {
      await boss.send(queueName, { operationId }, { singletonKey: operationId, db: fromKnex(trx) });
    },
    async consume(concurrency, handle) {
      for (let slot = 0; slot < concurrency; slot++) {
        const worker: { id?: string } = {};
        worker.id = await boss.work<{ operationId: string }>(queueName, { batchSize: 1 }, async ([job]) => {
          if (job) await handle(job.data.operationId);
          // What was said while all were busy has woken nobody: whoever is done looks again at once.
          if (worker.id !== undefined) boss.notifyWorker(worker.id);
        });
      }
    },
    async close() {
      await boss.stop({ graceful: false });
    },
  };
}
