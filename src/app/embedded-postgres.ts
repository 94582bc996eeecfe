import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { sleep } from '../base/clock.ts';
import { Fault, faultText } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import { createLauncher, findPostgresAccount } from './postgres-account.ts';
import {
  cannotStart,
  findServerState,
  initCluster,
  isServerOf,
  locateBinaries,
  removeForeignServerState,
  type ServerState,
  spawnServer,
} from './postgres-cluster.ts';
import { findProcessIdentity } from './process-identity.ts';

export interface EmbeddedPostgres {
  /** `postgres://karri:…@127.0.0.1:PORT/postgres`; holds the password. */
  readonly url: string;
  /** Ends sessions and stops the server; a second call waits for the first. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  readonly stateDir: string;
  readonly log: Log;
  /** False: no fsync, for tests that throw the data away. */
  readonly durable?: boolean;
}

const pollMs = 15;
const watchMs = 1000;
const maxServerLogBytes = 8 * 1024 * 1024;

/**
 * A real PostgreSQL under `STATE_DIR/postgres`, on a free loopback port, with a password that only the state folder knows.
 *
 *     postgres/data/        the cluster, owned by the account the server runs as
 *     postgres/password     0600
 *     postgres/server.log   what the server says, warnings and worse
 *
 * It outlives a killed Karri: the next start takes the running server over. Should the server itself die, it is started
 * again on the same port. The caller holds the lock of the state folder (`state-lock.ts`).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log } = options;
  const durable = options.durable ?? true;
  mkdirSync(join(options.stateDir, 'postgres'), { recursive: true, mode: 0o711 });
  // One name for one folder: a running server is known again by the path it was started with.
  const folder = realpathSync(join(options.stateDir, 'postgres'));
  const data = join(folder, 'data');

  const account = findPostgresAccount(log);
  const binaries = await locateBinaries();
  const launch = createLauncher(account, binaries.postgres, folder);
  const password = readPassword(join(folder, 'password'), existsSync(data));
  if (!existsSync(data)) {
    log.info('The embedded database is made.', { folder: data });
    await initCluster({ data, password, account, durable, launch: (args) => launch(binaries.initdb, args) });
  }

  const start = async (port: number): Promise<ServerState> => {
    const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', log_min_messages: 'warning', timezone: 'UTC' };
    const speed = durable ? {} : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };
    const flags = Object.entries({ ...settings, ...speed, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const logFile = join(folder, 'server.log');
    if (existsSync(logFile) && statSync(logFile).size > maxServerLogBytes) truncateSync(logFile);
    const { pid, logOffset } = await spawnServer(launch(binaries.postgres, ['-D', data, ...flags]), logFile);
    const state = await waitUntilReady(data, pid);
    if (state === undefined) throw cannotStart('postgres', readFileSync(logFile).subarray(logOffset).toString().trim());
    return state;
  };

  let server: ServerState = (await takeOver(data, password, log)) ?? (await startWithRetry(start, freePort));
  const { port } = server;

  const stopping = new AbortController();
  const watch = async (): Promise<void> => {
    let waitMs = watchMs;
    while (!stopping.signal.aborted) {
      try {
        if (!isServerOf(data, server.pid)) {
          log.error('Embedded PostgreSQL died and is started again.', { pid: server.pid });
          server = await startWithRetry(start, () => Promise.resolve(port));
        }
        waitMs = watchMs;
      } catch (error) {
        log.error('Embedded PostgreSQL cannot be started again yet.', { reason: faultText(error) });
        waitMs = 10 * watchMs;
      }
      await sleep(waitMs, stopping.signal).catch(() => undefined); // Woken by stop.
    }
  };
  const watching = watch();

  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(port, password),
    stop: () => {
      stopped ??= (async () => {
        stopping.abort();
        await watching;
        await stopServer(data, server.pid);
      })();
      return stopped;
    },
  };
}

/** Where the server of a service that runs at this moment answers; undefined when there is none. */
export function findEmbeddedPostgres(stateDir: string): string | undefined {
  const folder = join(stateDir, 'postgres');
  if (!existsSync(join(folder, 'password'))) return undefined;
  const data = join(realpathSync(folder), 'data');
  const server = findServerState(data);
  if (server?.status !== 'ready' || !isServerOf(data, server.pid)) return undefined;
  return urlOf(server.port, readPassword(join(folder, 'password'), true));
}

function readPassword(file: string, hasData: boolean): string {
  if (!existsSync(file)) {
    if (hasData) {
      throw new Fault('invalid', 'postgres.no_password', `The password of the embedded database is missing: ${file}.`, {
        help: 'Put the file back from a copy of the state folder; the database beside it cannot be opened without it.',
      });
    }
    writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx', flush: true });
  }
  return readFileSync(file, 'utf8').trim();
}

function urlOf(port: number, password: string): string {
  return `postgres://karri:${password}@127.0.0.1:${port}/postgres`;
}

/** The server an earlier Karri left running here; undefined when there is none. */
async function takeOver(data: string, password: string, log: Log): Promise<ServerState | undefined> {
  const state = findServerState(data);
  if (state === undefined) return undefined;
  if (isServerOf(data, state.pid)) {
    const ready = await waitUntilReady(data, state.pid);
    // One that was killed a moment ago still looks alive: only an answer proves that it is.
    if (ready !== undefined && (await answers(data, ready, password))) {
      log.info('The running embedded PostgreSQL is taken over.', { pid: ready.pid, port: ready.port });
      return ready;
    }
  }
  removeForeignServerState(data, state.pid);
  return undefined;
}

/** False when the process ended before it gave an answer. */
async function answers(data: string, server: ServerState, password: string): Promise<boolean> {
  for (;;) {
    const client = new pg.Client({ connectionString: urlOf(server.port, password), connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch (error) {
      if (error instanceof pg.DatabaseError) return true; // It lives; what it says is for whoever opens the pool.
      if (!isServerOf(data, server.pid)) return false;
      await sleep(pollMs);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Polls, because a server that was taken over is nobody's child. Undefined when the process has ended. */
async function waitUntilReady(data: string, pid: number): Promise<ServerState | undefined> {
  // Recovery after a crash of the machine may take minutes: as long as the server lives, it is waited for.
  for (;;) {
    const state = findServerState(data);
    if (state?.pid === pid && state.status === 'ready') return state;
    if (findProcessIdentity(pid) === undefined) return undefined;
    await sleep(pollMs);
  }
}

/** Tries again when another program took the port first, or when children of a killed server still hold its memory. */
async function startWithRetry(
  start: (port: number) => Promise<ServerState>,
  choosePort: () => Promise<number>,
): Promise<ServerState> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await choosePort());
    } catch (error) {
      if (attempt === 10 || !/could not (bind|create any TCP)|shared memory|lock file/i.test(faultText(error))) throw error;
      await sleep(attempt * 100);
    }
  }
}

/** Fast shutdown first; one that hangs is cut off, and recovers from its log at the next start. */
async function stopServer(data: string, pid: number): Promise<void> {
  for (const { signal, waitMs } of [
    { signal: 'SIGINT', waitMs: 30_000 },
    { signal: 'SIGQUIT', waitMs: 10_000 },
  ] as const) {
    if (!isServerOf(data, pid)) return;
    process.kill(pid, signal);
    for (let waited = 0; waited < waitMs; waited += pollMs) {
      if (!isServerOf(data, pid)) return;
      await sleep(pollMs);
    }
  }
  throw new Fault('timeout', 'postgres.cannot_stop', `Embedded PostgreSQL (process ${pid}) does not stop.`, { details: { pid } });
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolvePort(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
