import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../../../plugins/protections/host/index.ts';
import { type BenchOptions, openProtectionBench, type ProtectionBench } from '../../../kit/host-protection.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';

let host: TestHost;
beforeEach(async () => {
  host = await makeTestHost();
  await mkdir(join(host.first, 'database'));
  await writeFile(join(host.first, 'database/table'), 'rows');
  await writeFile(join(host.first, 'disk.img'), 'x'.repeat(1000), { mode: 0o640 });
});
afterEach(() => host.remove());

const directories = (options?: BenchOptions): Promise<ProtectionBench> =>
  openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, options);
const blocks = (options?: BenchOptions): Promise<ProtectionBench> =>
  openProtectionBench(hostBlockProtection, hostBlockProtectable, host, options);

describe('a protect', () => {
  test('of a directory saves what the mover says, and the name', async () => {
    const bench = await directories();
    const saved = await bench.protect(await bench.resource('database'));
    expect(saved).toMatchObject({
      kind: 'tree',
      name: 'database',
      format: 'tree',
      size_bytes: 4,
      files: 1,
      mode: null,
      warnings: [],
      warning_count: 0,
    });
  });

  test('of an image saves its permission bits', async () => {
    const bench = await blocks();
    const saved = await bench.protect(await bench.resource('disk.img'));
    expect(saved).toMatchObject({ kind: 'volume', name: 'disk.img', format: 'raw', size_bytes: 1000, files: null, mode: 0o640 });
  });

  test('of a qcow2 keeps the file as it is and says so, whatever its name', async () => {
    await writeFile(join(host.first, 'disk.img'), Buffer.from('514649fb00000003', 'hex'));
    const bench = await blocks();
    expect(await bench.protect(await bench.resource('disk.img'))).toMatchObject({ format: 'qcow2', size_bytes: 8 });
  });

  test('of an empty image works', async () => {
    await writeFile(join(host.first, 'disk.img'), '');
    const bench = await blocks();
    expect(await bench.protect(await bench.resource('disk.img'))).toMatchObject({ format: 'raw', size_bytes: 0 });
  });

  test('hands patterns on', async () => {
    const bench = await directories();
    await bench.protect(await bench.resource('database'), { include: '["*.sql", "a,b"]', exclude: 'tmp/, *.log' });
    expect(bench.mover.calls[0]).toEqual({
      call: 'writeTree',
      source: { path: join(host.first, 'database'), include: ['*.sql', 'a,b'], exclude: ['tmp/', '*.log'] },
    });
  });

  test('reads the folder a link leads to', async () => {
    await symlink(join(host.first, 'database'), join(host.second, 'alias'));
    const bench = await directories();
    expect(await bench.protect(await bench.resource('alias'))).toMatchObject({ name: 'alias', files: 1 });
    expect(bench.mover.calls[0]).toMatchObject({ source: { path: join(host.first, 'database') } });
  });

  test('keeps the first warnings and the number of all', async () => {
    const bench = await directories();
    bench.mover.warnNextWrite(Array.from({ length: 1234 }, (_, index) => `file-${index} changed`));
    const saved = (await bench.protect(await bench.resource('database'))) as { warnings: string[]; warning_count: number };
    expect(saved.warning_count).toBe(1234);
    expect(saved.warnings.length).toBe(50);
    expect(saved.warnings[0]).toBe('file-0 changed');
  });
});

