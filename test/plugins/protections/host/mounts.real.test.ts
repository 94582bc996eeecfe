import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../../../plugins/protections/host/index.ts';
import { openProtectionBench } from '../../../kit/host-protection.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';

const run = promisify(execFile);

/** Why nothing can be mounted here; undefined when it can. */
async function whyNot(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root may mount';
  return run('sh', ['-c', 'command -v mkfs.ext4 && losetup -f && unshare -m true']).then(
    () => undefined,
    (error: unknown) => `no ext4 tools, loop devices or mounts: ${String(error)}`,
  );
}

const reason = await whyNot();

let host: TestHost;
let mountPoint: string;
const config = (): unknown => ({ mount_points: [mountPoint] });

beforeEach(async () => {
  host = await makeTestHost();
  mountPoint = join(host.folder, 'mounted');
  await mkdir(mountPoint);
});
afterEach(async () => {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  for (const point of mounts.split('\n').map((line) => line.split(' ')[4] ?? '')) {
    if (point.startsWith(host.folder)) await run('umount', [point]);
  }
  await host.remove();
});

test('a restored image is mounted, once, and its files are there', async (context) => {
  if (reason !== undefined) context.skip(reason);
  const image = join(host.first, 'disk.img');
  await writeFile(image, '');
  await truncate(image, 16 * 1024 * 1024);
  await run('mkfs.ext4', ['-q', '-O', '^has_journal', image]);
  const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host, { config: config() });
  const resource = await bench.resource('disk.img');
  const saved = await bench.protect(resource);
  const { call } = bench.restoreCall(resource, saved, { restore_name: 'copy', mount_point: mountPoint });
  await bench.protection.restore.main?.(call);
  await bench.protection.restore.complete?.(call);
  await bench.protection.restore.complete?.(call);
  expect(await readdir(mountPoint)).toContain('lost+found');
  await writeFile(join(mountPoint, 'written'), 'it is read-write');

  const second = bench.restoreCall(resource, saved, { restore_name: 'second', mount_point: mountPoint });
  await bench.protection.restore.main?.(second.call);
  await expect(bench.protection.restore.complete?.(second.call)).rejects.toMatchObject({ code: 'host.mount_point_busy' });
});

test('an image without a file system is restored, and the fault says why it is not mounted', async (context) => {
  if (reason !== undefined) context.skip(reason);
  await writeFile(join(host.first, 'disk.img'), Buffer.alloc(1024 * 1024, 7));
  const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host, { config: config() });
  const resource = await bench.resource('disk.img');
  const restoring = bench.restore(resource, await bench.protect(resource), { restore_name: 'copy', mount_point: mountPoint });
  await expect(restoring).rejects.toMatchObject({ code: 'host.mount_failed' });
});

test('a restored folder is bound to its mount point, and then not replaced', async (context) => {
  if (reason !== undefined) context.skip(reason);
  await mkdir(join(host.first, 'database'));
  await writeFile(join(host.first, 'database/table'), 'rows');
  const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, { config: config() });
  const resource = await bench.resource('database');
  const saved = await bench.protect(resource);
  const { call } = bench.restoreCall(resource, saved, { restore_name: 'copy', mount_point: mountPoint });
  await bench.protection.restore.main?.(call);
  await bench.protection.restore.complete?.(call);
  await bench.protection.restore.complete?.(call);
  expect(await readFile(join(mountPoint, 'table'), 'utf8')).toBe('rows');

  // A file system mounted inside what is to be replaced would be emptied with it.
  await mkdir(join(host.first, 'copy/inner'));
  await run('mount', ['--bind', host.outside, join(host.first, 'copy/inner')]);
  await writeFile(join(host.outside, 'precious'), '');
  const replacing = bench.restore(resource, saved, { restore_name: 'copy', overwrite: 'True' });
  await expect(replacing).rejects.toMatchObject({ code: 'host.target_mounted' });
  expect(await readdir(host.outside)).toEqual(['precious']);
});

test('a block device that is named is listed with its size, protected, and written in place', async (context) => {
  if (reason !== undefined) context.skip(reason);
  const backing = join(host.outside, 'backing');
  await writeFile(backing, Buffer.alloc(1024 * 1024, 1));
  const device = (await run('losetup', ['-f', '--show', backing])).stdout.trim();
  try {
    const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host, {
      namedVolumes: [{ name: 'loop', path: device, type: 'Host::Block' }],
    });
    const resource = await bench.resource('loop');
    expect(resource.extra_info).toEqual({ root: null, path: device, size_bytes: 1024 * 1024 });
    await writeFile(join(host.first, 'disk.img'), Buffer.alloc(1024 * 1024, 2));
    const image = await bench.resource('disk.img');
    const saved = await bench.protect(image);
    await expect(bench.restore(image, saved, { restore_path: device })).rejects.toMatchObject({ code: 'host.target_exists' });
    const { made } = await bench.restore(image, saved, { restore_path: device, overwrite: 'True' });
    expect(made).toEqual([resource.id]);
    await run('sync', [device]);
    expect((await readFile(backing)).equals(Buffer.alloc(1024 * 1024, 2))).toBe(true);

    await writeFile(join(host.first, 'disk.img'), Buffer.alloc(2 * 1024 * 1024, 3));
    const larger = await bench.protect(image);
    const tooLarge = bench.restore(image, larger, { restore_path: device, overwrite: 'True' });
    await expect(tooLarge).rejects.toMatchObject({ code: 'host.target_too_small', details: { room_bytes: 1024 * 1024 } });
  } finally {
    await run('losetup', ['-d', device]);
  }
});
