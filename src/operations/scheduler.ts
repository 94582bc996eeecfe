import { faultText, isFault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { NewRun } from '../db/run-store.ts';
import type { NextStrike } from '../db/trigger-store.ts';
import type { RunState } from '../model/scheduled-operation.ts';
import type { Trigger } from '../model/trigger.ts';
import type { OperationsDeps } from './deps.ts';
import { advanceRun } from './run.ts';
import { calendarOf, jitterOf, nextStrike, windowSecondsOf } from './triggers.ts';

/** Triggers that one transaction acts upon. */
const triggersAtOnce = 500;
/** Of a time that was slept through, or that a clock has jumped over, about so many occurrences are told: those that lie further back are left out. */
const missedAtMost = 1000;
const openRunsAtOnce = 1000;
const runsSideBySide = 8;

export interface Scheduler {
  /** Acts upon all triggers that are due. The number of runs that this has made. */
  fire(): Promise<number>;
  /** Milliseconds until the next trigger is due; undefined when none ever is. */
  untilDue(): Promise<number | undefined>;
  /** Takes open runs on. One that fails to move is told in the log and looked at again. */
  advance(): Promise<void>;
}

/**
 * Any number of these work on one database: a trigger's row is locked while it is acted upon, and a run is there once for
 * each operation and time.
 */
export function createScheduler(deps: OperationsDeps): Scheduler {
  const { knex, triggers, scheduledOperations, runs, clock, log } = deps;

  const fireSome = (): Promise<{ triggers: number; runs: number }> =>
    knex.transaction(async (trx) => {
      const now = clock.now();
      const due = await triggers.lockDue(now, triggersAtOnce, trx);
      if (due.length === 0) return { triggers: 0, runs: 0 };
      const operations = Map.groupBy(
        await scheduledOperations.listOfTriggers(
          due.map(({ id }) => id),
          trx,
        ),
        ({ triggerId }) => triggerId,
      );
      const made: NewRun[] = [];
      const upcoming: (NextStrike & { id: string })[] = [];
      for (const trigger of due) {
        const { strikes, next } = strike(deps, trigger, now);
        for (const operation of operations.get(trigger.id) ?? []) {
          for (const { expectedAt, state, reason } of strikes) {
            const { id, projectId } = operation;
            made.push({ id: newId(), projectId, scheduledOperationId: id, expectedAt, triggeredAt: now, state, reason });
          }
        }
        upcoming.push({ id: trigger.id, ...next });
      }
      await triggers.setNext(upcoming, trx);
      await runs.add(made, trx);
      return { triggers: due.length, runs: made.length };
    });

  const advanceOne = async (run: Parameters<typeof advanceRun>[1]): Promise<void> => {
    try {
      await advanceRun(deps, run);
    } catch (error) {
      // The operation was deleted meanwhile, and its runs with it.
      if (isFault(error, 'scheduled_operation.unknown')) return;
      log.warn('A scheduled run could not go on; it is looked at again.', { run: run.id, error: faultText(error) });
    }
  };

  return {
    async fire() {
      let made = 0;
      for (;;) {
        const some = await fireSome();
        made += some.runs;
        if (some.triggers < triggersAtOnce) return made;
      }
    },

    async untilDue() {
      const due = await triggers.findNextDue();
      return due === undefined ? undefined : due - clock.now();
    },

    async advance() {
      const open = await runs.listOpen(openRunsAtOnce);
      const lanes = Array.from({ length: runsSideBySide }, async (_, lane) => {
        for (let index = lane; index < open.length; index += runsSideBySide) {
          const run = open[index];
          if (run) await advanceOne(run);
        }
      });
      await Promise.all(lanes);
    },
  };
}

interface Strike {
  readonly expectedAt: number;
  readonly state: RunState;
  readonly reason: string | null;
}

/** What a due trigger means for each of its operations, and when it is due again. */
function strike(deps: OperationsDeps, trigger: Trigger, now: number) {
  const { id, properties } = trigger;
  const calendar = calendarOf(properties);
  const windowMs = windowSecondsOf(properties, deps.limits) * 1000;
  const from = Math.max(trigger.nextAt ?? now, now - missedAtMost * deps.limits.minIntervalSeconds * 1000);
  const passed: number[] = [];
  for (let time = calendar.next(from - 1); time !== undefined && time <= now; time = calendar.next(time)) passed.push(time);
  const isLate = (time: number): boolean => now - time - jitterOf(id, properties, time) > windowMs;
  const onTime = passed.some((time) => !isLate(time));
  const strikes = passed.map((expectedAt): Strike => {
    const { missed } = properties;
    const madeUp = missed === 'all' || (missed === 'one' && !onTime && expectedAt === passed.at(-1));
    if (!isLate(expectedAt) || madeUp) return { expectedAt, state: 'triggered', reason: null };
    const late = Math.round((now - expectedAt) / 1000);
    return {
      expectedAt,
      state: 'dropped_out_of_window',
      reason: `It was noticed ${late} seconds late; the window is ${windowMs / 1000}.`,
    };
  });
  return { strikes, next: nextStrike(id, properties, calendar, Math.max(now, passed.at(-1) ?? now)) };
}
