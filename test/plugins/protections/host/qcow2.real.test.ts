import { execFile } from 'node:child_process';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostBlockProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection } from '../../../../plugins/protections/host/index.ts';
import { addBitmap, listBitmaps, withGuestDisk } from '../../../../plugins/protections/host/qemu.ts';
import type { Mover, VolumeSource } from '../../../../src/plugin/mover.ts';
import type { Resource } from '../../../../src/plugin/protectable.ts';
import { createMover } from '../../../../src/protection/mover.ts';
import type { Repository } from '../../../../src/repository/contract.ts';
import { createMemoryStore } from '../../../../src/storage/memory-store.ts';
import { openProtectionBench, type ProtectionBench } from '../../../kit/host-protection.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';
import { openTestRepository } from '../../../kit/repositories.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const diskBytes = 256 * MiB;

/** Why nothing can be tried here; undefined when it can. */
const reason = await run('sh', ['-c', 'command -v qemu-img qemu-nbd qemu-io']).then(
  () => undefined,
  () => 'qemu-img, qemu-nbd and qemu-io (Debian: qemu-utils) are not installed',
);

let host: TestHost;
let image: string;
let repository: Repository;
let bench: ProtectionBench;
let resource: Resource;
/** Of the last protect: what the mover was given, and the bytes it read. */
let seen: { readBytes: number; source?: VolumeSource };

const guest = async (...commands: string[]): Promise<void> =>
  void (await run('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), image]));
const bitmaps = async (): Promise<string[]> =>
  (await listBitmaps(image, new AbortController().signal)).map(({ name }) => name).sort();
const raw = async (): Promise<Buffer> => {
  const path = join(host.outside, 'raw');
  await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, path]);
  return readFile(path);
};

interface Saved {
  readonly snapshot: string;
  readonly warnings: readonly string[];
  readonly [member: string]: unknown;
}

async function protect(parameters: Record<string, string>): Promise<Saved> {
  seen = { readBytes: 0 };
  const { signal } = new AbortController();
  const mover = createMover({
    repository,
    subject: `Host::Block#${resource.id}`,
    level: 'default',
    owner: undefined,
    stepId: 'step/0',
    signal,
    report: () => undefined,
  });
  const counting: Mover = {
    ...mover,
    writeVolume(source) {
      seen.source = source;
      if (!('reader' in source)) return mover.writeVolume(source);
      const { reader } = source;
      const read = (bytes: Uint8Array, offset: number): Promise<void> => {
        seen.readBytes += bytes.length;
        return reader.read(bytes, offset);
      };
      const isZero = (offset: number, length: number): Promise<boolean> => reader.isZero(offset, length);
      return mover.writeVolume({ ...source, reader: { sizeBytes: reader.sizeBytes, read, isZero } });
    },
  };
  const call = { ...bench.call(resource, { qcow2: 'contents', ...parameters }), mover: counting };
  return (await bench.protection.protect.main?.(call)) as unknown as Saved;
}

const restored = async ({ snapshot }: Saved): Promise<Buffer> => {
  const path = join(host.outside, `restored-${snapshot}`);
  await repository.restoreVolume(snapshot, { path, overwrite: false }, {});
  return readFile(path);
};

beforeEach(async (context) => {
  if (reason !== undefined) context.skip(reason);
  host = await makeTestHost();
  image = join(host.first, 'guest.qcow2');
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(diskBytes)]);
  await guest('write -P 0x11 1M 3M', 'write -P 0x22 100M 20M', 'write -P 0x33 255M 1M');
  repository = await openTestRepository(createMemoryStore());
  bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host);
  resource = await bench.resource('guest.qcow2');
});
afterEach(async () => {
  if (reason !== undefined) return;
  await repository.close();
  await host.remove();
});

