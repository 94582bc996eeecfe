import { execFile } from 'node:child_process';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { type Log, silentLog } from '../../../../src/base/log.ts';
import type { NamedVolume, ProtectablePlugin } from '../../../../src/plugin/define.ts';
import type { Resource } from '../../../../src/plugin/protectable.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';
import { pluginContext } from '../../../kit/plugin-context.ts';

const request = { projectId: 'p', userId: 'u' };

let host: TestHost;
beforeEach(async () => {
  host = await makeTestHost();
});
afterEach(() => host.remove());

interface Look {
  readonly roots?: readonly string[];
  readonly ownFolders?: readonly string[];
  readonly named?: readonly NamedVolume[];
  readonly log?: Log;
}

async function list(
  plugin: ProtectablePlugin,
  { roots = [host.first, host.second], ownFolders = [], named = [], log = silentLog }: Look = {},
): Promise<Resource[]> {
  const opened = await plugin.open({}, pluginContext(roots, ownFolders, log, named));
  return opened.list(request);
}

async function names(plugin: ProtectablePlugin, look?: Look): Promise<string[]> {
  return (await list(plugin, look)).map(({ name }) => name);
}

const ids = async (look?: Look): Promise<string[]> => (await list(hostDirectoryProtectable, look)).map(({ id }) => id);

describe('what lies in the roots', () => {
  test('is a directory or a block volume by its kind and its name', async () => {
    await mkdir(join(host.first, 'database'));
    await writeFile(join(host.first, 'disk.img'), 'x'.repeat(100));
    await writeFile(join(host.second, 'disk.raw'), '');
    await writeFile(join(host.second, 'disk.qcow2'), '');
    await writeFile(join(host.first, 'notes.txt'), '');
    await mkdir(join(host.first, 'folder.img'));
    expect(await names(hostDirectoryProtectable)).toEqual(['database', 'folder.img']);
    expect(await names(hostBlockProtectable)).toEqual(['disk.img', 'disk.qcow2', 'disk.raw']);
  });

  test('is shown with its root, its path below it and the size of an image', async () => {
    await mkdir(join(host.first, 'database'));
    await writeFile(join(host.second, 'disk.img'), 'x'.repeat(100));
    expect((await list(hostDirectoryProtectable))[0]).toMatchObject({
      type: 'Host::Directory',
      extra_info: { root: host.first, path: 'database' },
    });
    expect((await list(hostBlockProtectable))[0]).toMatchObject({
      type: 'Host::Block',
      extra_info: { root: host.second, path: 'disk.img', size_bytes: 100 },
    });
  });

  test('is no volume while it is hidden or being restored', async () => {
    for (const name of ['.hidden', 'db.partial-0a1b2c', 'db.img.partial-0a1b2c.img']) await mkdir(join(host.first, name));
    await writeFile(join(host.first, '.disk.img'), '');
    await writeFile(join(host.first, 'disk.partial-0a.img'), '');
    expect(await names(hostDirectoryProtectable)).toEqual([]);
    expect(await names(hostBlockProtectable)).toEqual([]);
  });

  test('may be a link only when it leads to something below a root', async () => {
    await mkdir(join(host.second, 'real'));
    await mkdir(join(host.outside, 'secret'));
    await symlink(join(host.second, 'real'), join(host.first, 'good'));
    await symlink(join(host.outside, 'secret'), join(host.first, 'leaves'));
    await symlink('/', join(host.first, 'everything'));
    await symlink(host.second, join(host.first, 'a-root'));
    await symlink('nowhere', join(host.first, 'dangling'));
    await symlink('loop', join(host.first, 'loop'));
    expect(await names(hostDirectoryProtectable)).toEqual(['good', 'real']);
  });

  test('is left out where this service may not look', async (context) => {
    if (process.getuid?.() === 0) context.skip('root may look everywhere');
    await mkdir(join(host.second, 'closed/inner'), { recursive: true });
    await symlink(join(host.second, 'closed/inner'), join(host.first, 'link'));
    await chmod(join(host.second, 'closed'), 0o000);
    expect(await names(hostDirectoryProtectable)).toEqual(['closed']);
    await chmod(join(host.second, 'closed'), 0o700);
  });

  test('is left out where Karri itself writes', async () => {
    await mkdir(join(host.first, 'bank/inner'), { recursive: true });
    await mkdir(join(host.first, 'holds/state'), { recursive: true });
    await mkdir(join(host.first, 'apart'));
    const ownFolders = [join(host.first, 'bank'), join(host.first, 'holds/state')];
    expect(await names(hostDirectoryProtectable, { ownFolders })).toEqual(['apart']);
    expect(await names(hostDirectoryProtectable, { roots: [join(host.first, 'bank')], ownFolders })).toEqual([]);
  });

  test('is left out with a line in the log when its name is not UTF-8', async () => {
    await promisify(execFile)('sh', ['-c', `mkdir "$(printf 'odd\\377')" plain`], { cwd: host.first });
    const warned: unknown[] = [];
    const log = { ...silentLog, warn: (_: string, fields?: unknown) => void warned.push(fields) };
    expect(await names(hostDirectoryProtectable, { log })).toEqual(['plain']);
    expect(warned).toEqual([{ root: host.first, name: 'odd\ufffd' }]);
  });

  test('cannot be told when a root is gone: that is a fault, not an empty list', async () => {
    await rm(host.second, { recursive: true });
    await expect(list(hostDirectoryProtectable)).rejects.toMatchObject({ code: 'host.root_missing', kind: 'unavailable' });
    await expect(list(hostDirectoryProtectable)).rejects.toThrow(host.second);
  });

  test('is nothing when there are no roots', async () => {
    expect(await names(hostDirectoryProtectable, { roots: [] })).toEqual([]);
  });
});