describe('a protect is refused', () => {
  test('when the volume has vanished: named, with where it was looked for', async () => {
    const bench = await directories();
    const resource = await bench.resource('database');
    await rename(join(host.first, 'database'), join(host.first, 'renamed'));
    const protecting = bench.protect(resource);
    await expect(protecting).rejects.toMatchObject({ code: 'host.volume_vanished', kind: 'not-found' });
    await expect(bench.protect(resource)).rejects.toThrow(new RegExp(`database.*${host.first}, ${host.second}`));
  });

  test('when a link in its place leads out of the roots', async () => {
    const bench = await directories();
    const resource = await bench.resource('database');
    await rename(join(host.first, 'database'), join(host.outside, 'database'));
    await symlink(join(host.outside, 'database'), join(host.first, 'database'));
    await expect(bench.protect(resource)).rejects.toMatchObject({ code: 'host.outside_roots' });
    await expect(bench.protect(resource)).rejects.toThrow(join(host.outside, 'database'));
    expect(bench.mover.calls).toEqual([]);
  });

  test('when it has become something else', async () => {
    const [trees, images] = [await directories(), await openProtectionBench(hostBlockProtection, hostBlockProtectable, host)];
    const [database, disk] = [await trees.resource('database'), await images.resource('disk.img')];
    await rm(join(host.first, 'database'), { recursive: true });
    await writeFile(join(host.first, 'database'), '');
    await rm(join(host.first, 'disk.img'));
    await mkdir(join(host.first, 'disk.img'));
    await expect(trees.protect(database)).rejects.toMatchObject({ code: 'host.not_a_directory' });
    await expect(images.protect(disk)).rejects.toMatchObject({ code: 'host.not_a_file' });
  });

  test('when it holds the bank or lies in it', async () => {
    const resource = await (await directories()).resource('database');
    for (const own of [join(host.first, 'database'), join(host.first, 'database/bank'), host.first]) {
      const bench = await openProtectionBench(hostDirectoryProtection, hostDirectoryProtectable, host, { ownFolders: [own] });
      await expect(bench.protect(resource)).rejects.toMatchObject({ code: 'host.own_folder' });
    }
  });

  test('when a client names another volume than the id: the id decides', async () => {
    const bench = await directories();
    const resource = await bench.resource('database');
    const forged = { ...resource, name: '../../etc', extra_info: { root: '/', path: 'etc' } };
    expect(await bench.protect(forged)).toMatchObject({ name: 'database' });
  });

  test('when a pattern list is broken', async () => {
    const bench = await directories();
    const resource = await bench.resource('database');
    await expect(bench.protect(resource, { exclude: '["a", 7]' })).rejects.toMatchObject({ code: 'host.bad_parameter' });
    await expect(bench.protect(resource, { exclude: '["a"' })).rejects.toThrow(/exclude/);
  });
});

describe('a verify', () => {
  const verify = async (percent?: string) => {
    const bench = await blocks();
    const resource = await bench.resource('disk.img');
    const saved = await bench.protect(resource);
    return bench.protection.verify?.main?.({ ...bench.call(resource, percent === undefined ? {} : { percent }), saved });
  };

  test('reads everything unless it is told a share', async () => {
    expect(await verify()).toMatchObject({ percent: 100, read_bytes: 1000 });
    await host.remove();
    host = await makeTestHost();
    await writeFile(join(host.first, 'disk.img'), 'x'.repeat(1000));
    expect(await verify('12.5')).toMatchObject({ percent: 12.5, read_bytes: 125 });
  });

  test('of damaged bytes names the damages and counts all; the digest is told only of what was read to the end', async () => {
    const bench = await blocks();
    const resource = await bench.resource('disk.img');
    const saved = await bench.protect(resource);
    const verifying = () => bench.protection.verify?.main?.({ ...bench.call(resource), saved });
    const lines = ['packs/ab/cd: authentication failed', 'packs/ef/01: gone', 'chunk 7 cannot be had'];
    bench.mover.damage(lines);
    expect(await verifying()).toMatchObject({ damages: lines, damage_count: 3, digest: null });
    const many = Array.from({ length: 70 }, (_, n) => `packs/${n}: gone`);
    bench.mover.damage(many);
    expect(await verifying()).toMatchObject({ damages: many.slice(0, 50), damage_count: 70 });
    bench.mover.damage([]);
    const { digest } = saved as { digest: string };
    expect(await verifying()).toMatchObject({ percent: 100, digest, damages: [], damage_count: 0 });
    expect(await verify('12.5')).toMatchObject({ digest: null });
  });

  test.each(['0', '101', '-1', 'all', '1e1', '1.2.3', 'NaN'])('refuses %j percent', async (percent) => {
    await expect(verify(percent)).rejects.toMatchObject({ code: 'host.bad_parameter', details: { parameter: 'percent' } });
  });
});
