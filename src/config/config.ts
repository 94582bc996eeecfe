import type { AccessSettings } from './access-settings.ts';

export const roles = ['api', 'worker', 'scheduler'] as const;
export type Role = (typeof roles)[number];

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const switches = ['on', 'off'] as const;

export const logFormats = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof logFormats)[number];

/** What single values decide; each is a row of `settings.ts`. Paths are absolute. */
export interface Settings extends AccessSettings {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  /** Undefined: the embedded PostgreSQL. */
  readonly databaseUrl: string | undefined;
  readonly providersDir: string;
  readonly volumesDir: string;
  readonly roles: readonly Role[];
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Of one repository, for hashing, compressing and sealing. */
  readonly threads: number;
  /** Operations this process carries out at once. */
  readonly workerConcurrency: number;
  /** What one project may have unless a quota says otherwise; -1: any number. */
  readonly quotaPlans: number;
  readonly quotaCheckpoints: number;
  readonly quotaProtectedBytes: number;
  readonly quotaStoredBytes: number;
  /** Seconds. */
  readonly triggerMinInterval: number;
  /** Of each repository in which something is on its way out. */
  readonly dailyGc: (typeof switches)[number];
  /** Items on one page of a list. */
  readonly maxLimit: number;
  /** Bytes a second into all banks together; undefined: any number. */
  readonly uploadLimit: number | undefined;
  /** The same out of them. */
  readonly downloadLimit: number | undefined;
}

/** No two have the same name and type. */
export interface NamedVolume {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly type: 'Host::Directory' | 'Host::Block';
}

/** A command that plans may name as a hook: program and arguments, started without a shell. */
export interface HookCommand {
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** Everything the service is told from outside, checked and frozen. Read once, handed down as values. */
export interface Config extends Settings {
  /** The file that was read; undefined when there is none. */
  readonly file: string | undefined;
  /** Folders whose entries are volumes: `volumesDir` first. */
  readonly volumeRoots: readonly string[];
  readonly volumes: readonly NamedVolume[];
  readonly hooks: Readonly<Record<string, HookCommand>>;
  /** What the policy file says, by the names of the rules; not yet looked into. */
  readonly policy: Readonly<Record<string, string>>;
  /** What hook commands find in their environment. */
  readonly hookEnvironment: Readonly<Record<string, string>>;
  /** Packages with plugins, by their exact npm names. */
  readonly plugins: readonly string[];
  /** Where each setting's value comes from, and its text as it was given. */
  readonly origins: Readonly<Record<keyof Settings, SettingOrigin>>;
  /** `KARRI_…` variables that mean nothing here: a misspelt setting, maybe, or one that a provider file names. */
  readonly unknownVariables: readonly string[];
  /** A variable that the operator's own files name (`passphrase_env`, …). */
  readEnvironment(name: string): string | undefined;
}

export interface SettingOrigin {
  readonly from: 'environment' | 'file' | 'default';
  readonly text: string;
}
