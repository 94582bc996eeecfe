import type { CheckpointStatus } from '../model/checkpoint.ts';
import type { RetentionRules } from '../model/scheduled-operation.ts';

/** What the retention has to know of a checkpoint. */
export interface RetainedCheckpoint {
  readonly id: string;
  readonly status: CheckpointStatus;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface RetentionVerdict {
  readonly id: string;
  readonly goes: boolean;
  /** For people: why it stays or goes. */
  readonly reason: string;
}

const dayMs = 86_400_000;

/**
 * What of a plan's checkpoints a retention would let go. Only available ones count and only they go; the newest of them
 * always stays, so that no rule and no wrong clock takes the last good one. Newest is what was recorded as such, whatever
 * order the bank lists in. A checkpoint goes when there are too many, when it is too old, or, where there are keep rules,
 * when none of them wants it.
 */
export function planRetention(
  checkpoints: readonly RetainedCheckpoint[],
  rules: RetentionRules,
  now: number,
): RetentionVerdict[] {
  const good = checkpoints
    .filter(({ status }) => status === 'available')
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  const keepers = keepRules(rules);
  const wanted = new Map<string, string>();
  for (const { name, count, period } of keepers) {
    const periods = new Set<string>();
    for (const { id, createdAt } of good) {
      const key = period(createdAt, id);
      if (periods.has(key) || periods.size >= count) continue;
      periods.add(key);
      if (!wanted.has(id)) wanted.set(id, `It is kept by ${name}=${count}.`);
    }
  }

  return good.map(({ id, createdAt }, index) => {
    if (index === 0) return { id, goes: false, reason: 'It is the newest good one.' };
    const { maxBackups, retentionDuration } = rules;
    if (maxBackups !== null && index >= maxBackups)
      return { id, goes: true, reason: `There are ${maxBackups} newer ones (max_backups).` };
    const age = wholeDays(now) - wholeDays(createdAt);
    if (retentionDuration !== null && age > retentionDuration)
      return { id, goes: true, reason: `It is ${age} days old, and ${retentionDuration} are allowed (retention_duration).` };
    if (keepers.length > 0 && !wanted.has(id)) return { id, goes: true, reason: 'No keep rule wants it.' };
    return { id, goes: false, reason: wanted.get(id) ?? 'No rule lets it go.' };
  });
}

/** Karbor counts ages in dates: what is from yesterday is one day old. */
function wholeDays(time: number): number {
  return Math.floor(time / dayMs);
}

interface KeepRule {
  readonly name: string;
  readonly count: number;
  /** Of all in one period the newest is kept. */
  readonly period: (time: number, id: string) => string;
}

function keepRules(rules: RetentionRules): KeepRule[] {
  const upTo = (length: number) => (time: number) => new Date(time).toISOString().slice(0, length);
  const all: [string, number | null, KeepRule['period']][] = [
    ['keep_last', rules.keepLast, (_, id) => id],
    ['keep_hourly', rules.keepHourly, upTo(13)],
    ['keep_daily', rules.keepDaily, upTo(10)],
    // Weeks begin on Monday; the first of January 1970 was a Thursday.
    ['keep_weekly', rules.keepWeekly, (time) => String(Math.floor((wholeDays(time) + 3) / 7))],
    ['keep_monthly', rules.keepMonthly, upTo(7)],
    ['keep_yearly', rules.keepYearly, upTo(4)],
  ];
  return all.flatMap(([name, count, period]) => (count === null ? [] : [{ name, count, period }]));
}
