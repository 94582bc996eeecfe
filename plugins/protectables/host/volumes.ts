import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve } from 'node:path';
import { Fault, type Log, type PluginContext, uuidV5 } from 'karri/plugin';
import { findDeviceSize } from './device-size.ts';
import { findRealPath, findRealPlace, hasCode, isWithin, overlaps } from './paths.ts';

/** Fixed for ever: ids of host volumes are made in it. */
const namespace = '6d0f6b2e-3c1b-5e0a-9a3c-1f0e5b7c2d84';

export const imageExtensions: readonly string[] = ['.img', '.raw', '.qcow2'];

export type HostType = 'Host::Directory' | 'Host::Block';

export interface HostVolume {
  readonly type: HostType;
  readonly id: string;
  readonly name: string;
  /** The folder, file or device itself: absolute, every link followed. */
  readonly path: string;
  /** The root it was found in, as configured; null for a named volume. */
  readonly root: string | null;
  /** As it was found: below its root, or the configured path of a named volume. */
  readonly shownPath: string;
  /** Null for a folder, whose size is known only after reading it through. */
  readonly sizeBytes: number | null;
}

/** The volumes of one type on this host: what lies in the roots, and what the configuration names. */
export interface HostVolumes {
  /** As configured, absolute, each once. */
  readonly roots: readonly string[];
  /** Every usable volume, by name. @throws unavailable `host.root_missing` */
  list(): Promise<HostVolume[]>;
  /** @throws not-found `host.volume_vanished`, invalid `host.not_a_directory` …: why this id cannot be used now */
  get(id: string, name: string): Promise<HostVolume>;
  find(id: string): Promise<HostVolume | undefined>;
  /** The id and root of what lies, or would lie, at a path (parent free of links); undefined when it is neither below a root nor a named volume. */
  place(path: string): Promise<Place | undefined>;
  /** @throws invalid `host.own_folder` when the path would hold or lie in a folder that Karri itself writes */
  refuseOwnFolder(path: string): Promise<void>;
}

export interface Place {
  readonly id: string;
  readonly named: boolean;
}

/** Something in a root or in the configuration that may turn out to be a volume. */
interface Candidate {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly root: string | null;
}

export function createHostVolumes(type: HostType, context: PluginContext): HostVolumes {
  const roots = [...new Set(context.volumeRoots.map((root) => resolve(root)))];
  const ownNamed = context.namedVolumes.filter((volume) => volume.type === type);

  const listCandidates = async (): Promise<Candidate[]> => {
    const inRoots = await Promise.all(
      roots.map(async (root) =>
        (await listNames(root, context.log)).map((name) => ({
          id: rootVolumeId(type, roots, root, name),
          name,
          path: join(root, name),
          root,
        })),
      ),
    );
    const byName = ownNamed.map(({ name, path }) => ({ id: namedVolumeId(type, name), name, path, root: null }));
    return [...inRoots.flat(), ...byName];
  };

  /** The volume, or the fault that says why this is none. */
  const inspect = async (candidate: Candidate): Promise<HostVolume | Fault> => {
    const { id, name, path, root } = candidate;
    const realPath = await findRealPath(path);
    if (realPath === undefined) return vanished(type, id, name, root === null ? [path] : roots);
    if (root !== null && !(await isInRoots(realPath, roots))) return outside(path, realPath, roots);
    const stats = await stat(realPath, { bigint: true }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (stats === undefined) return vanished(type, id, name, [path]);
    const wrong = wrongKind(type, path, stats, root === null) ?? (await ownFolderFault(realPath, context));
    if (wrong !== undefined) return wrong;
    const shownPath = root === null ? path : relative(root, path);
    const sizeBytes = stats.isDirectory() ? null : stats.isFile() ? Number(stats.size) : await findDeviceSize(stats.rdev);
    return { type, id, name, path: realPath, root, shownPath, sizeBytes };
  };

  const inspectId = async (id: string): Promise<HostVolume | Fault | undefined> => {
    const candidate = (await listCandidates()).find((one) => one.id === id);
    return candidate === undefined ? undefined : inspect(candidate);
  };

  return {
    roots,
    list: async () => {
      const inspected = await Promise.all((await listCandidates()).map(inspect));
      return inspected
        .filter((one): one is HostVolume => !(one instanceof Fault))
        .sort((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id));
    },
    get: async (id, name) => {
      const found = (await inspectId(id)) ?? vanished(type, id, name, roots);
      if (found instanceof Fault) throw found;
      return found;
    },
    find: async (id) => {
      const found = await inspectId(id);
      return found instanceof Fault ? undefined : found;
    },
    place: async (path) => {
      for (const volume of ownNamed) {
        if ((await findRealPlace(volume.path)) === path) return { id: namedVolumeId(type, volume.name), named: true };
      }
      for (const root of roots) {
        const realRoot = await findRealPath(root);
        if (realRoot === undefined || realRoot === path || !isWithin(path, realRoot)) continue;
        return { id: rootVolumeId(type, roots, root, relative(realRoot, path)), named: false };
      }
      return undefined;
    },
    refuseOwnFolder: async (path) => {
      const fault = await ownFolderFault(path, context);
      if (fault !== undefined) throw fault;
    },
  };
}

/**
 * In the first root the type and the name below the root decide, so that the id survives a move of the root and is the
 * same on the next host. Every further root adds its own path, whatever the first one holds, so that equal names there
 * are other volumes.
 */
function rootVolumeId(type: HostType, roots: readonly string[], root: string, name: string): string {
  return uuidV5(namespace, JSON.stringify(root === roots[0] ? [type, name] : [type, name, root]));
}

function namedVolumeId(type: HostType, name: string): string {
  return uuidV5(namespace, JSON.stringify([type, name, null]));
}

/** Hidden entries and restores in progress are never volumes, whatever they are. */
export function isListedName(name: string): boolean {
  return !name.startsWith('.') && !name.includes('.partial-');
}

async function listNames(root: string, log: Log): Promise<string[]> {
  const entries = await readdir(root, { encoding: 'buffer' }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault('unavailable', 'host.root_missing', `The volume root ${root} cannot be listed: ${why}.`, {
      cause: error,
      help: 'Make the folder, mount it, or take it off the list of roots.',
    });
  });
  const names: string[] = [];
  for (const entry of entries) {
    const name = entry.toString('utf8');
    if (!Buffer.from(name, 'utf8').equals(entry)) {
      log.warn('An entry of a volume root is left out because its name is not UTF-8.', { root, name });
    } else if (isListedName(name)) names.push(name);
  }
  return names;
}

