import { chmod, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../../../plugins/protections/host/index.ts';
import type { Json } from '../../../../src/base/canonical-json.ts';
import { Fault } from '../../../../src/base/faults.ts';
import type { Resource } from '../../../../src/plugin/protectable.ts';
import { measure } from '../../../kit/fake-mover.ts';
import { type BenchOptions, openProtectionBench, type ProtectionBench } from '../../../kit/host-protection.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';

let host: TestHost;
beforeEach(async () => {
  host = await makeTestHost();
});
afterEach(() => host.remove());

interface Protected {
  readonly bench: ProtectionBench;
  readonly resource: Resource;
  readonly saved: Json;
  readonly digest: string;
}

async function protectDirectory(options?: BenchOptions): Promise<Protected> {
  const path = join(host.first, 'database');
  await mkdir(join(path, 'sub'), { recursive: true });
  await writeFile(join(path, 'sub/table'), 'the rows of the checkpoint');
  const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, options);
  const resource = await bench.resource('database');
  return { bench, resource, saved: await bench.protect(resource), digest: (await measure(path)).digest };
}

async function protectImage(options?: BenchOptions): Promise<Protected> {
  const path = join(host.first, 'disk.img');
  await writeFile(path, 'sectors '.repeat(100), { mode: 0o600 });
  const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host, options);
  const resource = await bench.resource('disk.img');
  return { bench, resource, saved: await bench.protect(resource), digest: (await measure(path)).digest };
}

/** Everything in both roots, but what is in the volumes. */
async function rootEntries(): Promise<string[]> {
  return [...(await readdir(host.first)), ...(await readdir(host.second))].sort();
}

describe('where a restore goes', () => {
  test('to the name of the original in the first root, when that is free', async () => {
    const { bench, resource, saved, digest } = await protectDirectory();
    await rm(join(host.first, 'database'), { recursive: true });
    const { main, made } = await bench.restore(resource, saved, {});
    expect(made).toEqual([resource.id]);
    expect(main).toMatchObject({ id: resource.id, path: join(host.first, 'database'), files: 1 });
    expect((await measure(join(host.first, 'database'))).digest).toBe(digest);
    expect(await rootEntries()).toEqual(['database']);
  });

  test('to another name: the id is the one the protectable lists', async () => {
    const { bench, resource, saved, digest } = await protectDirectory();
    const { made } = await bench.restore(resource, saved, { restore_name: 'copy' });
    expect(made).toEqual([(await bench.resource('copy')).id]);
    expect((await measure(join(host.first, 'copy'))).digest).toBe(digest);
    expect(await rootEntries()).toEqual(['copy', 'database']);
  });

  test('to a path in any root', async () => {
    const { bench, resource, saved } = await protectDirectory();
    const { made } = await bench.restore(resource, saved, { restore_path: `${host.second}/./copy/` });
    expect(made).toEqual([(await bench.resource('copy')).id]);
    expect(await readFile(join(host.second, 'copy/sub/table'), 'utf8')).toBe('the rows of the checkpoint');
  });

  test('below a folder of a root', async () => {
    const { bench, resource, saved } = await protectDirectory();
    await mkdir(join(host.second, 'deep'));
    await bench.restore(resource, saved, { restore_path: join(host.second, 'deep/copy') });
    expect(await readdir(join(host.second, 'deep'))).toEqual(['copy']);
  });

  test('into an empty folder that waits for it', async () => {
    const { bench, resource, saved, digest } = await protectDirectory();
    await mkdir(join(host.second, 'waiting'));
    await bench.restore(resource, saved, { restore_path: join(host.second, 'waiting') });
    expect((await measure(join(host.second, 'waiting'))).digest).toBe(digest);
  });

  test('through a root that is a link', async () => {
    await symlink(host.second, join(host.folder, 'alias'));
    const { bench, resource, saved } = await protectDirectory({ roots: [host.first, join(host.folder, 'alias')] });
    const { made } = await bench.restore(resource, saved, { restore_path: join(host.folder, 'alias/copy') });
    expect(made).toEqual([(await bench.resource('copy')).id]);
  });

  test('with the permission bits of the folder, even where they forbid writing', async () => {
    await mkdir(join(host.first, 'sealed'));
    await chmod(join(host.first, 'sealed'), 0o555);
    const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host);
    const resource = await bench.resource('sealed');
    await bench.restore(resource, await bench.protect(resource), { restore_name: 'copy' });
    await bench.restore(resource, await bench.protect(resource), { restore_name: 'copy', overwrite: 'True' });
    expect((await stat(join(host.first, 'copy'))).mode & 0o7777).toBe(0o555);
    expect(await rootEntries()).toEqual(['copy', 'sealed']);
  });

  test('to a file with the ending of an image and the bits of the original', async () => {
    const { bench, resource, saved, digest } = await protectImage();
    await chmod(join(host.first, 'disk.img'), 0o644);
    const { made } = await bench.restore(resource, saved, { restore_name: 'copy' });
    expect(made).toEqual([(await bench.resource('copy.img')).id]);
    expect((await measure(join(host.first, 'copy.img'))).digest).toBe(digest);
    expect((await stat(join(host.first, 'copy.img'))).mode & 0o777).toBe(0o600);
    expect(await rootEntries()).toEqual(['copy.img', 'disk.img']);
  });

  test('back to a volume that the configuration names, even when it is gone', async () => {
    const path = join(host.outside, 'wiki');
    await mkdir(path);
    await writeFile(join(path, 'page'), 'text');
    const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, {
      namedVolumes: [{ name: 'wiki', path, type: 'Host::Directory' }],
    });
    const resource = await bench.resource('wiki');
    const saved = await bench.protect(resource);
    await rm(path, { recursive: true });
    expect((await bench.restore(resource, saved, { restore_path: path })).made).toEqual([resource.id]);
    expect(await readFile(join(path, 'page'), 'utf8')).toBe('text');
    expect(await readdir(host.outside)).toEqual(['wiki']);
  });
});