describe('contents', () => {
  test('are those the guest sees, holes are not read, and they come back as a raw image', async () => {
    const saved = await protect({});
    expect(saved).toMatchObject({ format: 'raw', name: 'guest.img', size_bytes: diskBytes });
    expect(seen.readBytes).toBeLessThan(40 * MiB);
    expect((await restored(saved)).equals(await raw())).toBe(true);
    expect(await bitmaps()).toEqual([]);
  });

  test('of a compressed image with clusters of 4 KiB', async () => {
    await writeFile(join(host.outside, 'source'), Buffer.alloc(9 * MiB + 512, 'compressible '));
    await run('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4k', join(host.outside, 'source'), image]);
    expect((await restored(await protect({}))).equals(await raw())).toBe(true);
  });

  test('the file itself stays the default', async () => {
    const saved = await protect({ qcow2: 'None' });
    expect(saved).toMatchObject({ format: 'qcow2', name: 'guest.qcow2' });
    expect(seen.source).toEqual({ path: image });
  });

  test('no server, socket or lock outlives a protect, whatever came of it', async () => {
    const failing = withGuestDisk(image, undefined, new AbortController().signal, () => Promise.reject(new Error('mover')));
    await expect(failing).rejects.toThrow('mover');
    const cancel = new AbortController();
    const cancelled = withGuestDisk(image, undefined, cancel.signal, async (disk) => {
      cancel.abort();
      await disk.read(new Uint8Array(8 * MiB), 0);
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'base.cancelled' });
    await guest('write -P 0x44 0 4k');
    expect((await readdir('/tmp')).filter((name) => name.startsWith('karri-nbd-'))).toEqual([]);
  });

  test('an image that a guest runs on, names other files, or is broken is refused with the reason', async () => {
    await withGuestDisk(image, undefined, new AbortController().signal, async () => {
      await expect(protect({ bitmap: 'karri' })).rejects.toMatchObject({ code: 'host.image_in_use', kind: 'conflict' });
    });
    const whole = join(host.outside, 'whole.qcow2');
    await copyFile(image, whole);
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', whole, '-F', 'qcow2', image]);
    await expect(protect({})).rejects.toMatchObject({
      code: 'host.qcow2_unsupported',
      message: expect.stringContaining('backing file'),
    });
    const elsewhere = join(host.outside, 'elsewhere');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${elsewhere}`, image, '1M']);
    await expect(protect({})).rejects.toMatchObject({ message: expect.stringContaining('another file') });
    const bytes = await readFile(whole);
    for (const length of [70_000, 3_000_000, bytes.length - 70_000]) {
      await writeFile(image, bytes.subarray(0, length));
      await expect(protect({})).rejects.toMatchObject({ code: 'host.image_damaged', kind: 'corrupt' });
    }
    await writeFile(image, bytes.subarray(0, 60));
    await expect(protect({})).rejects.toMatchObject({ code: 'host.qemu_failed' });
  });
});

describe('changed blocks', () => {
  const withBitmap = { bitmap: 'karri', full_read_every: '4' };

  test('after a first full read only what changed is read, and every fourth checkpoint all of it', async () => {
    const read: number[] = [];
    for (let n = 0; n < 6; n++) {
      await guest(`write -P ${0x50 + n} ${2 + 40 * n}M 64k`, `write -z ${105 + n}M 64k`);
      const saved = await protect(withBitmap);
      expect((await restored(saved)).equals(await raw())).toBe(true);
      expect(await bitmaps()).toContain(`karri:${n % 4}:${saved.snapshot}`);
      expect((await bitmaps()).length).toBe(n === 0 ? 1 : 2);
      read.push(seen.readBytes);
    }
    // A slot of 256 KiB for each 64 KiB that was written; twelve million for all of it.
    expect(read.map((bytes) => bytes <= MiB)).toEqual([false, true, true, true, false, true]);
    console.log(`bytes read with a bitmap: ${read.join(', ')}`);
  });

  test('nothing changed: nothing is read', async () => {
    await protect(withBitmap);
    await protect(withBitmap);
    expect(seen.readBytes).toBe(0);
  });

  test('a bitmap that lies is found by the full read, which names the range; the next checkpoint begins anew', async () => {
    const { snapshot } = await protect({ ...withBitmap, full_read_every: '1' });
    await guest('write -P 0x99 60M 64k');
    // Somebody has cleared it.
    await run('qemu-img', ['bitmap', '--clear', image, `karri:0:${snapshot}`]);
    const before = await repository.listSnapshots();
    await expect(protect({ ...withBitmap, full_read_every: '1' })).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'mover.changed_blocks_lied',
      details: { snapshot, offset: 60 * MiB, length: 256 * 1024 },
    });
    expect(await repository.listSnapshots()).toEqual(before);
    expect(await bitmaps()).toEqual([]);
    const saved = await protect(withBitmap);
    expect((await restored(saved)).equals(await raw())).toBe(true);
  });

  test('when the newest snapshot is gone the bitmap before it serves; when both are, everything is read', async () => {
    const first = await protect(withBitmap);
    await guest('write -P 0x61 60M 64k');
    const second = await protect(withBitmap);
    await guest('write -P 0x62 70M 64k');
    await repository.forget(second.snapshot);
    const third = await protect(withBitmap);
    expect(seen.source).toMatchObject({ changed: { since: first.snapshot } });
    expect(seen.readBytes).toBe(512 * 1024);
    expect((await restored(third)).equals(await raw())).toBe(true);
    await repository.forget(first.snapshot);
    await repository.forget(third.snapshot);
    await guest('write -P 0x63 80M 64k');
    expect((await restored(await protect(withBitmap))).equals(await raw())).toBe(true);
    expect(seen.source).not.toHaveProperty('changed');
    expect((await bitmaps()).length).toBe(1);
  });

  test('a crash at any point leaves bitmaps with which the next checkpoint is right', async () => {
    const { signal } = new AbortController();
    const first = await protect(withBitmap);
    // Begun, nothing written; then: written, and bound, but `next` not yet removed.
    for (const bind of [false, true]) {
      await guest(`write -P ${bind ? 0x71 : 0x72} 64M 1M`);
      await addBitmap(image, 'karri:next', undefined, signal);
      if (bind) {
        await withGuestDisk(image, `karri:0:${first.snapshot}`, signal, async (reader) => {
          const changed = { since: first.snapshot, extents: await reader.listDirty() };
          const { id } = await repository.writeVolume({ reader, changed }, { subject: 'crashed' });
          return id;
        }).then((id) => addBitmap(image, `karri:1:${id}`, 'karri:next', signal));
        await guest('write -P 0x73 66M 1M');
      }
      const saved = await protect({ ...withBitmap, full_read_every: '0' });
      expect((await restored(saved)).equals(await raw())).toBe(true);
      expect(await bitmaps()).not.toContain('karri:next');
    }
  });

  test('a copy of the image, an older copy put back, and a larger disk are all right', async () => {
    await protect(withBitmap);
    await copyFile(image, join(host.outside, 'older'));
    await guest('write -P 0x81 64M 1M');
    await protect(withBitmap);
    await copyFile(join(host.outside, 'older'), image);
    await guest('write -P 0x82 65M 1M');
    expect((await restored(await protect(withBitmap))).equals(await raw())).toBe(true);
    expect(seen.readBytes).toBeLessThan(2 * MiB);
    await run('qemu-img', ['resize', '-q', '-f', 'qcow2', image, '+3M']);
    await guest('write -P 0x83 257M 1M');
    expect((await restored(await protect(withBitmap))).equals(await raw())).toBe(true);
  });

  test('bitmaps that do not record, or were open when their writer died, are not believed', async () => {
    const { snapshot } = await protect(withBitmap);
    await run('qemu-img', ['bitmap', '--disable', image, `karri:0:${snapshot}`]);
    await guest('write -P 0x91 64M 1M');
    const saved = await protect(withBitmap);
    expect(seen.source).not.toHaveProperty('changed');
    expect((await restored(saved)).equals(await raw())).toBe(true);
    await run('qemu-img', ['bitmap', '--add', image, 'karri:1:made up']);
    expect((await restored(await protect(withBitmap))).equals(await raw())).toBe(true);
    await run('qemu-img', ['bitmap', '--add', image, 'another:1:made-up']);
    await protect(withBitmap);
    expect(await bitmaps()).toContain('another:1:made-up');
  });

  test('an image of version 2 cannot keep bitmaps, and that is said', async () => {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', image, '1M']);
    await expect(protect(withBitmap)).rejects.toMatchObject({
      code: 'host.qemu_failed',
      help: expect.stringContaining('version 2'),
    });
  });
});
