import type { Static, TSchema } from 'typebox';
import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Protectable } from './protectable.ts';
import type { Protection, ProtectionSchemas } from './protection.ts';

/** A volume that the operator named because it lies outside the roots. */
export interface NamedVolume {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** `Host::Directory`, …: each plugin takes those of its own type. */
  readonly type: string;
}

/** What every plugin is given when it is opened. */
export interface PluginContext {
  readonly log: Log;
  /** A path of the configuration, made absolute against the file it was written in. */
  resolvePath(path: string): string;
  /** The value of an environment variable that the operator's configuration names; plugins never read the environment themselves. */
  readEnvironment(name: string): string | undefined;
  /** The folders whose entries are this host's volumes (`KARRI_VOLUMES_DIR` first); absolute. */
  readonly volumeRoots: readonly string[];
  /** No two have the same name and type. */
  readonly namedVolumes: readonly NamedVolume[];
  /** Folders that Karri itself writes: its database, its scratch space, the banks on this host. No volume may hold one or lie in one. Absolute. */
  readonly ownFolders: readonly string[];
}

/** Where checkpoints are kept: opens an object store that obeys the laws of `storage/object-store.ts`. */
export interface BankPlugin<Config extends TSchema = TSchema> {
  readonly kind: 'bank';
  readonly name: string;
  readonly configSchema: Config;
  /** Folders of this host that the bank writes; the caller adds them to `PluginContext.ownFolders`. Absent: none. */
  listOwnFolders?(config: Static<Config>, context: PluginContext): readonly string[];
  open(config: Static<Config>, context: PluginContext): Promise<ObjectStore>;
}

/** One kind of thing that can be protected. */
export interface ProtectablePlugin<Config extends TSchema = TSchema> {
  readonly kind: 'protectable';
  readonly name: string;
  /** `Host::Directory`, `OS::Cinder::Volume`, … */
  readonly type: string;
  /** Types under which resources of this type can hang in the resource graph. */
  readonly parentTypes: readonly string[];
  readonly configSchema: Config;
  open(config: Static<Config>, context: PluginContext): Promise<Protectable>;
}

/** How resources of some types are protected, restored, verified, copied and deleted. */
export interface ProtectionPlugin<Config extends TSchema = TSchema> {
  readonly kind: 'protection';
  readonly name: string;
  /** One entry per type this plugin protects; published by the API as `extended_info_schema`. */
  readonly schemas: Readonly<Record<string, ProtectionSchemas>>;
  readonly configSchema: Config;
  open(config: Static<Config>, context: PluginContext): Promise<Protection>;
}

export type Plugin = BankPlugin | ProtectablePlugin | ProtectionPlugin;

// Identity functions: the config schema types the config, and nothing happens on import.

export function defineBankPlugin<Config extends TSchema>(plugin: Omit<BankPlugin<Config>, 'kind'>): BankPlugin<Config> {
  return { kind: 'bank', ...plugin };
}

export function defineProtectablePlugin<Config extends TSchema>(
  plugin: Omit<ProtectablePlugin<Config>, 'kind'>,
): ProtectablePlugin<Config> {
  return { kind: 'protectable', ...plugin };
}

export function defineProtectionPlugin<Config extends TSchema>(
  plugin: Omit<ProtectionPlugin<Config>, 'kind'>,
): ProtectionPlugin<Config> {
  return { kind: 'protection', ...plugin };
}
