import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/base/clock.ts';

const ours = fileURLToPath(new URL('../../bin/karri.mjs', import.meta.url));
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

export interface KarriOptions {
  /** Made when it is not there. The service's log is written beside what it keeps: `karri.log`. */
  readonly stateDir: string;
  /** Settings of the service (`KARRI_…`, `DATABASE_URL`); nothing of the caller's own `KARRI_` settings is handed on. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Another Karri than this clone's. */
  readonly program?: string;
}

/** A Karri service in a process of its own, with its embedded PostgreSQL, as an operator would run it. */
export interface KarriProcess {
  readonly url: string;
  readonly port: number;
  readonly logFile: string;
  /** Resolves when `/readyz` says so. Does nothing while the service runs. @throws when it ends first, with the end of its log */
  start(): Promise<void>;
  /** SIGTERM, and waits until it has ended by itself. @throws when it ends with a code other than 0 */
  stop(): Promise<void>;
  /** SIGKILL to the service alone: its PostgreSQL is left as it is, as after a crash. */
  kill(): Promise<void>;
  /** Ends whatever still runs, the database server included. */
  dispose(): Promise<void>;
}

/** A port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}

export async function createKarriProcess(options: KarriOptions): Promise<KarriProcess> {
  const { stateDir, settings = {}, program = ours } = options;
  mkdirSync(stateDir, { recursive: true });
  const logFile = join(stateDir, 'karri.log');
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  const environment = (): NodeJS.ProcessEnv => ({
    ...withoutKarriSettings(process.env),
    KARRI_STATE_DIR: stateDir,
    KARRI_HOST: '127.0.0.1',
    KARRI_PORT: String(port),
    ...settings,
  });

  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ending = child;
    if (ending === undefined) return 0;
    const exited = hasEnded(ending) ? Promise.resolve() : once(ending, 'exit');
    ending.kill(signal);
    const timer = new AbortController();
    const late = sleep(stopTimeoutMs, timer.signal).then(
      () => ending.kill('SIGKILL'),
      () => false,
    );
    await exited;
    timer.abort();
    await late;
    child = undefined;
    return ending.exitCode;
  };

  const start = async (): Promise<void> => {
    if (child !== undefined && !hasEnded(child)) return;
    const log = openSync(logFile, 'a');
    // Its own process group: a Ctrl-C in the terminal reaches the caller alone, who then stops the service in good order.
    child = spawn(process.execPath, [program, 'start'], {
      env: environment(),
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    await waitUntilReady(child, url, logFile);
  };

  return {
    url,
    port,
    logFile,
    start,
    stop: async () => {
      const code = await end('SIGTERM');
      if (code !== 0) throw new Error(`Karri ended with ${code ?? 'SIGKILL'} when asked to stop.\n${endOfLog(logFile)}`);
    },
    kill: async () => {
      await end('SIGKILL');
    },
    dispose: async () => {
      await end('SIGTERM');
      await stopDatabases(stateDir);
    },
  };
}

function withoutKarriSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(environment).filter(([name]) => !name.startsWith('KARRI_') && name !== 'DATABASE_URL');
  return Object.fromEntries(own);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function waitUntilReady(child: ChildProcess, url: string, logFile: string): Promise<void> {
  const deadline = systemClock.monotonic() + startTimeoutMs;
  for (;;) {
    if (hasEnded(child)) throw new Error(`Karri ended before it was ready.\n${endOfLog(logFile)}`);
    // Nobody listens yet: that is an answer too.
    const ready = await fetch(`${url}/readyz`).then(
      (response) => response.status === 200,
      () => false,
    );
    if (ready) return;
    if (systemClock.monotonic() > deadline) throw new Error(`Karri is not ready after a minute.\n${endOfLog(logFile)}`);
    await sleep(50);
  }
}

function endOfLog(logFile: string): string {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n') : '';
}

/** A killed service leaves its PostgreSQL running; each names itself in the `postmaster.pid` of its data directory. */
async function stopDatabases(stateDir: string): Promise<void> {
  if (!existsSync(stateDir)) return;
  for (const dir of readdirSync(stateDir, { withFileTypes: true })) {
    if (!dir.isDirectory()) continue;
    for (const pidFile of [join(stateDir, dir.name, 'postmaster.pid'), join(stateDir, dir.name, 'data', 'postmaster.pid')]) {
      if (existsSync(pidFile)) await stopDatabase(pidFile);
    }
  }
}

async function stopDatabase(pidFile: string): Promise<void> {
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  const deadline = systemClock.monotonic() + stopTimeoutMs;
  // SIGINT is PostgreSQL's fast shutdown. The file goes when the server has ended; the process may linger as a zombie.
  while (existsSync(pidFile) && isPostgres(pid)) {
    if (systemClock.monotonic() > deadline) {
      process.kill(pid, 'SIGKILL');
      return;
    }
    process.kill(pid, 'SIGINT');
    await sleep(100);
  }
}

/** Whether the process lives and is PostgreSQL: after a crash the number may long belong to somebody else. */
function isPostgres(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self') || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return false;
  }
}
