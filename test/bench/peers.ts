import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchServer } from './bench-server.ts';
import { type Call, gnuTime, runQuietly } from './measure.ts';

export interface BackupOptions {
  readonly level?: 'fast';
  /** Read every byte, whatever size and times say. */
  readonly everything?: boolean;
  /** A file that lists the changed ranges since the last backup; who knows no such list backs up as ever. */
  readonly changed?: string;
}

/** One program at one repository of its own, empty at first. */
export interface Subject {
  readonly name: string;
  prepare(): Promise<void>;
  backup(source: string, options: BackupOptions): Call;
  /** Takes what `backup` printed. */
  noteBackup(output: string): void;
  /** Of the last backup, below `folder`. */
  restore(source: string, folder: string): Call & { readonly landedAt: string };
  storedBytes(): Promise<number>;
  remove(): void;
}

/** Program → Debian's package. */
const packages: Readonly<Record<string, string>> = {
  restic: 'restic',
  borg: 'borgbackup',
  [gnuTime]: 'time',
  'mkfs.ext4': 'e2fsprogs',
};

/** Installs what is missing where that is allowed; what is still missing then, by name and reason. */
export function installPeers(): { readonly missing: readonly string[]; readonly reason: string } {
  const listMissing = (): string[] => Object.keys(packages).filter((program) => !isThere(program));
  if (listMissing().length === 0) return { missing: [], reason: '' };
  if (process.getuid?.() !== 0) return { missing: listMissing(), reason: 'only root may install packages' };
  const wanted = listMissing().map((program) => packages[program] ?? program);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]): string => {
    const { error, status, stderr } = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=600', '-qq', ...args], {
      env: environment,
      encoding: 'utf8',
    });
    return error?.message ?? (status === 0 ? '' : stderr.trim());
  };
  const reason = apt('update') || apt('install', '-y', '--no-install-recommends', ...wanted);
  return { missing: listMissing(), reason: reason || 'the packages do not hold them' };
}

export function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `PATH=$PATH:/sbin:/usr/sbin command -v ${program}`]).status === 0;
}

export function readVersion(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n')[0] ?? '';
}

const karri = fileURLToPath(new URL('../../bin/karri.mjs', import.meta.url));

/** Karri as a user starts it: the plain command, Node's start included. `folder` holds key and bank, unless the bank is in the server. */
export function createKarri(folder: string, server?: BenchServer): Subject {
  const bankFolder = join(folder, 'bank');
  const bucket = server?.newBucket('karri');
  const bank =
    server === undefined || bucket === undefined
      ? ['--bank', bankFolder]
      : ['--bank', `s3://${bucket}`, '--endpoint', server.endpoint];
  const common = [...bank, '--key-file', join(folder, 'key'), '--json'];
  const environment = server?.environment ?? {};
  let last: string | undefined;
  return {
    name: 'karri',
    prepare: async () => void mkdirSync(bankFolder, { recursive: true }),
    backup(source, { level, everything, changed }) {
      const options = [
        ...(last === undefined ? ['--init'] : []),
        ...(level === 'fast' ? ['--fast'] : []),
        ...(everything ? ['--read-everything'] : []),
        ...(changed === undefined || last === undefined ? [] : ['--since', last, '--changed', changed]),
      ];
      return { program: process.execPath, args: [karri, 'backup', source, ...common, ...options], environment };
    },
    noteBackup(output) {
      last = String((JSON.parse(output) as { snapshot: unknown }).snapshot);
    },
    restore(_source, target) {
      const landedAt = join(target, 'restored');
      // The peers do not wait for the disk either.
      const args = [karri, 'restore', last ?? '', landedAt, '--no-sync', ...common];
      return { program: process.execPath, args, environment, landedAt };
    },
    storedBytes: async () => (server === undefined || bucket === undefined ? countBytes(bankFolder) : server.countBytes(bucket)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function createRestic(folder: string, server?: BenchServer): Subject {
  const repository = join(folder, 'repository');
  const bucket = server?.newBucket('restic');
  const common = ['-r', server === undefined ? repository : `s3:${server.endpoint}/${bucket}`, '-q'];
  const environment = {
    ...server?.environment,
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(folder, 'cache'),
  };
  return {
    name: 'restic',
    async prepare() {
      mkdirSync(folder, { recursive: true });
      await runQuietly({ program: 'restic', args: [...common, 'init', '--repository-version', '2'], environment });
    },
    backup: (source, { everything }) => ({
      program: 'restic',
      args: [...common, 'backup', ...(everything ? ['--force'] : []), source],
      environment,
    }),
    noteBackup: () => undefined,
    restore: (source, target) => ({
      program: 'restic',
      args: [...common, 'restore', 'latest', '--target', target],
      environment,
      landedAt: join(target, source),
    }),
    storedBytes: async () => (server === undefined || bucket === undefined ? countBytes(repository) : server.countBytes(bucket)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function createBorg(folder: string): Subject {
  const repository = join(folder, 'repository');
  const environment = { BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: join(folder, 'base') };
  let count = 0;
  return {
    name: 'borg',
    async prepare() {
      mkdirSync(folder, { recursive: true });
      await runQuietly({ program: 'borg', args: ['init', '-e', 'repokey-blake2', repository], environment });
    },
    backup: (source, { everything }) => ({
      program: 'borg',
      args: ['create', ...(everything ? ['--files-cache', 'disabled'] : []), `${repository}::b${count + 1}`, source],
      environment,
    }),
    noteBackup() {
      count += 1;
    },
    restore: (source, target) => ({
      program: 'borg',
      args: ['extract', '--sparse', `${repository}::b${count}`],
      environment,
      folder: target,
      landedAt: join(target, source),
    }),
    storedBytes: async () => countBytes(repository),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function countBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
