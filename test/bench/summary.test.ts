import { describe, expect, test } from 'vitest';
import type { Run } from './run-pair.ts';
import type { Scenario } from './scenarios.ts';
import { formatJudgement, formatTable, judge, summarize } from './summary.ts';

const mebibyte = 1024 * 1024;
const scenarios: Scenario[] = [
  { id: 'first', set: 'B', bank: 'local', title: 'B first', must: 0.4, aim: 0.3, storedMust: 1, backup: {}, fresh: true },
  { id: 'restore', set: 'B', bank: 'local', title: 'B restore', must: 0.45, aim: 0.3 },
  { id: 'shown', set: 'A', bank: 's3', title: 'only shown', backup: {} },
];

function run(scenario: string, program: string, pair: number, wallSeconds: number, storedMiB = 100, peakMiB = 200): Run {
  return {
    scenario,
    program,
    pair,
    wallSeconds,
    cpuSeconds: wallSeconds,
    peakBytes: peakMiB * mebibyte,
    storedBytes: storedMiB * mebibyte,
  };
}

/** The second pair met a machine that was three times as slow. */
const runs: Run[] = [
  ...[run('first', 'karri', 1, 3, 99), run('first', 'restic', 1, 10)],
  ...[run('first', 'karri', 2, 9, 99), run('first', 'restic', 2, 30)],
  ...[run('restore', 'karri', 1, 5, 0, 380), run('restore', 'restic', 1, 10, 0)],
  ...[run('restore', 'karri', 2, 16, 0, 380), run('restore', 'restic', 2, 30, 0)],
  ...[run('shown', 'karri', 1, 1), run('shown', 'karri', 2, 1), run('shown', 'restic', 1, 1), run('shown', 'restic', 2, 1)],
];

describe('what the bench makes of its runs', () => {
  test('ratios are those of the pairs, musts are counted and the missed ones named', () => {
    const rows = summarize(scenarios, runs);
    expect(rows[0]).toMatchObject({ wallRatio: 0.3, storedRatio: 0.99, karri: { wallSeconds: 6 } });
    expect(judge(rows)).toEqual({
      met: 4,
      missed: ["B restore: 0.517 of restic's time (must 0.45)", 'B restore: 380 MiB at the peak (must 350)'],
      untried: [],
    });
    expect(formatJudgement(judge(rows)).split('\n')[0]).toBe('4 of 6 musts are met.');
    expect(formatTable(rows)).toMatch(/^B first +6\.00 +20\.00 +0\.300 +0\.40 +0\.30 +aim .* 99\.0 : 100\.0 ok +200 : 200/m);
  });

  test('without restic nothing counts as met but memory', () => {
    const rows = summarize(
      scenarios,
      runs.filter(({ program }) => program === 'karri'),
    );
    expect(judge(rows)).toEqual({
      met: 2,
      missed: ['B restore: 380 MiB at the peak (must 350)'],
      untried: ['B first', 'B restore'],
    });
  });
});
