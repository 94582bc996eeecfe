import { hostname } from 'node:os';
import type { Knex } from 'knex';
import cron from 'node-cron';
import { type Clock, sleep } from '../base/clock.ts';
import { faultText } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/config.ts';
import { createWorkerStore } from '../db/worker-store.ts';
import { startWorker } from '../jobs/worker.ts';
import type { ServiceBinary } from '../model/service.ts';
import type { Scheduler } from '../operations/scheduler.ts';
import { collectIdle } from '../protection/collect.ts';
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

export interface Heartbeat extends Running {
  /** Whether an administrator lets this role work, as the last beat found it. */
  isEnabled(): boolean;
}

/** Says every ten seconds that a role of this process is there. */
export async function startHeartbeat({ deps }: House, binary: ServiceBinary, config: Config, log: Log): Promise<Heartbeat> {
  const seat = `${hostname()}:${config.stateDir}`;
  let status = await deps.services.beat({ binary, host: hostname(), seat });
  const beat = every('*/10 * * * * *', log, 'heartbeat', async () => {
    status = await deps.services.beat({ binary, host: hostname(), seat });
  });
  return { ...beat, isEnabled: () => status === 'enabled' };
}

/**
 * Acts upon triggers that are due, takes scheduled runs on and has garbage collected, unless an administrator has disabled it; and looks for ends of
 * operations that a bank could not be told of, because it was away.
 */
export async function startSchedulerRole(house: House, config: Config, log: Log): Promise<Running> {
  const { deps, scheduler } = house;
  const heartbeat = await startHeartbeat(house, 'karbor-operationengine', config, log);
  const ending = new AbortController();
  const parts = [
    heartbeat,
    every('* * * * * *', log, 'look at the triggers', async () => {
      if (heartbeat.isEnabled()) await strikeOnTime(scheduler, ending.signal);
    }),
    // Apart: a run may wait for a bank, and no trigger waits for a run.
    every('* * * * * *', log, 'look at the scheduled runs', () => scheduler.advance()),
    // Every hour, so that a bank that was away has its turn on the same day.
    every('0 17 * * * *', log, 'look for idle banks', async () => {
      if (heartbeat.isEnabled() && config.dailyGc === 'on') await collectIdle(deps);
    }),
    every('*/10 * * * * *', log, 'look for untold states', () => deps.catalog.tellAllLate((id) => deps.providers.find(id))),
  ];
  return {
    async stop() {
      ending.abort();
      for (const part of parts) await part.stop();
    },
  };
}

/** Acts upon what is due now, and on what falls due before the next second at its own moment. */
async function strikeOnTime(scheduler: Scheduler, ending: AbortSignal): Promise<void> {
  for (;;) {
    await scheduler.fire();
    const waitMs = await scheduler.untilDue();
    if (waitMs === undefined || waitMs > 1000 || ending.aborted) return;
    await sleep(Math.max(waitMs, leastWaitMs), ending).catch(() => undefined);
  }
}

/** Triggers that fall due within it are acted upon together. */
const leastWaitMs = 20;

/** Does something over and over; one time that fails is told in the log and the next comes all the same. */
function every(pattern: string, log: Log, what: string, work: () => Promise<unknown>): Running {
  let working: Promise<void> | undefined;
  const begin = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn(`The ${what} failed.`, { error: faultText(error) });
    } finally {
      working = undefined;
    }
  };
  // What takes longer than the time between two beats is let be; node-cron would do the same, and print a line each time.
  const beat = (): void => {
    working ??= begin();
  };
  const task = cron.schedule(pattern, beat, { suppressMissedWarning: true });
  return {
    async stop() {
      await task.stop();
      await working;
    },
  };
}

export async function startApiRole(house: House, { host, port }: { host: string; port: number }): Promise<ListeningApi> {
  const url = await house.server.listen({ host, port });
  return { url, stop: () => house.server.close() };
}
