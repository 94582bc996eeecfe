import { Fault, toFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Provider } from '../model/provider.ts';
import type { PluginContext } from '../plugin/define.ts';
import type { Protection, ProtectionSchemas } from '../plugin/protection.ts';
import type { Registry } from '../plugin/registry.ts';
import type { Repository } from '../repository/contract.ts';
import { openRepository } from '../repository/repository.ts';
import { createBankStore } from '../storage/bank-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createPrefixedStore } from '../storage/prefixed.ts';
import type { Throttle } from '../storage/throttled.ts';
import { keyPart } from './bank-layout.ts';

/** A provider as the operator wrote it down, checked and with its key read. */
export interface ProviderDefinition {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly bank: { readonly plugin: string; readonly config: unknown };
  /** 32 bytes that wrap the keys of this provider's repositories. */
  readonly key: Uint8Array;
  /** What the bank can hold, as the operator declares it. */
  readonly capacityBytes?: number | undefined;
  readonly protections: readonly { readonly plugin: string; readonly config: unknown }[];
  /** Paths in the configuration are relative to the file it came from. */
  readonly context: PluginContext;
}

/** How one type is protected here. */
export interface TypeProtection {
  /** Name of the plugin: what another one has saved is not its own. */
  readonly plugin: string;
  readonly protection: Protection;
  readonly schemas: ProtectionSchemas;
}

/** A provider that is open for work. */
export interface OpenProvider {
  readonly info: Provider;
  readonly bank: ObjectStore;
  readonly capacityBytes?: number | undefined;
  findProtection(type: string): TypeProtection | undefined;
  /**
   * The project's repository in this bank; opened once and kept.
   * @throws {Fault} `repository.absent` unless `create`; `repository.wrong_key`
   */
  repository(projectId: string, options: { create: boolean }): Promise<Repository>;
}

export interface ProviderRegistry {
  list(): readonly OpenProvider[];
  find(id: string): OpenProvider | undefined;
  /** @throws {Fault} not-found `provider.unknown` */
  get(id: string): OpenProvider;
  /** Takes new definitions in the place of the old; what runs keeps what it has. */
  replace(definitions: readonly ProviderDefinition[]): Promise<void>;
  close(): Promise<void>;
}

export interface ProviderRegistryOptions {
  readonly registry: Registry;
  readonly log: Log;
  readonly threads: number;
  readonly scratchFolder: string;
  /** Of all banks together; absent: none. */
  readonly throttle?: Throttle;
}

export async function openProviderRegistry(
  definitions: readonly ProviderDefinition[],
  options: ProviderRegistryOptions,
): Promise<ProviderRegistry> {
  let open = new Map<string, OpenProvider & { close(): Promise<void> }>();
  const retired: { close(): Promise<void> }[] = [];

  const replace = async (wanted: readonly ProviderDefinition[]): Promise<void> => {
    const next = new Map<string, OpenProvider & { close(): Promise<void> }>();
    try {
      for (const definition of wanted) next.set(definition.id, await openProvider(definition, options));
    } catch (error) {
      await Promise.allSettled([...next.values()].map((provider) => provider.close()));
      throw error;
    }
    retired.push(...open.values());
    open = next;
  };
  await replace(definitions);

  return {
    list: () => [...open.values()].sort((a, b) => (a.info.id < b.info.id ? -1 : 1)),
    find: (id) => open.get(id),
    get(id) {
      const provider = open.get(id);
      if (provider) return provider;
      throw new Fault('not-found', 'provider.unknown', `Provider ${id} could not be found.`, {
        help: 'GET /providers lists those this service has. To bring one back, put its YAML file into the providers folder and send SIGHUP.',
      });
    },
    replace,
    async close() {
      await Promise.allSettled([...retired, ...open.values()].map((provider) => provider.close()));
    },
  };
}

async function openProvider(
  definition: ProviderDefinition,
  { registry, log, threads, scratchFolder, throttle }: ProviderRegistryOptions,
): Promise<OpenProvider & { close(): Promise<void> }> {
  const bankPlugin = registry.getBank(definition.bank.plugin);
  const raw = await bankPlugin.open(definition.bank.config, definition.context);
  const bank = createBankStore(raw, { log, throttle });

  const types = new Map<string, TypeProtection>();
  const protections: Protection[] = [];
  for (const wanted of definition.protections) {
    const plugin = registry.getProtection(wanted.plugin);
    const protection = await plugin.open(wanted.config, definition.context);
    protections.push(protection);
    for (const [type, schemas] of Object.entries(plugin.schemas)) types.set(type, { plugin: wanted.plugin, protection, schemas });
  }

  const repositories = new Map<string, Promise<Repository>>();
  const schemasOf = (pick: (schemas: ProtectionSchemas) => unknown): Record<string, unknown> =>
    Object.fromEntries([...types].map(([type, { schemas }]) => [type, pick(schemas)]));

  return {
    info: {
      id: definition.id,
      name: definition.name,
      description: definition.description,
      schemas: {
        options: schemasOf((s) => s.options),
        restore: schemasOf((s) => s.restore),
        savedInfo: schemasOf((s) => s.savedInfo),
        verify: schemasOf((s) => s.verify),
      },
    },
    bank,
    capacityBytes: definition.capacityBytes,
    findProtection: (type) => types.get(type),
    async repository(projectId, { create }) {
      const known = repositories.get(projectId);
      if (known) return known;
      const opening = openRepository({
        store: createPrefixedStore(bank, `repositories/${keyPart(projectId)}/`),
        projectId,
        providerKey: definition.key,
        create,
        log,
        threads,
        scratchFolder,
      });
      repositories.set(projectId, opening);
      // A failed opening is not kept: the bank may be back, or the repository made, the next time.
      opening.catch(() => repositories.delete(projectId));
      return opening;
    },
    async close() {
      for (const opening of repositories.values()) {
        const repository = await opening.catch((error: unknown) => toFault(error));
        if (!(repository instanceof Fault)) await repository.close();
      }
      for (const protection of protections) await protection.close();
      await bank.close();
    },
  };
}
