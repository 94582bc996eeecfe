/**
 * The volume path by hand: `node test/bench/volume.ts [MiB]` writes, rewrites, changes 1 % of, and restores a generated image through
 * a filesystem bank in a temporary folder, and prints what each step took. Figures, no verdicts.
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { formatBytes, KiB, MiB } from '../../src/base/bytes.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openRepository } from '../../src/repository/repository.ts';

const sizeBytes = Number(process.argv[2] ?? 512) * MiB;
const folder = mkdtempSync(join(tmpdir(), 'karri-bench-'));
const image = join(folder, 'image.raw');

try {
  makeImage();
  await sleep(2500); // a file that was changed just now is not known by its times
  const store = await openFilesystemStore(join(folder, 'bank'));
  const options = {
    store,
    projectId: 'bench',
    providerKey: randomBytes(32),
    create: true,
    log: silentLog,
    threads: 2,
    scratchFolder: folder,
  };
  const repository = await openRepository(options);
  const write = (
    level: 'fast' | 'default',
    subject: string,
    changed?: { since: string; extents: { offset: number; length: number }[] },
  ) =>
    repository.writeVolume(
      { path: image, ...(changed && { changed }) },
      { subject, level, readEverything: changed === undefined },
    );
  console.log(`${formatBytes(sizeBytes)} image: a third a program, a third random, the rest zeros`);
  const first = await measure('first write, default', () => write('default', 'a'));
  await measure('again, everything re-read', () => write('default', 'a'));
  await measure('again, known from its times', () => repository.writeVolume({ path: image }, { subject: 'a' }));
  const extents = change();
  await measure('1 % changed, everything re-read', () => write('default', 'a'));
  extents.push(...change());
  await measure('2 % changed, extents known', () => write('default', 'a', { since: first.id, extents }));
  await measure('restore', async () => ({
    ...(await repository.restoreVolume(first.id, { path: join(folder, 'restored'), overwrite: false }, {})),
    storedBytes: 0,
  }));
  await measure('verify, all bytes', async () => ({ ...(await repository.verifySnapshot(first.id, 100, {})), storedBytes: 0 }));
  await repository.close();
  const fresh = await openRepository({
    ...options,
    providerKey: randomBytes(32),
    store: await openFilesystemStore(join(folder, 'fast')),
  });
  await measure('first write, fast', () => fresh.writeVolume({ path: image }, { subject: 'a', level: 'fast' }));
  await fresh.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Thirds by the MiB, so that every pack gets some of each. */
function makeImage(): void {
  const program = openSync(process.execPath, 'r');
  const fd = openSync(image, 'w');
  const piece = Buffer.alloc(MiB);
  for (let at = 0, n = 0; at < sizeBytes; at += MiB, n++) {
    if (n % 3 === 0) readSync(program, piece, 0, MiB, ((n / 3) * MiB) % (fstatSync(program).size - MiB));
    else if (n % 3 === 1) randomFillSync(piece);
    else piece.fill(0);
    writeSync(fd, piece, 0, MiB, at);
  }
  closeSync(fd);
  closeSync(program);
}

function change(): { offset: number; length: number }[] {
  const length = 128 * KiB;
  const fd = openSync(image, 'r+');
  const extents = Array.from({ length: Math.ceil(sizeBytes / 100 / length) }, () => {
    const offset = Math.floor((Math.random() * (sizeBytes - length)) / 4096) * 4096;
    writeSync(fd, randomBytes(length), 0, length, offset);
    return { offset, length };
  });
  closeSync(fd);
  return extents;
}

async function measure<T extends { readonly storedBytes: number }>(name: string, run: () => Promise<T>): Promise<T> {
  const cpu = process.cpuUsage();
  const began = systemClock.monotonic();
  const result = await run();
  const seconds = (systemClock.monotonic() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const figures = [
    `${(sizeBytes / 1e6 / seconds).toFixed(0)} MB/s`,
    `${seconds.toFixed(2)} s`,
    `${((user + system) / 1e6).toFixed(2)} CPU s`,
    `stored ${formatBytes(result.storedBytes)}`,
    `RSS ${formatBytes(process.memoryUsage.rss())}, peak ${formatBytes(process.resourceUsage().maxRSS * KiB)}`,
  ];
  console.log(`${name.padEnd(32)} ${figures.join(', ')}`);
  return result;
}
