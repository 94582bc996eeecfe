import { mkdirSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { faultText } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/config.ts';
import { initDefaultProvider } from '../config/init-provider.ts';
import { openDatabase } from '../db/connect.ts';
import { migrate } from '../db/migrate.ts';
import { buildHouse } from './build.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { startApiRole, startHeartbeat, startSchedulerRole, startWorkerRole } from './roles.ts';
import { lockStateFolder } from './state-lock.ts';

/** API pages, catalogue and steps share it; pg-boss has four of its own beside it, a worker one. */
const poolSize = 16;

interface Service {
  /** Where the API answers; undefined without the role. */
  readonly url: string | undefined;
  reload(): Promise<void>;
  /** Takes no more requests, lets operations end or hands them back, stops the embedded database. */
  stop(): Promise<void>;
}

/** Starts what the configuration asks for, lowest floor first. When a part does not start, those before it are stopped again. */
async function startService(config: Config, log: Log): Promise<Service> {
  const clock = systemClock;
  const began: { name: string; stop: () => Promise<void> | void }[] = [];
  const stopAll = async (): Promise<void> => {
    for (const { name, stop } of began.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        log.error('A part of the service did not stop cleanly.', { part: name, error: faultText(error) });
      }
    }
  };
  try {
    mkdirSync(config.stateDir, { recursive: true, mode: 0o711 });
    const lock = lockStateFolder(config.stateDir);
    began.push({ name: 'state folder', stop: () => lock.release() });
    const made = initDefaultProvider(config);
    if (made !== undefined)
      log.info('A first provider was made, with a bank in the state folder. Keep a copy of its key file.', { file: made });

    let databaseUrl = config.databaseUrl;
    if (databaseUrl === undefined) {
      const postgres = await startEmbeddedPostgres({ stateDir: config.stateDir, log });
      began.push({ name: 'embedded PostgreSQL', stop: () => postgres.stop() });
      databaseUrl = postgres.url;
    }
    const knex = await openDatabase({ url: databaseUrl, poolSize });
    began.push({ name: 'database pool', stop: () => knex.destroy() });
    const applied = await migrate(knex);
    if (applied.length > 0) log.info('The database schema is up to date.', { applied });

    const house = await buildHouse({ config, knex, databaseUrl, clock, log });
    began.push({ name: 'providers and queue', stop: () => house.close() });
    if (config.roles.includes('worker')) {
      const worker = await startWorkerRole(house, { knex, databaseUrl, config, clock, log });
      began.push({ name: 'worker', stop: () => worker.stop() });
      const heartbeat = await startHeartbeat(house, 'karbor-protection', config, log);
      began.push({ name: 'heartbeat of the worker', stop: () => heartbeat.stop() });
    }
    if (config.roles.includes('scheduler')) {
      const scheduler = await startSchedulerRole(house, config, log);
      began.push({ name: 'scheduler', stop: () => scheduler.stop() });
    }
    let url: string | undefined;
    if (config.roles.includes('api')) {
      const api = await startApiRole(house, config);
      began.push({ name: 'api', stop: () => api.stop() });
      url = api.url;
    }
    log.info('Karri is running.', {
      url: url ?? null,
      roles: config.roles,
      providers: house.deps.providers.list().map(({ info }) => info.name),
    });
    return { url, reload: () => house.reloadProviders(), stop: stopAll };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** Runs until SIGTERM or SIGINT; SIGHUP reads the provider files again. A second signal does not wait. */
export async function runService(config: Config, log: Log): Promise<void> {
  const service = await startService(config, log);
  process.on('SIGHUP', () => {
    service.reload().then(
      () => log.info('The provider files were read again.'),
      (error: unknown) => log.error('The provider files are not taken over; the old ones stay.', { error: faultText(error) }),
    );
  });
  await new Promise<void>((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      log.info('The service is stopping.', { signal });
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(130));
      resolve();
    };
    process.once('SIGTERM', onSignal);
    process.once('SIGINT', onSignal);
  });
  await service.stop();
}