describe('ids', () => {
  test('do not change with a move of the first root, or with what else is there', async () => {
    await mkdir(join(host.first, 'database'));
    const before = await ids();
    await rename(host.first, join(host.folder, 'moved'));
    expect(await ids({ roots: [join(host.folder, 'moved'), host.second] })).toEqual(before);
    await mkdir(join(host.second, 'database'));
    expect(await ids({ roots: [join(host.folder, 'moved'), host.second] })).toEqual(expect.arrayContaining(before));
  });

  test('are these, for ever', async () => {
    await mkdir(join(host.first, 'database'));
    await writeFile(join(host.first, 'disk.img'), '');
    expect(await ids()).toEqual(['dbd4e6ab-fb08-588d-93b5-64c3022c5cf3']);
    expect((await list(hostBlockProtectable)).map(({ id }) => id)).toEqual(['e2bd716c-4ba7-59ff-bb50-ce321d817741']);
  });

  test('tell equal names apart: in another root, of another type, named in the configuration', async () => {
    await mkdir(join(host.first, 'disk.img'));
    await mkdir(join(host.second, 'disk.img'));
    const directories = await ids({ named: [{ name: 'disk.img', path: host.outside, type: 'Host::Directory' }] });
    await rm(join(host.first, 'disk.img'), { recursive: true });
    await writeFile(join(host.first, 'disk.img'), '');
    const all = [...directories, ...(await list(hostBlockProtectable)).map(({ id }) => id)];
    expect(new Set(all).size).toBe(4);
  });

  test('find their volume, and nothing once it is gone or has become something else', async () => {
    await mkdir(join(host.first, 'database'));
    const opened = await hostDirectoryProtectable.open({}, pluginContext([host.first]));
    const [volume] = await opened.list(request);
    expect(await opened.find(volume!.id, request)).toEqual(volume);
    await rm(join(host.first, 'database'), { recursive: true });
    expect(await opened.find(volume!.id, request)).toBeUndefined();
    await writeFile(join(host.first, 'database'), '');
    expect(await opened.find(volume!.id, request)).toBeUndefined();
  });
});

describe('volumes named in the configuration', () => {
  test('lie where they say, and each plugin takes its own', async () => {
    await mkdir(join(host.outside, 'wiki'));
    await writeFile(join(host.outside, 'plain-file'), 'abc');
    const named = [
      { name: 'wiki', path: join(host.outside, 'wiki'), type: 'Host::Directory' },
      { name: 'data', path: join(host.outside, 'plain-file'), type: 'Host::Block' },
    ];
    const [wiki] = await list(hostDirectoryProtectable, { named });
    expect(wiki).toMatchObject({ name: 'wiki', extra_info: { root: null, path: join(host.outside, 'wiki') } });
    const [data] = await list(hostBlockProtectable, { named });
    expect(data).toMatchObject({ name: 'data', extra_info: { root: null, size_bytes: 3 } });
  });

  test('that are absent, or of the wrong kind, are left out', async () => {
    await writeFile(join(host.outside, 'file'), '');
    const named = [
      { name: 'absent', path: join(host.outside, 'absent'), type: 'Host::Directory' },
      { name: 'file', path: join(host.outside, 'file'), type: 'Host::Directory' },
      { name: 'null', path: '/dev/null', type: 'Host::Block' },
    ];
    expect(await names(hostDirectoryProtectable, { named })).toEqual([]);
    expect(await names(hostBlockProtectable, { named })).toEqual([]);
  });
});
