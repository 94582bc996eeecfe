import type { Json } from '../../src/base/canonical-json.ts';
import { newId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { NamedVolume, ProtectablePlugin, ProtectionPlugin } from '../../src/plugin/define.ts';
import type { Resource } from '../../src/plugin/protectable.ts';
import type { OperationCall, Protection, RestoreCall } from '../../src/plugin/protection.ts';
import { type FakeMover, makeFakeMover } from './fake-mover.ts';
import type { TestHost } from './host-volumes.ts';
import { pluginContext } from './plugin-context.ts';

export interface BenchOptions {
  readonly config?: unknown;
  readonly namedVolumes?: readonly NamedVolume[];
  readonly ownFolders?: readonly string[];
  readonly roots?: readonly string[];
}

/** A protection plugin opened on a test host, with calls as a flow would make them. */
export interface ProtectionBench {
  readonly protection: Protection;
  readonly mover: FakeMover;
  /** The listed resource of that name. */
  resource(name: string): Promise<Resource>;
  protect(resource: Resource, parameters?: Record<string, string>): Promise<Json>;
  /** One restore, whose hooks may be called again and again; `made` holds the ids that were told. */
  restoreCall(
    resource: Resource,
    saved: Json,
    parameters: Record<string, string>,
  ): { readonly call: RestoreCall; readonly made: string[] };
  restore(
    resource: Resource,
    saved: Json,
    parameters: Record<string, string>,
  ): Promise<{ readonly main: Json | undefined; readonly made: string[] }>;
  call(resource: Resource, parameters?: Record<string, string>): OperationCall;
}

export async function openProtectionBench(
  plugin: ProtectionPlugin,
  protectable: ProtectablePlugin,
  host: TestHost,
  { config = {}, namedVolumes = [], ownFolders = [], roots = [host.first, host.second] }: BenchOptions = {},
): Promise<ProtectionBench> {
  const context = pluginContext(roots, ownFolders, silentLog, namedVolumes);
  const protection = await plugin.open(config, context);
  const volumes = await protectable.open({}, context);
  const mover = await makeFakeMover(host.folder);

  const call = (resource: Resource, parameters: Record<string, string> = {}): OperationCall => ({
    stepId: `${newId()}/3`,
    projectId: 'p',
    userId: 'u',
    providerId: newId(),
    checkpointId: newId(),
    resource,
    parameters,
    outcomes: {},
    mover,
    signal: new AbortController().signal,
    log: silentLog,
  });
  const restoreCall: ProtectionBench['restoreCall'] = (resource, saved, parameters) => {
    const made: string[] = [];
    const restoring: RestoreCall = {
      ...call(resource, parameters),
      saved,
      newResources: new Map(),
      restoreTarget: null,
      made: async (id) => void made.push(id),
    };
    return { call: restoring, made };
  };

  return {
    protection,
    mover,
    resource: async (name) => {
      const found = (await volumes.list({ projectId: 'p', userId: 'u' })).find((one) => one.name === name);
      if (found === undefined) throw new Error(`no volume ${name} is listed`);
      return found;
    },
    protect: async (resource, parameters) => (await protection.protect.main?.(call(resource, parameters))) ?? null,
    restoreCall,
    restore: async (resource, saved, parameters) => {
      const { call: restoring, made } = restoreCall(resource, saved, parameters);
      const main = await protection.restore.main?.(restoring);
      await protection.restore.complete?.(restoring);
      return { main, made };
    },
    call,
  };
}
