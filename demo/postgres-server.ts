import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createLauncher, findPostgresAccount, type PostgresAccount } from '../src/app/postgres-account.ts';
import { locateBinaries } from '../src/app/postgres-cluster.ts';
import { silentLog } from '../src/base/log.ts';

const run = promisify(execFile);

/** Makes a new data directory at `dir`, owned by the user the server runs as; superuser `demo`, no password. */
export async function initDatabase(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // PostgreSQL refuses to run as root.
  const account = findPostgresAccount(silentLog);
  if (account !== undefined) chownSync(dir, account.uid, account.gid);
  await runProgram('initdb', dir, ['-D', dir, '--auth=trust', '--username=demo', '--encoding=UTF8', '--locale=C', '--no-sync']);
}

/** Starts the server on `dir` and waits until it answers. It goes on when this process ends. */
export async function startDatabase(dir: string, port: number): Promise<void> {
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=20`;
  await runProgram('pg_ctl', dir, ['start', '-w', '-s', '-D', dir, '-l', join(dir, 'server.log'), '-o', settings]);
}

/** Stops the server on `dir` and waits for it; does nothing when none runs there. */
export async function stopDatabase(dir: string): Promise<void> {
  if (!existsSync(join(dir, 'postmaster.pid'))) return;
  await runProgram('pg_ctl', dir, ['stop', '-w', '-s', '-m', 'fast', '-D', dir]);
}

/** Runs one of the embedded programs as the owner of the data directory. */
async function runProgram(name: 'initdb' | 'pg_ctl', dir: string, args: readonly string[]): Promise<void> {
  const program = join(dirname((await locateBinaries()).postgres), name);
  const { command, args: wrapped, uid, gid } = createLauncher(findOwner(dir), program, dir)(program, args);
  await run(command, wrapped, { cwd: '/', ...(uid === undefined || gid === undefined ? {} : { uid, gid }) });
}

function findOwner(dir: string): PostgresAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(dir);
  return { uid, gid };
}
