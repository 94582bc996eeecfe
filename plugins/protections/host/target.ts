import { lstat } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { Fault } from 'karri/plugin';
import { findRealPath, findRealPlace, hasCode, isWithin } from '../../protectables/host/paths.ts';
import { type HostType, type HostVolumes, imageExtensions, isListedName } from '../../protectables/host/volumes.ts';
import { type Parameters, readFlag, readText } from './parameters.ts';
import type { SavedInfo } from './saved-info.ts';

/** Where a restore puts its volume. */
export interface Target {
  /** Absolute; its parent exists and is free of links. */
  readonly path: string;
  /** Of the volume as the protectable lists it. */
  readonly id: string;
  readonly overwrite: boolean;
}

/** Longer names leave no room for the suffix of what is still being restored. */
const nameLimitBytes = 200;

/**
 * The same target for the same parameters on every retry, whatever lies there. Nothing is touched.
 *
 * @throws {Fault} invalid `host.bad_name`, `host.outside_roots`, `host.own_folder`, `host.no_root` …
 */
export async function chooseTarget(
  type: HostType,
  saved: Pick<SavedInfo, 'name' | 'format'>,
  parameters: Parameters,
  volumes: HostVolumes,
): Promise<Target> {
  const name = readText(parameters, 'restore_name');
  const asked = readText(parameters, 'restore_path');
  const overwrite = readFlag(parameters, 'overwrite');
  if (name !== undefined && asked !== undefined) {
    throw new Fault('invalid', 'host.bad_parameter', 'Both restore_name and restore_path are given.', {
      help: 'Give the one or the other.',
    });
  }
  const path =
    asked === undefined ? await pathInFirstRoot(type, name ?? saved.name, saved, volumes) : await pathAsAsked(asked, volumes);
  const place = await volumes.place(path);
  if (place === undefined) throw outsideRoots(asked ?? path, volumes);
  await volumes.refuseOwnFolder(path);
  await refuseRootBelow(path, volumes);
  return { path, id: place.id, overwrite };
}

async function pathInFirstRoot(
  type: HostType,
  name: string,
  saved: Pick<SavedInfo, 'format'>,
  volumes: HostVolumes,
): Promise<string> {
  refuseBadName(name);
  const root = volumes.roots[0];
  if (root === undefined) {
    throw new Fault('invalid', 'host.no_root', 'No volume root is configured, so there is no place for a new volume.', {
      help: 'Configure a volume root (KARRI_VOLUMES_DIR).',
    });
  }
  const realRoot = await findRealPath(root);
  if (realRoot === undefined) {
    throw new Fault('unavailable', 'host.root_missing', `The volume root ${root} is not there.`, {
      help: 'Make the folder, or mount it.',
    });
  }
  // Without one of these endings the new file would be no volume to the protectable.
  const ending =
    type === 'Host::Block' && !imageExtensions.includes(extname(name)) ? (saved.format === 'qcow2' ? '.qcow2' : '.img') : '';
  return join(realRoot, `${name}${ending}`);
}

async function pathAsAsked(asked: string, volumes: HostVolumes): Promise<string> {
  if (!isAbsolute(asked) || asked.includes('\0')) {
    throw new Fault(
      'invalid',
      'host.bad_parameter',
      `The parameter restore_path is ${JSON.stringify(asked)}; it must be an absolute path.`,
    );
  }
  const path = resolve(asked);
  const real = await findRealPlace(path);
  if (real !== undefined && (await volumes.place(real))?.named) return real;
  const parent = await findRealPath(dirname(path));
  // A missing parent is told apart only below a root, so that nobody can ask this host what lies where.
  if (parent === undefined) {
    if (!volumes.roots.some((root) => isWithin(path, root))) throw outsideRoots(asked, volumes);
    throw new Fault(
      'not-found',
      'host.no_parent',
      `The folder ${dirname(path)}, in which ${asked} should be restored, is not there, or out of this service's reach.`,
      {
        help: 'Make the folder first, or choose another restore_path.',
      },
    );
  }
  const target = join(parent, basename(path));
  if ((await volumes.place(target)) === undefined) throw outsideRoots(asked, volumes);
  refuseBadName(basename(target));
  if (await isLink(target)) {
    throw new Fault('invalid', 'host.target_is_link', `${asked} is a symbolic link.`, {
      help: 'Name the path that it leads to.',
    });
  }
  return target;
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function refuseBadName(name: string): void {
  if (isListedName(name) && !/[/\0]/.test(name) && name !== '' && Buffer.byteLength(name) <= nameLimitBytes) return;
  throw new Fault('invalid', 'host.bad_name', `${JSON.stringify(name)} cannot be the name of a volume.`, {
    help: `A name is a single path part of up to ${nameLimitBytes} bytes, does not begin with a dot and does not hold ".partial-"; choose another with restore_name.`,
  });
}

async function refuseRootBelow(path: string, volumes: HostVolumes): Promise<void> {
  for (const root of volumes.roots) {
    if (!isWithin((await findRealPath(root)) ?? root, path)) continue;
    throw new Fault('invalid', 'host.target_holds_root', `${path} holds the volume root ${root}.`, {
      help: 'Choose a path that holds no other volumes.',
    });
  }
}

function outsideRoots(path: string, volumes: HostVolumes): Fault {
  return new Fault('invalid', 'host.outside_roots', `The path ${path} lies in none of the volume roots.`, {
    details: { path },
    help: volumes.roots.length === 0 ? 'No root is configured.' : `Choose a path below one of them: ${volumes.roots.join(', ')}.`,
  });
}
