import { Fault } from '../base/faults.ts';
import type { Plugin } from './define.ts';

/**
 * Plugins of strangers' packages, each named exactly as npm knows it (`karri-plugin-x`, `@scope/x`); each exports an
 * array `plugins`. One that cannot be loaded stops everything: a service that silently lacks a bank is worse than none.
 *
 * @throws {Fault} invalid `plugin.cannot_load` that names the package
 */
export async function loadPlugins(
  packages: readonly string[],
  importPackage: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<readonly Plugin[]> {
  const loaded: Plugin[] = [];
  for (const name of packages) {
    if (!packageName.test(name))
      throw cannotLoad(name, 'this is no exact package name', 'Name an installed npm package; paths and URLs are not taken.');
    const module = await importPackage(name).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw cannotLoad(name, why, 'Install the package beside Karri, or take it off the list of plugin packages.', error);
    });
    const plugins = isRecord(module) ? module['plugins'] : undefined;
    if (!Array.isArray(plugins))
      throw cannotLoad(name, 'it exports no array `plugins`', 'Ask its author: the export is what Karri reads.');
    for (const [index, plugin] of plugins.entries()) {
      const fault = findFault(plugin);
      if (fault !== undefined)
        throw cannotLoad(name, `plugins[${index}] ${fault}`, 'Make it with one of the define…Plugin functions of karri/plugin.');
      loaded.push(plugin);
    }
  }
  return loaded;
}

const packageName = /^(@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*(\/[A-Za-z0-9_][A-Za-z0-9._~-]*)*$/;

function findFault(plugin: unknown): string | undefined {
  if (!isRecord(plugin)) return 'is no object';
  const { kind, name, open, configSchema, type, parentTypes, schemas } = plugin;
  if (kind !== 'bank' && kind !== 'protectable' && kind !== 'protection') return 'is of no known kind';
  if (typeof name !== 'string' || name === '') return 'has no name';
  if (typeof open !== 'function') return `(${name}) has no function open`;
  if (!isRecord(configSchema)) return `(${name}) has no configSchema`;
  if (kind === 'protectable' && (typeof type !== 'string' || !Array.isArray(parentTypes)))
    return `(${name}) names no type or no parentTypes`;
  if (kind === 'protection' && !isRecord(schemas)) return `(${name}) has no schemas`;
  return undefined;
}

function cannotLoad(name: string, why: string, help: string, cause?: unknown): Fault {
  return new Fault('invalid', 'plugin.cannot_load', `The plugin package ${name} cannot be loaded: ${why}.`, {
    cause,
    help,
    details: { package: name },
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
