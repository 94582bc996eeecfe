import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpointStatuses } from '../../src/model/checkpoint.ts';
import type { RetentionRules } from '../../src/model/scheduled-operation.ts';
import { planRetention, type RetainedCheckpoint } from '../../src/operations/retention.ts';

const none: RetentionRules = {
  maxBackups: null,
  retentionDuration: null,
  keepLast: null,
  keepHourly: null,
  keepDaily: null,
  keepWeekly: null,
  keepMonthly: null,
  keepYearly: null,
};
const hour = 3_600_000;
const day = 24 * hour;
const now = Date.parse('2031-03-09T12:00:00Z');
/** One every `step`, the first the newest; each is called by its number. */
const every = (step: number, count: number): RetainedCheckpoint[] =>
  Array.from({ length: count }, (_, index) => ({ id: String(index), status: 'available', createdAt: now - index * step }));
const gone = (checkpoints: readonly RetainedCheckpoint[], rules: Partial<RetentionRules>): string[] =>
  planRetention(checkpoints, { ...none, ...rules }, now)
    .filter(({ goes }) => goes)
    .map(({ id }) => id);

describe('a retention', () => {
  test('keeps the newest by their recorded time, whatever order they come in', () => {
    const shuffled = [3, 0, 4, 1, 2].map((index) => every(day, 5)[index] ?? every(day, 1)[0]).filter((one) => one !== undefined);
    expect(gone(shuffled, { maxBackups: 2 })).toEqual(['2', '3', '4']);
  });

  test('counts ages in dates: of yesterday is one day old', () => {
    expect(gone(every(12 * hour, 6), { retentionDuration: 1 })).toEqual(['4', '5']);
  });

  test('counts and lets go only what is available', () => {
    const mixed = every(day, 5).map((one, index) => (index === 1 ? { ...one, status: 'error' as const } : one));
    expect(gone(mixed, { maxBackups: 2 })).toEqual(['3', '4']);
  });

  test('never lets the newest good one go, however old it is', () => {
    const failed = every(day, 3).map((one) => ({ ...one, status: 'error' as const }));
    const old: RetainedCheckpoint = { id: 'old', status: 'available', createdAt: now - 400 * day };
    expect(gone([...failed, old], { retentionDuration: 1, maxBackups: 1, keepLast: 1 })).toEqual([]);
  });

  test('keeps the newest of each period that a rule names', () => {
    const hourly = every(hour, 24 * 70);
    const kept = planRetention(
      hourly,
      { ...none, keepLast: 2, keepHourly: 3, keepDaily: 2, keepWeekly: 2, keepMonthly: 2, keepYearly: 5 },
      now,
    );
    expect(kept.filter(({ goes }) => !goes).map(({ id, reason }) => [id, reason])).toEqual([
      ['0', 'It is the newest good one.'],
      ['1', 'It is kept by keep_last=2.'],
      ['2', 'It is kept by keep_hourly=3.'],
      // The end of the day before; it is a Saturday.
      ['13', 'It is kept by keep_daily=2.'],
      // The end of Sunday the second.
      [String(12 + 24 * 6 + 1), 'It is kept by keep_weekly=2.'],
      // The end of February, and of 2030.
      [String(12 + 24 * 8 + 1), 'It is kept by keep_monthly=2.'],
      [String(12 + 24 * 67 + 1), 'It is kept by keep_yearly=5.'],
    ]);
  });

  test('without rules lets nothing go; says why of each', () => {
    const verdicts = planRetention(every(day, 9), none, now);
    expect(verdicts.every(({ goes, reason }) => !goes && reason !== '')).toBe(true);
  });

  test('always leaves a good one, and stricter rules let go at least as much', () => {
    const checkpoint = fc.record({
      id: fc.uuid(),
      status: fc.constantFrom(...checkpointStatuses),
      createdAt: fc.integer({ min: now - 900 * day, max: now + 10 * day }),
    });
    const limit = fc.option(fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(
        fc.uniqueArray(checkpoint, { selector: ({ id }) => id, maxLength: 40 }),
        limit,
        limit,
        (all, maxBackups, retentionDuration) => {
          const good = all.filter(({ status }) => status === 'available').map(({ id }) => id);
          const rules = { maxBackups, retentionDuration };
          const loose = gone(all, rules);
          expect(loose.every((id) => good.includes(id))).toBe(true);
          expect(loose.length).toBeLessThanOrEqual(Math.max(0, good.length - 1));
          const stricter = gone(all, { maxBackups: maxBackups && Math.max(1, maxBackups - 1), retentionDuration });
          expect(loose.every((id) => stricter.includes(id))).toBe(true);
          if (maxBackups !== null) expect(good.length - loose.length).toBeLessThanOrEqual(maxBackups);
        },
      ),
      { numRuns: 300 },
    );
  });
});
