/**
 * The tests of reliability at their full counts: `npm run torture -- [R3 R4 …] [--runs N] [--ci] [--seed S] [--peers]`. Prints N, failures and the 95 %
 * bound of each, writes them to test/torture/out, and ends with exit code 1 when something failed. `--peers` puts the plain commands of Karri, restic and borg
 * through the same kills, damage and full disks instead, and prints what became of each side by side.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isoTime, systemClock } from '../../src/base/clock.ts';
import { seed as chosenSeed } from '../kit/seeded.ts';
import { type Result, runExperiment } from './experiment.ts';
import { experiments } from './experiments.ts';
import { comparePeers, formatPeers, peerExperiments } from './peers/peers.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string' }, ci: { type: 'boolean' }, seed: { type: 'string' }, peers: { type: 'boolean' } },
});
/** Every one of them starts programs. */
const peerRuns = 20;
const seed = values.seed === undefined ? chosenSeed : Number(values.seed);
const unknown = positionals.filter((id) => experiments.every((experiment) => experiment.id !== id));
if (unknown.length > 0)
  throw new Error(`There is no ${unknown.join(', ')}; there are ${experiments.map(({ id }) => id).join(', ')}.`);

console.log(`seed ${seed}`);
const results: Result[] = [];
for (const experiment of values.peers
  ? []
  : experiments.filter(({ id }) => positionals.length === 0 || positionals.includes(id))) {
  const { runs: counts } = experiment;
  const runs = values.runs === undefined ? (values.ci ? counts.ci : counts.full) : Number(values.runs);
  console.log(`\n${experiment.id}: ${experiment.title}`);
  const result = await runExperiment(experiment, { seed, runs });
  results.push(result);
  for (const { seed: own, trial, what } of result.failures)
    console.log(`  FAILED --seed ${own} --runs 1: ${trial}\n    ${what.replaceAll('\n', '\n    ')}`);
  console.log(`  ${describeResult(result)}`);
}

function describeResult({ skipped, runs, tried, failures, bound, seconds }: Result): string {
  if (skipped !== undefined) return `skipped: ${skipped}`;
  const share = `${(bound * 100).toPrecision(2)} %`;
  return `${runs} runs, N = ${tried}, ${failures.length} failures, 95 % bound ${share}${failures.length === 0 ? ' (3/N)' : ' (Clopper–Pearson)'}, ${seconds.toFixed(1)} s`;
}

const peers = values.peers
  ? await comparePeers(
      peerExperiments.filter((id) => positionals.length === 0 || positionals.includes(id)),
      { seed, runs: Number(values.runs ?? peerRuns), say: console.log },
    )
  : [];
if (peers.length > 0) console.log(`\n${formatPeers(peers)}`);

const outFolder = fileURLToPath(new URL('./out/', import.meta.url));
mkdirSync(outFolder, { recursive: true });
writeFileSync(
  `${outFolder}torture.json`,
  `${JSON.stringify({ at: isoTime(systemClock.now()), seed, results, peers }, undefined, 2)}\n`,
);
const isKarriWrong = peers.some(({ tool, counts }) => tool === 'karri' && (counts['wrong'] ?? 0) > 0);
if (isKarriWrong || results.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
