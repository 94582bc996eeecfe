import { availableParallelism } from 'node:os';
import { GiB, KiB, parseBytes } from '../base/bytes.ts';
import { accessSettings } from './access-settings.ts';
import { logFormats, logLevels, type Role, roles, type Settings, switches } from './config.ts';
import { bad, oneOf, path, type Setting, wholeNumber } from './setting.ts';

const byteRate = {
  allowed: 'a number, or one with KiB, MiB or GiB behind it, from 1KiB to 1024GiB',
  parse: parseByteRate,
};

const byteLimit = {
  allowed: '-1 (any number), a number, or one with KiB, MiB, GiB, TiB or PiB behind it',
  parse: (text: string): number | typeof bad => {
    const bytes = text === '-1' ? -1 : parseBytes(text);
    return Number.isSafeInteger(bytes) ? bytes : bad;
  },
};

export const settings: { readonly [Name in keyof Settings]: Setting<Settings[Name]> } = {
  host: {
    variable: 'KARRI_HOST',
    key: 'host',
    fallback: '127.0.0.1',
    meaning: 'Address the API listens on',
    allowed: 'an IP address or a host name',
    parse: (text) => (/^[\w.:-]+$/.test(text) ? text : bad),
  },
  port: {
    variable: 'KARRI_PORT',
    key: 'port',
    fallback: '8799',
    meaning: 'Port the API listens on; 0 takes a free one',
    ...wholeNumber(0, 65_535),
  },
  stateDir: {
    variable: 'KARRI_STATE_DIR',
    key: 'state_dir',
    fallback: './var',
    meaning: 'Folder of everything the service keeps on this machine; one running service each',
    ...path,
  },
  databaseUrl: {
    variable: 'DATABASE_URL',
    key: 'database_url',
    fallback: '',
    meaning:
      'PostgreSQL server to use (`postgres://user:password@host:port/database`); not set: an embedded one under the state folder',
    allowed: 'a postgres:// address',
    isSecret: true,
    parse: (text) => (text === '' ? undefined : /^postgres(ql)?:$/.test(URL.parse(text)?.protocol ?? '') ? text : bad),
  },
  providersDir: {
    variable: 'KARRI_PROVIDERS_DIR',
    key: 'providers_dir',
    fallback: 'STATE_DIR/providers.d',
    meaning: 'Folder of the provider files, `*.yaml`; read at start and on SIGHUP',
    ...path,
  },
  volumesDir: {
    variable: 'KARRI_VOLUMES_DIR',
    key: 'volumes_dir',
    fallback: 'STATE_DIR/volumes',
    meaning: 'Each folder in it is a `Host::Directory`, each `*.img`, `*.raw`, `*.qcow2` file a `Host::Block`',
    ...path,
  },
  roles: {
    variable: 'KARRI_ROLES',
    key: 'roles',
    fallback: 'all',
    meaning: 'What this process does; several processes share one DATABASE_URL',
    allowed: `all, or some of ${roles.join(', ')}, separated by commas`,
    parse: parseRoles,
  },
  ...accessSettings,
  logLevel: {
    variable: 'KARRI_LOG_LEVEL',
    key: 'log_level',
    fallback: 'info',
    meaning: 'The least important lines to log',
    ...oneOf(logLevels),
  },
  logFormat: {
    variable: 'KARRI_LOG_FORMAT',
    key: 'log_format',
    fallback: 'auto',
    meaning: 'How lines look; `auto` is text on a terminal, json elsewhere',
    ...oneOf(logFormats),
  },
  threads: {
    variable: 'KARRI_THREADS',
    key: 'threads',
    fallback: 'auto',
    meaning: 'Threads that hash, compress and seal; `auto`: one for each CPU',
    allowed: 'auto or a whole number from 1 to 256',
    parse: (text) => (text === 'auto' ? Math.min(availableParallelism(), 256) : wholeNumber(1, 256).parse(text)),
  },
  workerConcurrency: {
    variable: 'KARRI_WORKER_CONCURRENCY',
    key: 'worker_concurrency',
    fallback: '4',
    meaning: 'Operations this process carries out at once',
    ...wholeNumber(1, 64),
  },
  quotaPlans: {
    variable: 'KARRI_QUOTA_PLANS',
    key: 'quota_plans',
    fallback: '50',
    meaning: 'Plans a project may have unless a quota says otherwise; -1: any number',
    ...wholeNumber(-1, 1_000_000_000),
  },
  quotaCheckpoints: {
    variable: 'KARRI_QUOTA_CHECKPOINTS',
    key: 'quota_checkpoints',
    fallback: '-1',
    meaning: 'The same for checkpoints',
    ...wholeNumber(-1, 1_000_000_000),
  },
  quotaProtectedBytes: {
    variable: 'KARRI_QUOTA_PROTECTED_BYTES',
    key: 'quota_protected_bytes',
    fallback: '-1',
    meaning: 'The same for the size of all that a project protects, such as `10TiB`',
    ...byteLimit,
  },
  quotaStoredBytes: {
    variable: 'KARRI_QUOTA_STORED_BYTES',
    key: 'quota_stored_bytes',
    fallback: '-1',
    meaning: 'The same for what a project has in the banks',
    ...byteLimit,
  },
  triggerMinInterval: {
    variable: 'KARRI_TRIGGER_MIN_INTERVAL',
    key: 'trigger_min_interval',
    fallback: '3600',
    meaning: 'Seconds that lie at least between two strikes of one trigger',
    ...wholeNumber(1, 86_400),
  },
  dailyGc: {
    variable: 'KARRI_DAILY_GC',
    key: 'daily_gc',
    fallback: 'on',
    meaning:
      'Whether deletions are finished in banks in which nobody deletes any more: one garbage collection a day while there is garbage',
    ...oneOf(switches),
  },
  maxLimit: {
    variable: 'KARRI_MAX_LIMIT',
    key: 'max_limit',
    fallback: '1000',
    meaning: 'Items on one page of a list, at most',
    ...wholeNumber(1, 100_000),
  },
  uploadLimit: {
    variable: 'KARRI_UPLOAD_LIMIT',
    key: 'upload_limit',
    fallback: '',
    meaning: 'Bytes a second that go into all banks together, such as `20MiB`; not set: as many as there can be',
    ...byteRate,
  },
  downloadLimit: {
    variable: 'KARRI_DOWNLOAD_LIMIT',
    key: 'download_limit',
    fallback: '',
    meaning: 'The same for bytes that come out of them',
    ...byteRate,
  },
};

export const settingNames = Object.keys(settings) as (keyof Settings)[];

/** Names the configuration file; it cannot stand in it. */
export const configVariable = 'KARRI_CONFIG';

function parseRoles(text: string): readonly Role[] | typeof bad {
  if (text === 'all') return roles;
  const wanted = text.split(',').map((part) => part.trim());
  if (!wanted.every((part) => roles.some((role) => role === part))) return bad;
  return roles.filter((role) => wanted.includes(role));
}

function parseByteRate(text: string): number | undefined | typeof bad {
  if (text === '') return undefined;
  const bytes = parseBytes(text);
  return bytes >= KiB && bytes <= 1024 * GiB ? bytes : bad;
}