async function isInRoots(realPath: string, roots: readonly string[]): Promise<boolean> {
  const realRoots = await Promise.all(roots.map(findRealPath));
  return realRoots.some((root) => root !== undefined && root !== realPath && isWithin(realPath, root));
}

function wrongKind(type: HostType, path: string, stats: BigIntStats, named: boolean): Fault | undefined {
  if (type === 'Host::Directory') {
    if (stats.isDirectory()) return undefined;
    return new Fault('invalid', 'host.not_a_directory', `${path} is not a folder, so it is no Host::Directory.`);
  }
  if (named && (stats.isFile() || stats.isBlockDevice())) return undefined;
  if (stats.isFile() && imageExtensions.includes(extname(basename(path)))) return undefined;
  return new Fault('invalid', 'host.not_a_file', `${path} is no image file, so it is no Host::Block.`, {
    help: `In a root, files named ${imageExtensions.map((extension) => `*${extension}`).join(', ')} are volumes; anything else, and every device, must be named in the configuration.`,
  });
}

async function ownFolderFault(path: string, context: PluginContext): Promise<Fault | undefined> {
  for (const folder of context.ownFolders) {
    const own = (await findRealPath(folder)) ?? resolve(folder);
    if (!overlaps(path, own)) continue;
    return new Fault(
      'invalid',
      'host.own_folder',
      `${path} holds, or lies in, ${folder}, which Karri itself writes (a bank or its state).`,
      {
        help: 'Protect and restore volumes that are apart from the bank and the state folder.',
      },
    );
  }
  return undefined;
}

function vanished(type: HostType, id: string, name: string, places: readonly string[]): Fault {
  return new Fault(
    'not-found',
    'host.volume_vanished',
    `The volume ${name} (${type} ${id}) is not there any more, or out of this service's reach; looked in ${places.join(', ')}.`,
    {
      help: 'Bring it back under its old name, or take it out of the plan.',
      details: { id, name },
    },
  );
}

function outside(path: string, realPath: string, roots: readonly string[]): Fault {
  return new Fault(
    'invalid',
    'host.outside_roots',
    `${path} leads to ${realPath}, which lies in none of the volume roots (${roots.join(', ')}).`,
    {
      help: 'Move it into a root, or name its real path in the configuration.',
    },
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
