import { resolve } from 'node:path';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { NamedVolume, PluginContext } from '../../src/plugin/define.ts';

/** What a plugin is opened with; paths of a configuration are relative to the first root's parent, or absolute. */
export function pluginContext(
  volumeRoots: readonly string[],
  ownFolders: readonly string[] = [],
  log: Log = silentLog,
  namedVolumes: readonly NamedVolume[] = [],
): PluginContext {
  return {
    log,
    resolvePath: (path) => resolve(volumeRoots[0] ?? '/', '..', path),
    readEnvironment: () => undefined,
    volumeRoots,
    namedVolumes,
    ownFolders,
  };
}
