import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { Fault } from '../base/faults.ts';
import { parseChecked } from './check.ts';
import type { Config, NamedVolume, SettingOrigin, Settings } from './config.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { refuseUnsafe } from './safety.ts';
import { bad, type Setting } from './setting.ts';
import { configVariable, settingNames, settings } from './settings.ts';

const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const fileSchema = Type.Object(
  {
    ...Object.fromEntries(settingNames.map((name) => [settings[name].key, Type.Optional(scalar)])),
    roles: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    volume_roots: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
    volumes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            // One entry of a folder that a listing would show: a restore may make a volume of this name.
            name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^/.\\u0000][^/\\u0000]*$' }),
            path: Type.String({ minLength: 1 }),
            type: Type.Union([Type.Literal('Host::Directory'), Type.Literal('Host::Block')]),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    hooks: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1 }),
        Type.Object(
          {
            command: Type.Array(Type.String(), { minItems: 1 }),
            timeout_seconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400 })),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    plugins: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  },
  { additionalProperties: false },
);
type ConfigFile = Static<typeof fileSchema>;

const defaultHookTimeoutSeconds = 60;

/**
 * What the environment says wins over the file, the file over the defaults;
 * `overrides` (from a command line, under the variables' names) win over everything.
 * @throws invalid `config.*` naming the setting, its value and what is allowed; forbidden `config.unsafe_noauth`, `config.open_secret`
 */
