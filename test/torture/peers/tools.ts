import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** A program at one repository on this machine, as a user calls it. Every command runs with the tool's `environment`. */
export interface Tool {
  readonly name: 'karri' | 'restic' | 'borg';
  /** Folder of the repository, below the one that the tool was made for. */
  readonly repository: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Folders of a process' own, that are no part of the repository. */
  prepare(): void;
  readonly init: readonly Command[];
  backup(source: string, name: string): Command;
  /** Names of all snapshots out of what `list` printed. */
  readonly list: Command;
  readNames(output: string): string[];
  /** Into `target`, which is an empty folder; the file lands at `landedAt`. */
  restore(snapshot: string, source: string, target: string): Command & { readonly landedAt: string };
  /** Reads everything. */
  readonly check: Command;
  /** Forgets the snapshot and gives back its space. */
  collect(snapshot: string): readonly Command[];
  /** Kind of file → its files, relative to the repository. */
  files(): Readonly<Record<string, readonly string[]>>;
  /** Whether what a check printed names the file. */
  names(output: string, file: string): boolean;
}

const karriProgram = fileURLToPath(new URL('../../../bin/karri.mjs', import.meta.url));
const collectProgram = fileURLToPath(new URL('./collect.ts', import.meta.url));

export function createTool(name: Tool['name'], folder: string): Tool {
  return { karri: createKarri, restic: createRestic, borg: createBorg }[name](folder);
}

function createKarri(folder: string): Tool {
  const repository = join(folder, 'repository');
  const bank = ['--bank', repository, '--key-file', join(folder, 'own/key')];
  const karri = (...args: string[]): Command => ({ program: process.execPath, args: [karriProgram, ...args] });
  const data = 'repositories/local';
  return {
    name: 'karri',
    repository,
    environment: { HOME: join(folder, 'own'), TMPDIR: join(folder, 'own') },
    prepare: () => void mkdirSync(join(folder, 'own'), { recursive: true }),
    init: [],
    backup: (source) => karri('backup', source, ...bank, '--init'),
    list: karri('snapshots', ...bank, '--json'),
    readNames: (output) => (JSON.parse(output) as { readonly id: string }[]).map(({ id }) => id),
    restore(snapshot, _source, target) {
      const landedAt = join(target, 'restored');
      return { ...karri('restore', snapshot, landedAt, ...bank), landedAt };
    },
    check: karri('check', ...bank, '--percent', '100'),
    collect: (snapshot) => [{ program: process.execPath, args: [collectProgram, repository, join(folder, 'own/key'), snapshot] }],
    files: () =>
      filesOf(repository, {
        keys: `${data}/keys/`,
        packs: `${data}/packs/`,
        indexes: `${data}/indexes/`,
        snapshots: `${data}/snapshots/`,
      }),
    names: (output, file) => output.includes(file.slice(`${data}/`.length)),
  };
}

function createRestic(folder: string): Tool {
  const repository = join(folder, 'repository');
  const restic = (...args: string[]): Command => ({ program: 'restic', args: ['-r', repository, '--no-cache', '-q', ...args] });
  return {
    name: 'restic',
    repository,
    environment: { RESTIC_PASSWORD: 'torture', HOME: join(folder, 'own'), TMPDIR: join(folder, 'own') },
    prepare: () => void mkdirSync(join(folder, 'own'), { recursive: true }),
    init: [restic('init', '--repository-version', '2')],
    backup: (source) => restic('backup', source),
    list: restic('snapshots', '--json', '--no-lock'),
    readNames: (output) => (JSON.parse(output) as { readonly id: string }[]).map(({ id }) => id),
    restore: (snapshot, source, target) => ({
      ...restic('restore', snapshot, '--target', target),
      landedAt: join(target, source),
    }),
    check: restic('check', '--read-data'),
    collect: (snapshot) => [restic('forget', snapshot, '--prune')],
    files: () =>
      filesOf(repository, { config: 'config', keys: 'keys/', data: 'data/', index: 'index/', snapshots: 'snapshots/' }),
    names: (output, file) => output.includes((file.split('/').at(-1) ?? file).slice(0, 8)),
  };
}

function createBorg(folder: string): Tool {
  const repository = join(folder, 'repository');
  const borg = (...args: string[]): Command => ({ program: 'borg', args });
  return {
    name: 'borg',
    repository,
    environment: {
      BORG_PASSPHRASE: 'torture',
      BORG_BASE_DIR: join(folder, 'own'),
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      BORG_CHECK_I_KNOW_WHAT_I_AM_DOING: 'NO',
      TMPDIR: join(folder, 'own'),
    },
    prepare: () => void mkdirSync(join(folder, 'own'), { recursive: true }),
    init: [borg('init', '-e', 'repokey-blake2', repository)],
    backup: (source, name) => borg('create', `${repository}::${name}`, source),
    list: borg('list', '--json', repository),
    readNames: (output) =>
      (JSON.parse(output) as { readonly archives: { readonly name: string }[] }).archives.map(({ name }) => name),
    restore(snapshot, source, target) {
      const args = ['-c', 'cd "$1" && exec borg extract "$2"', 'sh', target, `${repository}::${snapshot}`];
      return { program: 'sh', args, landedAt: join(target, source) };
    },
    check: borg('check', '--verify-data', repository),
    collect: (snapshot) => [borg('delete', `${repository}::${snapshot}`), borg('compact', repository)],
    files: () =>
      filesOf(repository, { config: 'config', data: 'data/', index: 'index.', hints: 'hints.', integrity: 'integrity.' }),
    names: (output, file) => new RegExp(`\\b${(file.split('/').at(-1) ?? file).replaceAll('.', '\\.')}\\b`).test(output),
  };
}

function filesOf(repository: string, prefixes: Readonly<Record<string, string>>): Record<string, string[]> {
  const all = readdirSync(repository, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
    .sort();
  const kinds = Object.entries(prefixes).map(([kind, prefix]) => [kind, all.filter((file) => file.startsWith(prefix))] as const);
  return Object.fromEntries(kinds.filter(([, files]) => files.length > 0));
}

export function isInstalled(name: Tool['name']): boolean {
  return name === 'karri' || (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}

export interface Ended {
  /** Undefined when it was killed, or did not end within the time. */
  readonly code: number | undefined;
  readonly printed: string;
  /** The same, and what it complained of. */
  readonly output: string;
}

const hungAfterMs = 180_000;

/** Runs to its end; or to `killAfterMs`, when it gets the signal that nobody can catch. */
export function runTool(tool: Tool, { program, args }: Command, killAfterMs = hungAfterMs): Promise<Ended> {
  return new Promise((resolve) => {
    const options = {
      env: { PATH: process.env.PATH, ...tool.environment },
      timeout: killAfterMs,
      killSignal: 'SIGKILL',
      maxBuffer: 2 ** 26,
    } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
      resolve({ code, printed: stdout, output: `${stdout}${stderr}` });
    });
  });
}
