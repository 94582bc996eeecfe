/**
 * What grows with what: `npm run bench:growth [-- --chunks 10000000] [--keep DIR]`. Makes a repository of so many chunks of 256 KiB (10 million are 2.4 TiB of
 * volume) and prints, for opening it, looking chunks up, protecting 1 % changed and planning a prune, and for a sparse terabyte beside it, seconds,
 * CPU seconds and peak memory. Each scenario is a process of its own, and one that takes more than 512 MiB ends the bench with exit code 1. Simulated are
 * the packs of the large volume alone (see growth-bank.ts). Needs some 6 GiB and a file system with sparse files; `--keep` leaves everything in DIR
 * and takes what is there.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatBytes, GiB, KiB, MiB } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { insideOf } from '../../src/repository/inside.ts';
import {
  type GrowthBank,
  openGrowthRepository,
  subject,
  writeChangedVolume,
  writeGrowthBank,
  writeSparseVolume,
} from './growth-bank.ts';

const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '10000000' },
    keep: { type: 'string' },
    only: { type: 'string' },
    // How the bench calls itself.
    scenario: { type: 'string' },
    folder: { type: 'string', default: '' },
  },
});
const capBytes = 512 * MiB;

interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What is done before and not counted; in a process of its own, too. */
  prepare?(folder: string): void;
  /** Says what came of it. */
  run(folder: string): Promise<string>;
}

interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly note: string;
}

const inBank = (folder: string, work: (repository: Repository) => Promise<string>): Promise<string> =>
  withRepository(folder, 'bank', work);

const scenarios: readonly Scenario[] = [
  {
    name: 'open',
    title: 'open, list snapshots',
    run: (folder) => inBank(folder, async (repository) => `${(await repository.listSnapshots()).length} snapshots`),
  },
  {
    name: 'cold',
    title: 'first use on a machine: load the index',
    prepare: (folder) => rmSync(join(folder, 'bank-scratch'), { recursive: true, force: true }),
    run: (folder) => inBank(folder, loadIndex),
  },
  { name: 'warm', title: 'later use: load what is new of the index', run: (folder) => inBank(folder, loadIndex) },
  { name: 'lookups', title: 'look chunks up, one thread', run: (folder) => inBank(folder, lookUp) },
  {
    name: 'changed-elsewhere',
    title: 'protect 1 % changed, by list; first here',
    prepare: (folder) => change(folder, 100),
    run: protectChanged,
  },
  {
    name: 'changed',
    title: 'protect 1 % changed, by list',
    prepare: (folder) => change(folder, 100),
    run: protectChanged,
  },
  {
    name: 'few',
    title: 'protect 100 slots changed, by list',
    prepare: (folder) => change(folder, 100, 100),
    run: protectChanged,
  },
  {
    name: 'reread',
    title: 'protect 1 % data, the rest holes, all read',
    prepare: (folder) => change(folder, 100),
    run: (folder) =>
      inBank(folder, async (repository) => {
        const path = join(folder, 'changed.raw');
        const { storedBytes } = await repository.writeVolume({ path }, { subject: 'reread', readEverything: true });
        return `stored ${formatBytes(storedBytes)}`;
      }),
  },
  {
    name: 'prune',
    title: 'plan a prune after a snapshot was forgotten',
    run: (folder) =>
      inBank(folder, async (repository) => {
        const [, forgotten] = [...(await repository.listSnapshots())].sort();
        if (forgotten !== undefined) await repository.forget(forgotten);
        const { keeps, suspects, damages } = await repository.planGc({});
        return `keeps ${keeps.packs} packs, would let ${suspects.packs} go, ${damages.length} damaged objects`;
      }),
  },
  {
    name: 'sparse',
    title: 'protect a sparse volume of 1 TiB',
    prepare: (folder) => writeSparseVolume(join(folder, 'sparse.raw'), 1024 * GiB),
    run: (folder) =>
      withRepository(folder, 'sparse-bank', async (repository) => {
        const { storedBytes } = await repository.writeVolume({ path: join(folder, 'sparse.raw') }, { subject: 'sparse' });
        return `stored ${formatBytes(storedBytes)}`;
      }),
  },
  {
    name: 'restore',
    title: 'restore it, read back and compared',
    prepare: (folder) => rmSync(join(folder, 'restored.raw'), { force: true }),
    run: (folder) =>
      withRepository(folder, 'sparse-bank', async (repository) => {
        const id = [...(await repository.listSnapshots())].sort().at(-1) ?? '';
        const path = join(folder, 'restored.raw');
        const { sizeBytes } = await repository.restoreVolume(id, { path, overwrite: false }, {});
        return `${formatBytes(sizeBytes)}`;
      }),
  },
];

if (values.scenario === undefined) runAll();
else if (values.scenario === 'make') await make();
else if (values.scenario.startsWith('prepare ')) findScenario(values.scenario.slice('prepare '.length)).prepare?.(values.folder);
else await runScenario(findScenario(values.scenario));

