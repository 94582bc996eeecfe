import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { parseBytes } from '../base/bytes.ts';
import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import { parseChecked } from './check.ts';
import { deriveKey, refuseOpenSecret } from './secrets.ts';

/** One provider file, checked, with its key. */
export interface ProviderConfig {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly bank: PluginConfig;
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly protections: readonly PluginConfig[];
  readonly enabled: boolean;
  /** What the bank can hold, in bytes; undefined: nobody said. */
  readonly capacityBytes: number | undefined;
  /** Absolute. */
  readonly file: string;
  /** A path of this file, made absolute. */
  resolvePath(path: string): string;
}

export interface PluginConfig {
  readonly plugin: string;
  /** As it is written; the plugin's own schema checks it. */
  readonly config: Readonly<Record<string, unknown>>;
}

const pluginSchema = Type.Object(
  { plugin: Type.String({ minLength: 1 }), config: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
  { additionalProperties: false },
);
const fileSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String({ minLength: 1, maxLength: 255 }),
    description: Type.Optional(Type.String({ maxLength: 255 })),
    bank: pluginSchema,
    key: Type.Object(
      { file: Type.Optional(Type.String({ minLength: 1 })), passphrase_env: Type.Optional(Type.String({ minLength: 1 })) },
      { additionalProperties: false, minProperties: 1, maxProperties: 1 },
    ),
    protections: Type.Array(pluginSchema, { minItems: 1 }),
    enabled: Type.Optional(Type.Boolean()),
    capacity: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.String()])),
  },
  { additionalProperties: false },
);
type ProviderFile = Static<typeof fileSchema>;

/** Every `*.yaml` in the folder, in the order of names. */
export function listProviderFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => resolve(folder, name));
}

/**
 * All providers of a folder, those that are not enabled too.
 * @throws invalid `config.*`, naming file and field; conflict `config.duplicate_provider`; forbidden `config.open_secret`
 */
export async function readProviders(
  folder: string,
  readEnvironment: (name: string) => string | undefined,
): Promise<readonly ProviderConfig[]> {
  const providers: ProviderConfig[] = [];
  for (const file of listProviderFiles(folder)) {
    const provider = await readProvider(file, readEnvironment);
    const twin = providers.find(({ id }) => id === provider.id);
    if (twin !== undefined) {
      throw new Fault('conflict', 'config.duplicate_provider', `${twin.file} and ${file} have the same id ${provider.id}.`, {
        details: { id: provider.id },
        help: 'Remove one of them; `karri provider init` makes a file with an id of its own.',
      });
    }
    providers.push(provider);
  }
  return providers;
}

async function readProvider(file: string, readEnvironment: (name: string) => string | undefined): Promise<ProviderConfig> {
  const content = parseChecked(file, readFileSync(file, 'utf8'), fileSchema);
  if (!isUuidLike(content.id)) throw badField(file, 'id', `is ${JSON.stringify(content.id)}; it must be a UUID`);
  const id = canonicalUuid(content.id);
  const resolvePath = (path: string): string => resolve(dirname(file), path);
  const pluginConfig = (plugin: Static<typeof pluginSchema>): PluginConfig => ({
    plugin: plugin.plugin,
    config: plugin.config ?? {},
  });
  const credentials = content.bank.config?.['credentials_file'];
  if (typeof credentials === 'string' && existsSync(resolvePath(credentials))) refuseOpenSecret(resolvePath(credentials));
  return {
    id,
    name: content.name,
    description: content.description ?? '',
    bank: pluginConfig(content.bank),
    key: await readKey(file, id, content.key, readEnvironment),
    protections: content.protections.map(pluginConfig),
    enabled: content.enabled ?? true,
    capacityBytes: content.capacity === undefined ? undefined : readCapacity(file, content.capacity),
    file,
    resolvePath,
  };
}

function readCapacity(file: string, capacity: number | string): number {
  const bytes = parseBytes(String(capacity));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw badField(file, 'capacity', `is ${JSON.stringify(capacity)}; it must be a number of bytes, or one such as 10TiB`);
}

async function readKey(
  file: string,
  id: string,
  key: ProviderFile['key'],
  readEnvironment: (name: string) => string | undefined,
): Promise<Uint8Array> {
  if (key.passphrase_env !== undefined) {
    const passphrase = readEnvironment(key.passphrase_env);
    if (passphrase === undefined)
      throw badField(file, 'key.passphrase_env', `names the variable ${key.passphrase_env}, which is not set`);
    return deriveKey(passphrase, id);
  }
  const keyFile = resolve(dirname(file), key.file ?? '');
  if (!existsSync(keyFile)) throw badField(file, 'key.file', `names ${keyFile}, which is not there`);
  refuseOpenSecret(keyFile);
  const text = readFileSync(keyFile, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw badField(file, 'key.file', `names ${keyFile}, which must hold one line of 64 hex digits`);
  return Buffer.from(text, 'hex');
}

function badField(file: string, field: string, what: string): Fault {
  return new Fault('invalid', 'config.bad_field', `${file}: ${field} ${what}.`, { details: { file, field } });
}

/** The provider with that id, name or file name. @throws not-found `config.unknown_provider` */
export function getProvider(providers: readonly ProviderConfig[], wanted: string): ProviderConfig {
  const id = isUuidLike(wanted) ? canonicalUuid(wanted) : wanted;
  const found = providers.find((provider) => [provider.id, provider.name, basename(provider.file, '.yaml')].includes(id));
  if (found !== undefined) return found;
  const names = providers.map(({ name }) => name).join(', ');
  throw new Fault('not-found', 'config.unknown_provider', `There is no provider "${wanted}".`, {
    help: names === '' ? 'There is none at all: make one with `karri provider init`.' : `There are: ${names}.`,
  });
}