describe('a restore is refused, and touches nothing, for', () => {
  const refused = async (parameters: Record<string, string>, code: string, options?: BenchOptions): Promise<Fault> => {
    const { bench, resource, saved } = await protectDirectory(options);
    const before = await rootEntries();
    const error = await bench.restore(resource, saved, parameters).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code });
    expect(bench.mover.calls.filter(({ call }) => call === 'restoreTree')).toEqual([]);
    expect(await rootEntries()).toEqual(before);
    return error as Fault;
  };

  test('a target that is not empty', async () => {
    const fault = await refused({}, 'host.target_exists');
    expect(fault.message).toContain(join(host.first, 'database'));
    expect(fault.help).toContain('overwrite');
  });

  test.each(['/etc/karri', '/', '/proc/1/x', '/nowhere/at/all'])('a path outside the roots: %s', async (path) => {
    const fault = await refused({ restore_path: path }, 'host.outside_roots');
    expect(fault.message).toContain(path);
    expect(fault.help).toContain(host.second);
  });

  test('a path that leaves the root by dots or through a link', async () => {
    await refused({ restore_path: `${host.first}/../outside/x` }, 'host.outside_roots');
    await symlink(host.outside, join(host.second, 'way-out'));
    await refused({ restore_path: join(host.second, 'way-out/x') }, 'host.outside_roots');
    expect(await readdir(host.outside)).toEqual([]);
  });

  test('a path whose parts are too long', async () => {
    await refused({ restore_path: join(host.second, 'n'.repeat(300)) }, 'host.bad_name');
    await refused({ restore_path: join(host.second, 'n'.repeat(300), 'copy') }, 'host.no_parent');
  });

  test('a path that is a link', async () => {
    await symlink('nowhere', join(host.second, 'link'));
    await refused({ restore_path: join(host.second, 'link'), overwrite: 'True' }, 'host.target_is_link');
  });

  test('a root itself, and what holds one', async () => {
    await refused({ restore_path: host.second, overwrite: 'True' }, 'host.outside_roots');
    await mkdir(join(host.second, 'a/root'), { recursive: true });
    const roots = [host.first, host.second, join(host.second, 'a/root')];
    await refused({ restore_path: join(host.second, 'a'), overwrite: 'True' }, 'host.target_holds_root', { roots });
  });

  test("Karri's own folders", async () => {
    const ownFolders = [join(host.second, 'bank')];
    await refused({ restore_path: join(host.second, 'bank') }, 'host.own_folder', { ownFolders });
  });

  test('a folder that is not there', async () => {
    await refused({ restore_path: join(host.second, 'absent/copy') }, 'host.no_parent');
  });

  test('a relative path, and path and name together', async () => {
    await refused({ restore_path: 'copy' }, 'host.bad_parameter');
    await refused({ restore_path: join(host.second, 'copy'), restore_name: 'copy' }, 'host.bad_parameter');
  });

  test.each(['.hidden', 'a/b', '..', '../x', 'a\0b', 'x.partial-1', 'n'.repeat(201), '/abs'])('the name %j', async (name) => {
    await refused({ restore_name: name }, 'host.bad_name');
  });

  test('an overwrite that is neither True nor False', async () => {
    await refused({ overwrite: 'yes' }, 'host.bad_parameter');
  });

  test('another cloud', async () => {
    const { bench, resource, saved } = await protectDirectory();
    const { call } = bench.restoreCall(resource, saved, { restore_name: 'copy' });
    const restoring = bench.protection.restore.main?.({ ...call, restoreTarget: 'http://identity.south.test/v3' });
    await expect(restoring).rejects.toMatchObject({ code: 'host.restore_target', kind: 'unsupported' });
  });

  test('a mount point that the operator does not list', async () => {
    const fault = await refused({ restore_name: 'copy', mount_point: '/mnt' }, 'host.mount_point_refused', {
      config: { mount_points: ['/mnt/a'] },
    });
    expect(fault.help).toContain('/mnt/a');
  });

  test('a service that has no roots', async () => {
    const { resource, saved } = await protectDirectory();
    const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, { roots: [] });
    await expect(bench.restore(resource, saved, {})).rejects.toMatchObject({ code: 'host.no_root' });
  });
});

