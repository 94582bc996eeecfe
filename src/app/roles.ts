import { hostname } from 'node:os';
import type { Knex } from 'knex';
import cron from 'node-cron';
import type { Clock } from '../base/clock.ts';
import { faultText } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/config.ts';
import { createWorkerStore } from '../db/worker-store.ts';
import { startWorker } from '../jobs/worker.ts';
import type { ServiceBinary } from '../model/service.ts';
import { createFlows } from '../protection/protection.ts';
import type { House } from './build.ts';

/** Something that runs until it is told to stop. */
export interface Running {
  stop(): Promise<void>;
}

export interface ListeningApi extends Running {
  /** `http://127.0.0.1:8799` */
  readonly url: string;
}

/** What a stopping worker waits for running operations before it hands them back. */
const stopGraceMs = 10_000;

export function startWorkerRole(
  house: House,
  options: { knex: Knex; databaseUrl: string; config: Config; clock: Clock; log: Log },
): Promise<Running> {
  return startWorker({
    knex: options.knex,
    connectionString: options.databaseUrl,
    queue: house.deps.queue,
    operations: house.deps.operations,
    workers: createWorkerStore(options.knex),
    seat: `${hostname()}:${options.config.stateDir}`,
    flows: createFlows(house.deps),
    concurrency: options.config.workerConcurrency,
    stopGraceMs,
    clock: options.clock,
    log: options.log,
  });
}

/** Says every ten seconds that a role of this process is there, and once more, as gone, at its end. */
export async function startHeartbeat({ deps }: House, binary: ServiceBinary, config: Config, log: Log): Promise<Running> {
  const seat = `${hostname()}:${config.stateDir}`;
  const beat = (): Promise<void> => deps.services.beat({ binary, host: hostname(), seat });
  await beat();
  const task = cron.schedule(
    '*/10 * * * * *',
    () => beat().catch((error: unknown) => log.warn('The heartbeat of a service failed.', { binary, error: faultText(error) })),
    { noOverlap: true, suppressMissedWarning: true },
  );
  return { stop: async () => void (await task.stop()) };
}

/** Looks every ten seconds for ends of operations that a bank could not be told of, because it was away. */
export function startSchedulerRole({ deps }: House, log: Log): Running {
  const tell = async (): Promise<void> => {
    try {
      await deps.catalog.tellAllLate((id) => deps.providers.find(id));
    } catch (error) {
      log.warn('The look for untold states failed.', { error: faultText(error) });
    }
  };
  const beat = cron.schedule('*/10 * * * * *', tell, { noOverlap: true, suppressMissedWarning: true });
  return { stop: async () => void (await beat.stop()) };
}

export async function startApiRole(house: House, { host, port }: { host: string; port: number }): Promise<ListeningApi> {
  const url = await house.server.listen({ host, port });
  return { url, stop: () => house.server.close() };
}
