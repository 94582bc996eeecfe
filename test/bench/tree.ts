/**
 * The tree path by hand: `node test/bench/tree.ts [files] [MiB]` writes, rewrites, changes 1 % of, and restores a generated tree through a filesystem
 * bank in a temporary folder, and prints what each step took. Figures, no verdicts.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { formatBytes, MiB } from '../../src/base/bytes.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openRepository } from '../../src/repository/repository.ts';

const files = Number(process.argv[2] ?? 20_000);
const sizeBytes = Number(process.argv[3] ?? 400) * MiB;
const folder = mkdtempSync(join(tmpdir(), 'karri-bench-'));
const source = join(folder, 'source');
let peakBytes = 0;
const watch = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 50);

try {
  makeTree();
  // What changed within the last second is not taken over unread.
  await sleep(1500);
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
  const write = (readEverything: boolean) => repository.writeTree({ path: source }, { subject: 'a', readEverything });
  console.log(`${files} files, ${formatBytes(sizeBytes)}: half a program, half random`);
  const first = await measure('first write', () => write(false));
  await measure('again, known from times', () => write(false));
  await measure('again, everything re-read', () => write(true));
  change();
  await measure('1 % of files changed', () => write(false));
  await measure('restore', async () => ({
    ...(await repository.restoreTree(first.id, { path: join(folder, 'restored') }, {})),
    storedBytes: 0,
  }));
  await repository.close();
} finally {
  clearInterval(watch);
  rmSync(folder, { recursive: true, force: true });
}

/** A hundred files a folder, sizes from a tenth to ten times the middle one. */
function makeTree(): void {
  const program = Buffer.alloc(32 * MiB);
  const fd = openSync(process.execPath, 'r');
  readSync(fd, program);
  closeSync(fd);
  const noise = randomBytes(8 * MiB);
  const weights = Array.from({ length: files }, () => 10 ** (Math.random() * 2 - 1));
  const unit = sizeBytes / weights.reduce((sum, weight) => sum + weight, 0);
  for (const [i, weight] of weights.entries()) {
    const parent = join(source, `folder-${Math.floor(i / 10_000)}`, `folder-${Math.floor(i / 100) % 100}`);
    if (i % 100 === 0) mkdirSync(parent, { recursive: true });
    const length = Math.ceil(weight * unit);
    const bytes = i % 2 === 0 ? program : noise;
    const at = Math.floor(Math.random() * (bytes.length - length));
    writeFileSync(join(parent, `file-${i}`), bytes.subarray(at, at + length));
  }
}

function change(): void {
  for (let n = 0; n < files / 100; n++) {
    const i = Math.floor(Math.random() * files);
    const parent = join(source, `folder-${Math.floor(i / 10_000)}`, `folder-${Math.floor(i / 100) % 100}`);
    writeFileSync(join(parent, `file-${i}`), randomBytes(Math.ceil(sizeBytes / files)));
  }
}

async function measure<T extends { readonly storedBytes: number }>(name: string, run: () => Promise<T>): Promise<T> {
  const cpu = process.cpuUsage();
  const began = systemClock.monotonic();
  peakBytes = process.memoryUsage.rss();
  const result = await run();
  const seconds = (systemClock.monotonic() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const figures = [
    `${(files / seconds).toFixed(0)} files/s`,
    `${(sizeBytes / 1e6 / seconds).toFixed(0)} MB/s`,
    `${seconds.toFixed(2)} s`,
    `${((user + system) / 1e6).toFixed(2)} CPU s`,
    `stored ${formatBytes(result.storedBytes)}`,
    `peak ${formatBytes(peakBytes)}`,
  ];
  console.log(`${name.padEnd(26)} ${figures.join('  ')}`);
  return result;
}
