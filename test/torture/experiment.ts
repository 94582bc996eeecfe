import { systemClock } from '../../src/base/clock.ts';
import { seedIds } from '../kit/seeded-ids.ts';

/** One of the tests of reliability. A run is made from its seed alone; it tries one thing or many. */
export interface Experiment {
  /** `R3` */
  readonly id: string;
  /** What is tried, and what has to hold afterwards. */
  readonly title: string;
  /** How many runs there are: with `npm test`, and all of them. */
  readonly runs: { readonly ci: number; readonly full: number };
  /** Why it cannot be tried on this machine; undefined when it can. */
  findObstacle?(): string | undefined;
  run(trials: Trials, seed: number): Promise<void>;
}

/** Counts what was tried, and keeps what failed. */
export interface Trials {
  /** A failure is kept and the run goes on. */
  try(name: string, trial: () => Promise<void>): Promise<void>;
}

export interface Failure {
  /** Of the run: `--seed` repeats it. */
  readonly seed: number;
  readonly trial: string;
  readonly what: string;
}

export interface Result {
  readonly id: string;
  readonly title: string;
  readonly seed: number;
  readonly runs: number;
  /** How many things were tried in these runs. */
  readonly tried: number;
  readonly failures: readonly Failure[];
  /** With 95 % confidence fewer than this share of all such trials fail. */
  readonly bound: number;
  readonly seconds: number;
  /** Why nothing was tried. */
  readonly skipped?: string;
}

export interface RunOptions {
  readonly seed: number;
  readonly runs: number;
  readonly onRun?: (done: number, tried: number, failures: readonly Failure[]) => void;
}

/** Run n has the seed `seed + n`, so that any of them can be repeated alone. */
export async function runExperiment(experiment: Experiment, { seed, runs, onRun }: RunOptions): Promise<Result> {
  const { id, title } = experiment;
  const skipped = experiment.findObstacle?.();
  if (skipped !== undefined) return { id, title, seed, runs: 0, tried: 0, failures: [], bound: 1, seconds: 0, skipped };
  const began = systemClock.monotonic();
  const failures: Failure[] = [];
  let tried = 0;
  for (let run = 0; run < runs; run++) {
    const own = (seed + run) % 2 ** 31;
    const note = (trial: string, error: unknown): void => void failures.push({ seed: own, trial, what: describeError(error) });
    seedIds(own);
    const before = tried;
    const trials: Trials = {
      async try(name, trial) {
        tried++;
        await trial().catch((error: unknown) => note(name, error));
      },
    };
    try {
      await experiment.run(trials, own);
      if (tried === before) throw new Error('Nothing was tried.');
    } catch (error) {
      tried++;
      note('preparation', error);
    }
    onRun?.(run + 1, tried, failures);
  }
  const seconds = (systemClock.monotonic() - began) / 1000;
  return { id, title, seed, runs, tried, failures, bound: upperBound(tried, failures.length), seconds };
}

/**
 * The share of failures that would give so few of them in n trials only once in twenty: Clopper and Pearson's one-sided bound. Without failures that is close
 * to 3/n.
 */
export function upperBound(tried: number, failed: number): number {
  if (failed >= tried) return 1;
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const share = (low + high) / 2;
    if (chanceOfAtMost(failed, tried, share) > 0.05) low = share;
    else high = share;
  }
  return high;
}

/** Of a binomial distribution. */
function chanceOfAtMost(failed: number, tried: number, share: number): number {
  let log = tried * Math.log1p(-share);
  let sum = Math.exp(log);
  for (let n = 1; n <= failed; n++) {
    log += Math.log((tried - n + 1) / n) + Math.log(share) - Math.log1p(-share);
    sum += Math.exp(log);
  }
  return sum;
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${describeError(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
