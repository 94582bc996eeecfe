import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from 'karri/plugin';
import { findRealPath, hasCode, isWithin } from '../../protectables/host/paths.ts';
import type { HostType } from '../../protectables/host/volumes.ts';

const mountTimeoutMs = 60_000;
const toolPath = '/usr/sbin:/usr/bin:/sbin:/bin';

interface Mount {
  readonly point: string;
  /** `/dev/loop3`, `tmpfs`, … */
  readonly source: string;
}

/** A mount point at the path or below it; undefined when there is none, or where the platform does not tell. */
export async function findMountBelow(path: string): Promise<string | undefined> {
  return (await listMounts()).find((mount) => isWithin(mount.point, path))?.point;
}

/**
 * Whether a restore may end with a mount: asked before the first byte is written.
 *
 * @throws {Fault} forbidden `host.mount_point_refused` unless the operator's list names it; unsupported `host.cannot_mount`
 */
export async function checkMount(mountPoint: string, allowed: readonly string[], format: string): Promise<void> {
  if (!allowed.includes(mountPoint)) {
    throw new Fault(
      'forbidden',
      'host.mount_point_refused',
      `${mountPoint} is not among the mount points that the operator allows.`,
      {
        help: allowed.length === 0 ? 'The list mount_points of the plugin is empty.' : `Allowed are: ${allowed.join(', ')}.`,
      },
    );
  }
  if (format === 'qcow2') {
    throw new Fault('unsupported', 'host.cannot_mount', 'A qcow2 image is restored as the file it is and cannot be mounted.', {
      help: 'Leave mount_point away, and convert the image after the restore.',
    });
  }
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Fault('unsupported', 'host.cannot_mount', 'Karri cannot mount anything here: only root on Linux may.', {
      help: 'Leave mount_point away and mount the restored volume yourself, or run Karri as root.',
    });
  }
  await getMountPoint(mountPoint);
}

/** @throws not-found `host.mount_point_missing` */
async function getMountPoint(mountPoint: string): Promise<string> {
  const point = await findRealPath(mountPoint);
  if (point !== undefined) return point;
  throw new Fault('not-found', 'host.mount_point_missing', `The mount point ${mountPoint} is not there.`, {
    help: 'Make the folder on this host.',
  });
}

/** Mounts a restored image read-write through a loop device, a device as it is, or binds a folder. Repeatable. */
export async function mountVolume(type: HostType, path: string, mountPoint: string): Promise<void> {
  const point = await getMountPoint(mountPoint);
  const isDevice = type === 'Host::Block' && (await stat(path)).isBlockDevice();
  if (await isMounted(type, path, point)) return;
  const how = type === 'Host::Directory' ? ['--bind'] : isDevice ? ['-o', 'rw'] : ['-o', 'rw,loop'];
  try {
    await promisify(execFile)('mount', [...how, '--', path, point], {
      timeout: mountTimeoutMs,
      env: { PATH: toolPath, LC_ALL: 'C' },
    });
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const why = output || (error instanceof Error ? error.message : String(error));
    throw new Fault(
      'unavailable',
      'host.mount_failed',
      `${path} is restored, but could not be mounted at ${mountPoint}: ${why}`,
      {
        retry: 'never',
        cause: error,
        help: 'See whether it holds a file system that this host knows, and whether loop devices are free; then mount it by hand.',
      },
    );
  }
}

/** Is just this volume mounted there? @throws conflict `host.mount_point_busy` when something else is */
async function isMounted(type: HostType, path: string, point: string): Promise<boolean> {
  const mount = (await listMounts()).findLast((one) => one.point === point);
  if (mount === undefined) return false;
  if (type === 'Host::Directory') {
    const [here, there] = await Promise.all([stat(path, { bigint: true }), stat(point, { bigint: true })]);
    if (here.ino === there.ino && here.dev === there.dev) return true;
  } else if (mount.source === path || (await findBackingFile(mount.source)) === path) return true;
  throw new Fault('conflict', 'host.mount_point_busy', `Something else is mounted at ${point}: ${mount.source}.`, {
    help: 'Unmount it first.',
  });
}

async function findBackingFile(device: string): Promise<string | undefined> {
  try {
    return (await readFile(`/sys/block/${basename(device)}/loop/backing_file`, 'utf8')).trimEnd();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function listMounts(): Promise<Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    // 36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    const source = right?.split(' ')[1];
    return point === undefined || source === undefined
      ? []
      : [{ point: resolve(unescapeMount(point)), source: unescapeMount(source) }];
  });
}

/** The kernel writes space, tab, newline and backslash as `\040` and so on. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
