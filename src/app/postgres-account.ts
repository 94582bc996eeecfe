import { execFileSync } from 'node:child_process';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';

/** The system user PostgreSQL runs as when Karri itself runs as root; PostgreSQL refuses to run as root. */
export interface PostgresAccount {
  readonly uid: number;
  readonly gid: number;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const userName = 'postgres';

/** Undefined when Karri is not root: then PostgreSQL runs as the same user. A missing user is made, and the log says so. */
export function findPostgresAccount(log: Log): PostgresAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const account = readAccount();
  if (account !== undefined) return account;
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', userName], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (cause) {
    throw new Fault(
      'unavailable',
      'postgres.no_user',
      `PostgreSQL does not run as root, and the system user "${userName}" could not be made.`,
      {
        cause,
        retry: 'never',
        help: `Add a system user "${userName}", start Karri as an ordinary user, or set DATABASE_URL to a running server.`,
      },
    );
  }
  const made = readAccount();
  if (made === undefined) {
    throw new Fault('unavailable', 'postgres.no_user', `The system user "${userName}" was made but is not in /etc/passwd.`);
  }
  log.info('The system user that PostgreSQL runs as was made.', { user: userName, uid: made.uid });
  return made;
}

function readAccount(): PostgresAccount | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${userName}:`));
  if (line === undefined) return undefined;
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * How to start a program as the account. Where the way to the program or to the data is closed to it (a checkout under
 * /root, a private temporary folder), it is given one capability that opens the way and nothing else of root's.
 * PostgreSQL asks with access(2), which forgets capabilities of other users unless `no_setuid_fixup` is set.
 */
export function createLauncher(account: PostgresAccount | undefined, program: string, folder: string) {
  const closed = account && (findClosed(program, account) ?? findClosed(folder, account));
  const capability = account && closed && chooseCapability(closed, !mayPass(statSync(program), account));
  return (command: string, args: readonly string[]): Launch => {
    if (account === undefined) return { command, args };
    if (capability === undefined) return { command, args, ...account };
    const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--securebits=+no_setuid_fixup'];
    return {
      command: 'setpriv',
      args: [...identity, `--inh-caps=+${capability}`, `--ambient-caps=+${capability}`, command, ...args],
    };
  };
}

/** The topmost place on the way to `path`, itself included, that the account may not pass. ACLs are not looked at. */
function findClosed(path: string, account: PostgresAccount): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : findClosed(parent, account);
  return above ?? (mayPass(statSync(path), account) ? undefined : path);
}

function mayPass(stat: Stats, account: PostgresAccount): boolean {
  const bit = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001;
  return (stat.mode & bit) !== 0;
}

// Numbers of <linux/capability.h>. The first reads; the second also writes and runs: containers often have only that one.
const capabilities = [
  { name: 'dac_read_search', bit: 2n },
  { name: 'dac_override', bit: 1n },
];

function chooseCapability(closed: string, mustRun: boolean): string {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '';
  const held = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  const found = capabilities.slice(mustRun ? 1 : 0).find(({ bit }) => (held >> bit) & 1n);
  if (found !== undefined && hasSetpriv()) return found.name;
  throw new Fault('unavailable', 'postgres.closed_folder', `PostgreSQL runs as "${userName}", which may not pass ${closed}.`, {
    retry: 'never',
    help: 'Open it (chmod o+x), put KARRI_STATE_DIR and Karri itself elsewhere, start Karri as an ordinary user, or set DATABASE_URL.',
  });
}

function hasSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // Not installed, or one that is not util-linux's.
  }
}