describe('overwrite', () => {
  test('puts a directory in the place of the old one, and takes that away', async () => {
    const { bench, resource, saved, digest } = await protectDirectory();
    await writeFile(join(host.first, 'database/newer'), 'rows of today');
    await mkdir(join(host.first, 'database/locked'), { mode: 0o500 });
    const { made } = await bench.restore(resource, saved, { overwrite: 'True' });
    expect(made).toEqual([resource.id]);
    expect((await measure(join(host.first, 'database'))).digest).toBe(digest);
    expect(await rootEntries()).toEqual(['database']);
  });

  test('keeps the old directory until the new one is whole', async () => {
    const { bench, resource, saved } = await protectDirectory();
    await writeFile(join(host.first, 'database/newer'), 'rows of today');
    bench.mover.failNextRestore(new Fault('corrupt', 'repository.restore_differs', 'It differs.'));
    const { call } = bench.restoreCall(resource, saved, { overwrite: 'True' });
    await expect(bench.protection.restore.main?.(call)).rejects.toMatchObject({ code: 'repository.restore_differs' });
    expect(await readFile(join(host.first, 'database/newer'), 'utf8')).toBe('rows of today');
    await bench.protection.restore.abandon?.(call);
    expect(await rootEntries()).toEqual(['database']);
  });

  test('writes into an image that is large enough, and leaves it the file it was', async () => {
    const { bench, resource, saved } = await protectImage();
    const path = join(host.first, 'disk.img');
    await writeFile(path, `${'changed '.repeat(100)}tail`);
    const before = await lstat(path);
    const { made } = await bench.restore(resource, saved, { overwrite: 'true' });
    expect(made).toEqual([resource.id]);
    expect((await lstat(path)).ino).toBe(before.ino);
    expect(await readFile(path, 'utf8')).toBe(`${'sectors '.repeat(100)}tail`);
    expect(await rootEntries()).toEqual(['disk.img']);
  });

  test('refuses an image that is too small, and what is no image', async () => {
    const { bench, resource, saved } = await protectImage();
    await writeFile(join(host.first, 'disk.img'), 'small');
    await expect(bench.restore(resource, saved, { overwrite: 'True' })).rejects.toMatchObject({ code: 'host.target_too_small' });
    await mkdir(join(host.second, 'folder.img'));
    const asked = { restore_path: join(host.second, 'folder.img'), overwrite: 'True' };
    await expect(bench.restore(resource, saved, asked)).rejects.toMatchObject({ code: 'host.wrong_target' });
    expect(await readFile(join(host.first, 'disk.img'), 'utf8')).toBe('small');
  });

  test('refuses a file in the place of a directory', async () => {
    const { bench, resource, saved } = await protectDirectory();
    await writeFile(join(host.second, 'file'), 'precious');
    const asked = { restore_path: join(host.second, 'file'), overwrite: 'True' };
    await expect(bench.restore(resource, saved, asked)).rejects.toMatchObject({ code: 'host.wrong_target' });
    expect(await readFile(join(host.second, 'file'), 'utf8')).toBe('precious');
  });
});

