/**
 * Our plain command against restic, and borg beside them: `npm run bench -- [--quick] [--mib 2048] [--pairs 3] [--only A|B]
 * [--bank local|s3] [--dir DIR]`. Every scenario is run in turn by ours and by restic on the same data (A B A B …), what was restored is compared byte by
 * byte, and a difference ends the bench with exit code 1. The figures are printed, and written to test/bench/out as JSON and SVG.
 * `--quick` is one pair on 256 MiB: a look, as the targets are meant for 2 GiB.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatBytes } from '../../src/base/bytes.ts';
import { isoTime, systemClock } from '../../src/base/clock.ts';
import { type BenchServer, startBenchServer } from './bench-server.ts';
import { drawChart } from './chart.ts';
import { type DataSet, provideDataSet, type SetName } from './gen-data.ts';
import { describeMeasuring } from './measure.ts';
import { installPeers, isThere, readVersion } from './peers.ts';
import { type Run, runPair } from './run-pair.ts';
import { scenarios } from './scenarios.ts';
import { formatJudgement, formatTable, judge, summarize } from './summary.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    mib: { type: 'string' },
    pairs: { type: 'string' },
    only: { type: 'string' },
    bank: { type: 'string' },
    dir: { type: 'string', default: join(tmpdir(), 'karri-bench') },
  },
});
const targetMib = 2048;
const mib = Number(values.mib ?? (values.quick ? 256 : targetMib));
const pairs = Number(values.pairs ?? (values.quick ? 1 : 3));
const cores = availableParallelism();
const loadAtStart = loadavg();
console.log(
  `load average ${loadAtStart.map((load) => load.toFixed(2)).join(', ')} on ${cores} cores${describeLoad(loadAtStart[0] ?? 0)}`,
);
const outFolder = fileURLToPath(new URL('./out/', import.meta.url));
const workFolder = join(values.dir, 'work');

const { missing, reason } = installPeers();
for (const program of missing) console.log(`${program} is not there and was not installed: ${reason}`);
const programs = (['restic', 'borg'] as const).filter((program) => !missing.includes(program));

// With Ctrl-C the program that is being measured ends, and so does the bench, which takes away what it made.
process.on('SIGINT', () => undefined);
rmSync(workFolder, { recursive: true, force: true });
mkdirSync(workFolder, { recursive: true });
const wanted = scenarios.filter(({ set, bank }) => (values.only ?? set) === set && (values.bank ?? bank) === bank);
const sets = new Map<SetName, DataSet>();
for (const name of new Set(wanted.map(({ set }) => set))) {
  const set = provideDataSet(name, join(values.dir, 'data'), mib);
  sets.set(name, set);
  console.log(`set ${name}: ${formatBytes(set.bytes)}, ${set.files} real files, ${set.path}`);
}
let server: BenchServer | undefined;
try {
  if (wanted.some(({ bank }) => bank === 's3')) {
    server = await startBenchServer(workFolder, 10 + Math.ceil((6 * pairs * mib) / 1024));
    console.log(`S3: ${server.name}`);
  }
  const runs: Run[] = [];
  for (let pair = 1; pair <= pairs; pair += 1)
    runs.push(...(await runPair({ pair, scenarios: wanted, sets, server, programs, folder: workFolder, say: console.log })));
  const rows = summarize(wanted, runs);
  const judgement = judge(rows);
  const report = {
    at: isoTime(systemClock.now()),
    machine: { processor: cpus()[0]?.model ?? '', cores, memoryBytes: totalmem(), loadAtStart, loadAtEnd: loadavg() },
    versions: {
      node: process.version,
      ...(isThere('restic') ? { restic: readVersion('restic', 'version') } : {}),
      ...(isThere('borg') ? { borg: readVersion('borg', '--version') } : {}),
    },
    server: server?.name ?? null,
    measuredBy: describeMeasuring(),
    mib,
    pairs,
    judgement,
    rows,
    runs,
  };
  mkdirSync(outFolder, { recursive: true });
  writeFileSync(join(outFolder, 'bench.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(outFolder, 'bench.svg'), drawChart(rows, `${mib} MiB, medians of ${pairs} pairs`));
  console.log(`\n${formatTable(rows)}\n`);
  console.log(
    `${report.machine.cores} × ${report.machine.processor}; ${Object.values(report.versions).join(', ')}; CPU and memory from ${report.measuredBy}`,
  );
  console.log(`${join(outFolder, 'bench.json')}, ${join(outFolder, 'bench.svg')}; the data stays in ${join(values.dir, 'data')}`);
  console.log(`\n${formatJudgement(judgement)}`);
  if (mib < targetMib) console.log(`The targets are meant for ${targetMib} MiB; with ${mib} a start weighs more.`);
} finally {
  await server?.stop();
  rmSync(workFolder, { recursive: true, force: true });
}

function describeLoad(load: number): string {
  return load > cores / 2 ? ': it does other things too, so believe ratios and CPU more than seconds' : '';
}