function runAll(): void {
  const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'karri-growth-')) : resolve(values.keep);
  mkdirSync(folder, { recursive: true });
  try {
    if (!existsSync(join(folder, 'bank.json'))) callMyself('make', folder);
    const { packs, sizeBytes, chunks } = readBank(folder);
    console.log(`${chunks} chunks of 256 KiB in ${packs} packs, ${formatBytes(sizeBytes)} of volume, in ${folder}.`);
    console.log(
      'Index objects, maps and snapshots are real and sealed; packs of that volume are empty files, as nothing reads them.',
    );
    console.log(`Each scenario is a process of its own, and may take ${formatBytes(capBytes)}.`);
    const chosen = values.only?.split(',');
    const over = scenarios
      .filter(({ name }) => chosen?.includes(name) ?? true)
      .filter(({ name, title, prepare }) => {
        if (prepare) callMyself(`prepare ${name}`, folder);
        const figures = JSON.parse(callMyself(name, folder)) as Figures;
        console.log(figuresLine(title, figures));
        return figures.peakBytes > capBytes;
      });
    if (over.length > 0) process.exitCode = 1;
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function figuresLine(title: string, { seconds, cpuSeconds, peakBytes, note }: Figures): string {
  const peak = `${formatBytes(peakBytes)}${peakBytes > capBytes ? ' OVER THE CAP' : ''}`;
  return `${title.padEnd(44)} ${seconds.toFixed(2).padStart(8)} s  CPU ${cpuSeconds.toFixed(2).padStart(7)} s  peak ${peak.padStart(8)}  ${note}`;
}

/** What the process said. @throws what it complained of */
function callMyself(scenario: string, folder: string): string {
  const call = [fileURLToPath(import.meta.url), '--scenario', scenario, '--folder', folder, '--chunks', values.chunks];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, ...call], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${scenario} failed: ${stderr}`);
  return stdout;
}

function findScenario(wanted: string): Scenario {
  const scenario = scenarios.find(({ name }) => name === wanted);
  if (scenario === undefined) throw new Error(`There is no scenario ${wanted}.`);
  return scenario;
}

async function make(): Promise<void> {
  const chunks = Number(values.chunks);
  const bank = await writeGrowthBank(values.folder, chunks);
  writeFileSync(join(values.folder, 'bank.json'), JSON.stringify({ ...bank, chunks }));
}

function readBank(folder: string): GrowthBank & { readonly chunks: number } {
  return JSON.parse(readFileSync(join(folder, 'bank.json'), 'utf8')) as GrowthBank & { readonly chunks: number };
}

async function runScenario({ run }: Scenario): Promise<void> {
  const began = systemClock.monotonic();
  const note = await run(values.folder);
  const seconds = (systemClock.monotonic() - began) / 1000;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const figures: Figures = { seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * KiB, note };
  console.log(JSON.stringify(figures));
}

async function withRepository(folder: string, bank: string, work: (repository: Repository) => Promise<string>): Promise<string> {
  const repository = await openGrowthRepository(folder, bank);
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

/** Loads what there is, then looks for what is new: what every protect begins with. */
async function loadIndex(repository: Repository): Promise<string> {
  const { hold, refresh } = insideOf(repository);
  return hold(async () => {
    await refresh(undefined);
    const began = systemClock.monotonic();
    await refresh(undefined);
    return `once more, nothing new: ${((systemClock.monotonic() - began) / 1000).toFixed(2)} s`;
  });
}

async function lookUp(repository: Repository): Promise<string> {
  const { core, hold, refresh } = insideOf(repository);
  return hold(async () => {
    await refresh(undefined);
    const known = readFileSync(join(values.folder, 'sample'));
    const unknown = randomBytes(known.length);
    const rates = [known, unknown].map((ids) => {
      const began = systemClock.monotonic();
      let found = 0;
      for (let id = 0; id < ids.length; id += 32) if (core.source.has(ids.subarray(id, id + 32))) found++;
      if (found !== (ids === known ? ids.length / 32 : 0)) throw new Error(`${found} of ${ids.length / 32} chunks were found.`);
      return Math.round(ids.length / 32 / ((systemClock.monotonic() - began) / 1000));
    });
    return `${rates[0]} a second that are there, ${rates[1]} that are not`;
  });
}

function change(folder: string, every: number, most = Number.POSITIVE_INFINITY): void {
  const extents = writeChangedVolume(join(folder, 'changed.raw'), readBank(folder).sizeBytes, every, most);
  writeFileSync(join(folder, 'changed.json'), JSON.stringify(extents));
}

function protectChanged(folder: string): Promise<string> {
  const extents = JSON.parse(readFileSync(join(folder, 'changed.json'), 'utf8')) as { offset: number; length: number }[];
  return inBank(folder, async (repository) => {
    const since = await newestOf(repository, subject);
    const { storedBytes } = await repository.writeVolume(
      { path: join(folder, 'changed.raw'), changed: { since, extents } },
      { subject },
    );
    return `${extents.length} slots, stored ${formatBytes(storedBytes)}`;
  });
}

async function newestOf(repository: Repository, wanted: string): Promise<string> {
  for await (const { id } of insideOf(repository).newestFirst(wanted, undefined)) return id;
  throw new Error(`Nothing of ${wanted} is in the bank.`);
}
