import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemStore } from '../../plugins/banks/filesystem/filesystem-store.ts';
import { MiB } from '../../src/base/bytes.ts';
import { Fault, isFault } from '../../src/base/faults.ts';
import { changeStore } from '../kit/repositories.ts';
import { createSeeded, type Seeded } from '../kit/seeded.ts';
import type { Experiment } from './experiment.ts';
import { Scene, upTo } from './scene.ts';

/** Borg wants half a gigabyte before it begins. */
export const enoughRoom = 'size=4g,nr_inodes=100000';

/** What a protect may say then. */
const expected = ['storage.full', 'storage.refused', 'storage.failed', 'repository.file_failed'];

/** A small file system of its own for the time of the work. */
async function withMount(work: (folder: string, remount: (options: string) => void) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'karri-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', enoughRoom, 'karri-torture', folder]);
  try {
    await work(folder, (options) => void execFileSync('mount', ['-o', `remount,${options}`, folder]));
  } finally {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  }
}

/** Takes something away so that a protect of 8 MiB fails, or gets through all the same; gives it back, and all goes on. */
async function protectThrough(scene: Scene, scratch: string | undefined, giveBack: () => void): Promise<void> {
  const protect = async (): Promise<void> => {
    const repository = await scene.open(scene.store, scratch ?? scene.createFolder());
    try {
      scene.promised.set(...(await scene.sources.protect(repository, 'volume')));
    } finally {
      await repository.close();
    }
  };
  await protect().catch((error: unknown) => {
    if (!isFault(error) || !expected.includes(error.code)) throw error;
  });
  await scene.look();
  giveBack();
  await protect();
  await scene.look();
  await scene.expectNoOrphans();
}

/** What is taken away: mount options. */
export const obstacles = {
  full: (chance: Seeded, used: Used) => `size=${used.bytes + upTo(chance, 7 * MiB)}`,
  'no inodes': (chance: Seeded, used: Used) => `nr_inodes=${used.inodes + upTo(chance, 4)}`,
  'read-only': () => 'ro',
} as const;

interface Used {
  readonly bytes: number;
  readonly inodes: number;
}

export function measureUse(folder: string): Used {
  const output = execFileSync('df', ['--output=used,iused', '-B1', folder], { encoding: 'utf8' });
  const [bytes = 0, inodes = 0] = (output.split('\n')[1] ?? '').trim().split(/\s+/).map(Number);
  return { bytes: Math.max(bytes, 4096), inodes }; // a size of 0 is no bound at all
}

export const fullDisks: Experiment = {
  id: 'R10',
  title:
    'bank or scratch without room, without inodes or read-only, and calls of the bank that fail: earlier snapshots restore meanwhile, and all goes on afterwards',
  runs: { ci: 1, full: 10 },
  findObstacle: () =>
    process.getuid?.() === 0 && process.platform === 'linux' ? undefined : 'only root may mount a small file system',
  async run(trials, seed) {
    const chance = createSeeded('full disks', seed);
    const scene = await Scene.make(seed, seed % 5);
    try {
      appendFileSync(scene.sources.volume, chance.bytes(8 * MiB));
      for (const [name, optionsOf] of Object.entries(obstacles)) {
        await trials.try(`bank: ${name}`, () =>
          withMount(async (folder, remount) => {
            mkdirSync(join(folder, 'bank'));
            const store = await openFilesystemStore(join(folder, 'bank'));
            const moved = await scene.moveTo(store);
            remount(optionsOf(chance, measureUse(folder)));
            await protectThrough(moved, undefined, () => remount(`rw,${enoughRoom}`));
          }),
        );
        await trials.try(`scratch: ${name}`, async () =>
          withMount(async (folder, remount) => {
            remount(name === 'full' ? 'size=4096' : optionsOf(chance, measureUse(folder)));
            await protectThrough(await scene.clone(), folder, () => remount(`rw,${enoughRoom}`));
          }),
        );
      }
      await trials.try('bank: calls fail', async () => {
        const whole = await scene.clone();
        let isBroken = true;
        const flaky = async <T>(call: () => Promise<T>): Promise<T> => {
          if (isBroken && chance.fraction() < 0.1) throw new Fault('unavailable', 'storage.failed', 'EIO', { retry: 'never' });
          return call();
        };
        const store = changeStore(whole.store, {
          put: (...args) => flaky(() => whole.store.put(...args)),
          get: (...args) => flaky(() => whole.store.get(...args)),
        });
        const repository = await whole.open(store).catch(() => undefined);
        await repository?.writeVolume({ path: whole.sources.volume }, { subject: 'volume' }).catch((error: unknown) => {
          if (!isFault(error, 'storage.failed')) throw error;
        });
        await repository?.close();
        isBroken = false;
        await protectThrough(whole, undefined, () => undefined);
      });
    } finally {
      scene.remove();
    }
  },
};