export function readConfig(overrides: Environment = {}, environment: Environment = readEnvironment()): Config {
  const given = { ...withoutEmpty(environment), ...withoutEmpty(overrides) };
  const file = findFile(given);
  const content: ConfigFile = file === undefined ? {} : parseChecked(file, readText(file), fileSchema);
  const fileFolder = dirname(file ?? resolve('karri.yaml'));

  const origins = {} as Record<keyof Settings, SettingOrigin>;
  const read = <Name extends keyof Settings>(name: Name, stateDir: string): Settings[Name] => {
    const setting: Setting<Settings[Name]> = settings[name];
    const origin = findOrigin(setting, given, content);
    origins[name] = origin;
    const value = setting.parse(setting.isPath ? toPath(origin, fileFolder, stateDir) : origin.text);
    if (value === bad) throw badValue(setting, origin, file);
    return value;
  };
  const stateDir = read('stateDir', '');
  const values = {
    host: read('host', stateDir),
    port: read('port', stateDir),
    stateDir,
    databaseUrl: read('databaseUrl', stateDir),
    providersDir: read('providersDir', stateDir),
    volumesDir: read('volumesDir', stateDir),
    roles: read('roles', stateDir),
    auth: read('auth', stateDir),
    tls: read('tls', stateDir),
    publicUrl: read('publicUrl', stateDir),
    policyFile: read('policyFile', stateDir),
    tokenCacheSeconds: read('tokenCacheSeconds', stateDir),
    requestsPerSecond: read('requestsPerSecond', stateDir),
    keystoneUrl: read('keystoneUrl', stateDir),
    keystonePublicUrl: read('keystonePublicUrl', stateDir),
    keystoneUser: read('keystoneUser', stateDir),
    keystonePassword: read('keystonePassword', stateDir),
    keystoneProject: read('keystoneProject', stateDir),
    keystoneUserDomain: read('keystoneUserDomain', stateDir),
    keystoneProjectDomain: read('keystoneProjectDomain', stateDir),
    keystoneTimeoutSeconds: read('keystoneTimeoutSeconds', stateDir),
    logLevel: read('logLevel', stateDir),
    logFormat: read('logFormat', stateDir),
    threads: read('threads', stateDir),
    workerConcurrency: read('workerConcurrency', stateDir),
    quotaPlans: read('quotaPlans', stateDir),
    quotaCheckpoints: read('quotaCheckpoints', stateDir),
    quotaProtectedBytes: read('quotaProtectedBytes', stateDir),
    quotaStoredBytes: read('quotaStoredBytes', stateDir),
    triggerMinInterval: read('triggerMinInterval', stateDir),
    dailyGc: read('dailyGc', stateDir),
    maxLimit: read('maxLimit', stateDir),
    uploadLimit: read('uploadLimit', stateDir),
    downloadLimit: read('downloadLimit', stateDir),
  };
  refuseUnsafe(values, origins, file);
  refuseTwins(content.volumes ?? [], file);

  const absolute = (path: string): string => resolve(fileFolder, path);
  const hooks = Object.entries(content.hooks ?? {}).map(([name, { command, timeout_seconds }]) => {
    return [name, { command, timeoutMs: (timeout_seconds ?? defaultHookTimeoutSeconds) * 1000 }] as const;
  });
  const known = new Set([configVariable, ...settingNames.map((name) => settings[name].variable)]);
  return deepFreeze({
    ...values,
    file,
    volumeRoots: [values.volumesDir, ...(content.volume_roots ?? []).map(absolute)],
    volumes: (content.volumes ?? []).map((volume) => ({ ...volume, path: absolute(volume.path) })),
    hooks: Object.fromEntries(hooks),
    policy: readPolicy(values.policyFile, origins.policyFile),
    hookEnvironment: pick(given, ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']),
    plugins: content.plugins ?? [],
    origins,
    unknownVariables: Object.keys(given).filter((name) => name.startsWith('KARRI_') && !known.has(name)),
    readEnvironment: (name: string) => given[name],
  });
}

/** A variable that is set to nothing is not set. */
function withoutEmpty(values: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

/** `KARRI_CONFIG`, which must then be there, or `karri.yaml` in the state folder where it is. */
function findFile(given: Environment): string | undefined {
  const named = given[configVariable];
  if (named === undefined) {
    const usual = resolve(given[settings.stateDir.variable] ?? settings.stateDir.fallback, 'karri.yaml');
    return existsSync(usual) ? usual : undefined;
  }
  if (existsSync(named)) return resolve(named);
  throw new Fault('invalid', 'config.no_file', `${configVariable} names a file that is not there: ${resolve(named)}.`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Fault('invalid', 'config.no_file', `The configuration file ${file} cannot be read.`, { cause });
  }
}

function findOrigin({ variable, key, fallback }: Setting<unknown>, given: Environment, content: ConfigFile): SettingOrigin {
  const fromEnvironment = given[variable];
  if (fromEnvironment !== undefined) return { from: 'environment', text: fromEnvironment };
  const fromFile: unknown = Object.entries(content).find(([name]) => name === key)?.[1];
  if (fromFile !== undefined) return { from: 'file', text: Array.isArray(fromFile) ? fromFile.join(',') : String(fromFile) };
  return { from: 'default', text: fallback };
}

function toPath({ from, text }: SettingOrigin, fileFolder: string, stateDir: string): string {
  if (from === 'default' && text.startsWith('STATE_DIR/')) return join(stateDir, text.slice('STATE_DIR/'.length));
  return from === 'file' ? resolve(fileFolder, text) : resolve(text);
}

function badValue(
  { variable, key, allowed, isSecret }: Setting<unknown>,
  { from, text }: SettingOrigin,
  file: string | undefined,
): Fault {
  const name = from === 'file' ? `${key} in ${file}` : variable;
  const shown = isSecret ? 'not usable (its value is not shown)' : JSON.stringify(text);
  return new Fault('invalid', 'config.bad_value', `${name} is ${shown}; it must be ${allowed}.`, {
    details: { setting: variable },
  });
}

/** Rules by name; what they mean is for the policy to say. */
function readPolicy(file: string, origin: SettingOrigin): Readonly<Record<string, string>> {
  if (existsSync(file)) return parseChecked(file, readText(file), Type.Record(Type.String(), Type.String()));
  if (origin.from === 'default') return {};
  throw new Fault('invalid', 'config.no_file', `KARRI_POLICY_FILE names a file that is not there: ${file}.`);
}

/** The id of a named volume is made from its type and name, so two of them would be one. */
function refuseTwins(volumes: readonly NamedVolume[], file: string | undefined): void {
  for (const [index, { name, type }] of volumes.entries()) {
    const first = volumes.findIndex((other) => other.name === name && other.type === type);
    if (first === index) continue;
    const field = `volumes.${index}`;
    throw new Fault(
      'invalid',
      'config.duplicate_volume',
      `${file}: ${field} has the name and type of volumes.${first}: ${name} (${type}).`,
      {
        details: { field },
        help: 'Give each volume of one type its own name: its id is made from it.',
      },
    );
  }
}

function pick(from: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
