import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { MiB } from '../../src/base/bytes.ts';
import { storeKeys } from '../kit/store-keys.ts';

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'karri-full-'));
const obstacle = await run('mount', ['-t', 'tmpfs', '-o', 'size=8m,nr_inodes=20', 'karri-full', folder]).then(
  () => undefined,
  (error: unknown) => `needs the right to mount a tmpfs (${String(error).split('\n')[0]})`,
);
afterAll(async () => {
  if (obstacle === undefined) await run('umount', [folder]);
  await rm(folder, { recursive: true });
});

if (obstacle !== undefined) test.skip(`a file bank on a full disk: ${obstacle}`, () => undefined);
else {
  const open = () => openFilesystemStore(join(folder, 'bank'));

  test('a file bank on a full disk says so, keeps what it has, leaves nothing half-written, and goes on once there is room', async () => {
    const store = await open();
    const bodies = [randomBytes(3 * MiB), randomBytes(3 * MiB), randomBytes(3 * MiB)] as const;
    await store.put('a', bodies[0]);
    await store.put('b', bodies[1]);
    await expect(store.put('c', bodies[2])).rejects.toMatchObject({ code: 'storage.full', retry: 'never' });
    expect(await storeKeys(store)).toEqual(['a', 'b']);
    expect(await readdir(join(folder, 'bank', '+writing'))).toEqual([]);
    expect((await store.get('b')).equals(bodies[1])).toBe(true);
    await store.delete(['a']);
    await store.put('c', bodies[2]);
    expect((await store.get('c')).equals(bodies[2])).toBe(true);
    await store.delete(['b', 'c']);
  });

  test('a file bank without free inodes says so as well', async () => {
    const store = await open();
    const putAll = async (): Promise<void> => {
      for (let index = 0; index < 30; index++) await store.put(`object-${index}`, Buffer.from('x'));
    };
    await expect(putAll()).rejects.toMatchObject({ code: 'storage.full' });
    const keys = await storeKeys(store);
    expect(keys.length).toBeGreaterThan(5);
    await store.delete(keys);
    await store.put('again', Buffer.from('x'));
  });

  test('a file bank on a file system that became read-only is refused, and can still be read', async () => {
    const store = await open();
    await store.put('kept', Buffer.from('x'));
    await run('mount', ['-o', 'remount,ro', folder]);
    await expect(store.put('new', Buffer.from('x'))).rejects.toMatchObject({ code: 'storage.refused' });
    expect((await store.get('kept')).toString()).toBe('x');
    await run('mount', ['-o', 'remount,rw', folder]);
    await store.put('new', Buffer.from('x'));
  });
}