describe('after a crash', () => {
  /** Folder in which this restore works; found by looking. */
  const staging = async (): Promise<string> => {
    const name = (await readdir(host.first)).find((entry) => /\.partial-[0-9a-f]+$/.test(entry));
    expect(name).toBeDefined();
    return join(host.first, name ?? '');
  };

  test('before the target had its name, the finished bytes are used, not restored again', async () => {
    const { bench, resource, saved, digest } = await protectDirectory();
    const { call, made } = bench.restoreCall(resource, saved, { restore_name: 'copy' });
    await bench.protection.restore.main?.(call);
    // As if the process had died between the last write and the rename.
    const folder = await staging();
    const kept = JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')) as { entry: string };
    await rename(join(host.first, 'copy'), join(folder, kept.entry));
    await bench.protection.restore.main?.(call);
    expect(bench.mover.calls.filter(({ call: name }) => name === 'restoreTree').length).toBe(1);
    expect(made.length).toBe(2);
    expect((await measure(join(host.first, 'copy'))).digest).toBe(digest);
  });

  test.each([
    ['the old one set aside, the new one not in its place', true],
    ['nothing set aside yet', false],
  ])('in the middle of an overwrite (%s), the swap is carried on', async (_, aside) => {
    const { bench, resource, saved, digest } = await protectDirectory();
    const path = join(host.first, 'database');
    await writeFile(join(path, 'newer'), 'rows of today');
    const { call } = bench.restoreCall(resource, saved, { overwrite: 'True' });
    await rename(path, join(host.outside, 'old'));
    await bench.protection.restore.main?.(call);
    const folder = await staging();
    const kept = JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')) as { entry: string };
    await rename(path, join(folder, kept.entry));
    await rename(join(host.outside, 'old'), aside ? `${folder}.replaced` : path);
    await bench.protection.restore.main?.(call);
    await bench.protection.restore.complete?.(call);
    expect((await measure(path)).digest).toBe(digest);
    expect(await rootEntries()).toEqual(['database']);
  });

  test('in the middle of an overwrite, an abandoned restore puts the old directory back', async () => {
    const { bench, resource, saved } = await protectDirectory();
    const path = join(host.first, 'database');
    await writeFile(join(path, 'newer'), 'rows of today');
    const { call } = bench.restoreCall(resource, saved, { overwrite: 'True' });
    await rename(path, join(host.outside, 'old'));
    await bench.protection.restore.main?.(call);
    const folder = await staging();
    await rm(path, { recursive: true });
    await rename(join(host.outside, 'old'), `${folder}.replaced`);
    await bench.protection.restore.abandon?.(call);
    expect(await readFile(join(path, 'newer'), 'utf8')).toBe('rows of today');
    expect(await rootEntries()).toEqual(['database']);
  });

  test.each(['complete', 'abandon'] as const)('before the replaced directory was removed, %s removes it', async (hook) => {
    const { bench, resource, saved, digest } = await protectDirectory();
    const { call } = bench.restoreCall(resource, saved, { overwrite: 'True' });
    await bench.protection.restore.main?.(call);
    await mkdir(`${await staging()}.replaced`);
    await bench.protection.restore[hook]?.(call);
    expect((await measure(join(host.first, 'database'))).digest).toBe(digest);
    expect(await rootEntries()).toEqual(['database']);
  });

  test('an old directory whose place somebody else took is kept, and named', async () => {
    const { bench, resource, saved } = await protectDirectory();
    const path = join(host.first, 'database');
    const { call } = bench.restoreCall(resource, saved, { overwrite: 'True' });
    await bench.protection.restore.main?.(call);
    const folder = await staging();
    await mkdir(`${folder}.replaced`);
    await writeFile(`${folder}.replaced/precious`, '');
    await rm(path, { recursive: true });
    await writeFile(join(host.first, 'stranger'), '');
    await mkdir(path);
    const fault = await bench.protection.restore.abandon?.(call).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'host.swap_disturbed', help: expect.stringContaining(`${folder}.replaced`) });
    expect(await readdir(`${folder}.replaced`)).toEqual(['precious']);
  });

  test('a finished image is known again, and not written twice', async () => {
    const { bench, resource, saved, digest } = await protectImage();
    const { call, made } = bench.restoreCall(resource, saved, { restore_name: 'copy' });
    const first = await bench.protection.restore.main?.(call);
    expect(await bench.protection.restore.main?.({ ...call, stepId: `${call.stepId.split('/')[0]}/9` })).toEqual(first);
    expect(made[0]).toBe(made[1]);
    expect(bench.mover.calls.filter(({ call: name }) => name === 'restoreVolume').length).toBe(1);
    await bench.protection.restore.complete?.(call);
    expect((await measure(join(host.first, 'copy.img'))).digest).toBe(digest);
  });

  test('another operation does not take the target for its own', async () => {
    const { bench, resource, saved } = await protectDirectory();
    await bench.protection.restore.main?.(bench.restoreCall(resource, saved, { restore_name: 'copy' }).call);
    const other = bench.restoreCall(resource, saved, { restore_name: 'copy' });
    await expect(bench.protection.restore.main?.(other.call)).rejects.toMatchObject({ code: 'host.target_exists' });
    await bench.protection.restore.abandon?.(other.call);
    expect((await readdir(host.first)).filter((entry) => entry.includes('.partial-')).length).toBe(1);
  });

  test('what came to the target in the meantime is not overwritten', async () => {
    const { bench, resource, saved } = await protectImage();
    const { call } = bench.restoreCall(resource, saved, { restore_name: 'copy' });
    const racing = {
      ...bench.mover,
      restoreVolume: async (...args: Parameters<typeof bench.mover.restoreVolume>) => {
        const result = await bench.mover.restoreVolume(...args);
        await writeFile(join(host.first, 'copy.img'), 'somebody else');
        return result;
      },
    };
    await expect(bench.protection.restore.main?.({ ...call, mover: racing })).rejects.toMatchObject({
      code: 'host.target_exists',
    });
    expect(await readFile(join(host.first, 'copy.img'), 'utf8')).toBe('somebody else');
    await bench.protection.restore.abandon?.(call);
    expect(await rootEntries()).toEqual(['copy.img', 'disk.img']);
  });
});

test('a listing never shows a restore in progress', async () => {
  const { bench, resource, saved } = await protectDirectory();
  bench.mover.failNextRestore(new Fault('unavailable', 'test.died', 'died'));
  await expect(bench.restore(resource, saved, { restore_name: 'copy' })).rejects.toMatchObject({ code: 'test.died' });
  expect((await rootEntries()).length).toBe(2);
  await expect(bench.resource('copy')).rejects.toThrow('no volume');
});
