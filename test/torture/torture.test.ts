import { describe, expect, test } from 'vitest';
import { seed } from '../kit/seeded.ts';
import { runExperiment, upperBound } from './experiment.ts';
import { experiments } from './experiments.ts';

describe.each(experiments)('$id: $title', (experiment) => {
  test(`${experiment.runs.ci} of ${experiment.runs.full} runs`, { timeout: 600_000 }, async (context) => {
    const { skipped, failures } = await runExperiment(experiment, { seed, runs: experiment.runs.ci });
    if (skipped !== undefined) context.skip(skipped);
    expect(failures).toEqual([]);
  });
});

test('the bound is that of Clopper and Pearson', () => {
  expect(upperBound(1000, 0)).toBeCloseTo(1 - 0.05 ** (1 / 1000), 9); // 3/N, nearly
  expect(upperBound(100, 3)).toBeCloseTo(0.0757, 4);
  expect(upperBound(10_000, 50)).toBeCloseTo(0.00633, 4);
  expect(upperBound(4, 4)).toBe(1);
});

test('a failure is kept with the seed that repeats it, and so is a run that tries nothing', async () => {
  const about = { id: 'R0', title: 'none', runs: { ci: 1, full: 1 } };
  const run = (one: Parameters<typeof runExperiment>[0]['run']) => runExperiment({ ...about, run: one }, { seed: 7, runs: 3 });
  const odd = await run((trials, own) =>
    trials.try('odd', async () => {
      if (own % 2 === 1) throw new Error('odd');
    }),
  );
  expect(odd).toMatchObject({
    runs: 3,
    tried: 3,
    failures: [
      { seed: 7, trial: 'odd' },
      { seed: 9, trial: 'odd' },
    ],
  });
  expect((await run(async () => undefined)).failures).toHaveLength(3);
});
