import { Fault } from '../base/faults.ts';
import { checkConfig } from './check-config.ts';
import type { BankPlugin, Plugin, PluginContext, ProtectablePlugin, ProtectionPlugin } from './define.ts';

/**
 * The plugins this service knows, by kind and name. What it gives out checks the configuration before the plugin sees it:
 * `open` takes any value and throws invalid `plugin.bad_config`, which names plugin, field and what is allowed there.
 */
export interface Registry {
  /** @throws invalid `plugin.unknown` */
  getBank(name: string): BankPlugin;
  /** @throws invalid `plugin.unknown` */
  getProtection(name: string): ProtectionPlugin;
  listProtectables(): readonly ProtectablePlugin[];
}

/** @throws {Fault} invalid `plugin.duplicate` when two plugins of one kind share a name, or two protectables a type */
export function createRegistry(plugins: readonly Plugin[]): Registry {
  const banks = byName(
    plugins
      .filter((plugin) => plugin.kind === 'bank')
      .map(withCheckedFolders)
      .map(withCheckedConfig),
  );
  const protections = byName(plugins.filter((plugin) => plugin.kind === 'protection').map(withCheckedConfig));
  const protectables = byName(plugins.filter((plugin) => plugin.kind === 'protectable').map(withCheckedConfig));
  refuseSharedTypes([...protectables.values()]);
  return {
    getBank: (name) => getPlugin(banks, 'bank', name),
    getProtection: (name) => getPlugin(protections, 'protection', name),
    listProtectables: () => [...protectables.values()],
  };
}

function withCheckedConfig<P extends Plugin>(plugin: P): P {
  return {
    ...plugin,
    open: async (config: unknown, context: PluginContext) => plugin.open(checkConfig(plugin, config), context),
  };
}

function withCheckedFolders(bank: BankPlugin): BankPlugin {
  if (bank.listOwnFolders === undefined) return bank;
  return { ...bank, listOwnFolders: (config, context) => bank.listOwnFolders?.(checkConfig(bank, config), context) ?? [] };
}

function byName<P extends Plugin>(plugins: readonly P[]): ReadonlyMap<string, P> {
  const map = new Map<string, P>();
  for (const plugin of plugins) {
    if (map.has(plugin.name)) throw duplicate(`Two ${plugin.kind} plugins are named ${plugin.name}.`);
    map.set(plugin.name, plugin);
  }
  return map;
}

function refuseSharedTypes(protectables: readonly ProtectablePlugin[]): void {
  const owners = new Map<string, string>();
  for (const { type, name } of protectables) {
    const other = owners.get(type);
    if (other !== undefined) throw duplicate(`The protectable plugins ${other} and ${name} both list resources of type ${type}.`);
    owners.set(type, name);
  }
}

function duplicate(message: string): Fault {
  return new Fault('invalid', 'plugin.duplicate', message, { help: 'Take one of them off the list of plugins.' });
}

function getPlugin<P>(plugins: ReadonlyMap<string, P>, kind: string, name: string): P {
  const plugin = plugins.get(name);
  if (plugin !== undefined) return plugin;
  throw new Fault('invalid', 'plugin.unknown', `There is no ${kind} plugin named ${name}.`, {
    details: { kind, name },
    help: `Known are: ${[...plugins.keys()].sort().join(', ') || 'none'}. A plugin of another package is loaded when the configuration names that package.`,
  });
}
