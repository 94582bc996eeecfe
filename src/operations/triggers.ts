import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { NextStrike, TriggerStore } from '../db/trigger-store.ts';
import type { Caller } from '../model/caller.ts';
import type { NewTriggerProperties, ShownTrigger, Trigger, TriggerProperties } from '../model/trigger.ts';
import { type Calendar, listNext, readPattern } from './calendar.ts';
import type { TriggerService } from './contract.ts';

/** Karbor's limits: windows of neighbouring occurrences never overlap. */
export interface TriggerLimits {
  /** Two occurrences are at least so far apart. */
  readonly minIntervalSeconds: number;
}

const minWindowSeconds = 900;
const maxWindowSeconds = 1800;
const shownRuns = 5;
/** Neighbours that are looked at for the least interval. */
const sampledRuns = 20;

/** Seconds a run may be late: half the least interval where that is shorter than Karbor's default. */
export function windowSecondsOf({ windowSeconds }: TriggerProperties, { minIntervalSeconds }: TriggerLimits): number {
  return windowSeconds ?? Math.min(minWindowSeconds, Math.max(60, minIntervalSeconds / 2));
}

export function calendarOf({ format, pattern, startTime, endTime, timezone }: TriggerProperties): Calendar {
  return readPattern({ format, pattern, startTime, endTime, timezone: timezone ?? 'UTC' });
}

/** The next occurrence after a moment, and when it is due: a trigger's jitter for one occurrence is the same everywhere. */
export function nextStrike(id: string, properties: TriggerProperties, calendar: Calendar, after: number): NextStrike {
  const nextAt = calendar.next(after);
  return nextAt === undefined ? { nextAt: null, dueAt: null } : { nextAt, dueAt: nextAt + jitterOf(id, properties, nextAt) };
}

export function jitterOf(id: string, { jitterSeconds }: TriggerProperties, occurrence: number): number {
  if (jitterSeconds === null || jitterSeconds === 0) return 0;
  return createHash('sha256').update(`${id} ${occurrence}`).digest().readUInt32BE() % (jitterSeconds * 1000);
}

export function createTriggerService(deps: {
  readonly triggers: TriggerStore;
  readonly clock: Clock;
  readonly limits: TriggerLimits;
}): TriggerService {
  const { triggers, clock, limits } = deps;

  const show = (trigger: Trigger): ShownTrigger => ({
    ...trigger,
    nextRuns: trigger.nextAt === null ? [] : listNext(calendarOf(trigger.properties), trigger.nextAt - 1, shownRuns),
  });

  const get = async (caller: Caller, id: string): Promise<Trigger> => {
    const trigger = await triggers.get(id);
    if (trigger.projectId === caller.projectId || caller.isAdmin) return trigger;
    throw new Fault('forbidden', 'trigger.foreign', `Trigger ${id} belongs to another project.`);
  };

  return {
    async create(caller, { name, properties: wanted }) {
      const now = clock.now();
      const properties = complete(wanted, now);
      const calendar = check(properties, limits, now);
      const id = newId();
      const next = nextStrike(id, properties, calendar, now);
      const trigger: Trigger = { id, projectId: caller.projectId, name, properties, createdAt: now, nextAt: next.nextAt };
      await triggers.create(trigger, next);
      return show(trigger);
    },

    async list(_caller, query) {
      return { items: (await triggers.list(query)).items.map(show) };
    },

    get: async (caller, id) => show(await get(caller, id)),

    async update(caller, id, { name, properties: wanted }) {
      await get(caller, id);
      if (wanted === undefined) {
        await triggers.update(id, name === undefined ? {} : { name });
        return show(await triggers.get(id));
      }
      const now = clock.now();
      const properties = complete(wanted, now);
      const next = nextStrike(id, properties, check(properties, limits, now), now);
      if (next.nextAt === null) throw badProperty('pattern', 'strikes at no time in the future');
      await triggers.update(id, { ...(name !== undefined && { name }), properties, next });
      return show(await triggers.get(id));
    },

    async delete(caller, id) {
      await get(caller, id);
      await triggers.delete(id);
    },
  };
}

/** Whole seconds, as the text has them. */
function complete(properties: NewTriggerProperties, now: number): TriggerProperties {
  return { ...properties, startTime: properties.startTime ?? Math.floor(now / 1000) * 1000 };
}

function check(properties: TriggerProperties, { minIntervalSeconds }: TriggerLimits, now: number): Calendar {
  const { startTime, endTime, windowSeconds } = properties;
  if (endTime !== null && endTime <= startTime) throw badProperty('end_time', 'must be later than start_time');
  if (windowSeconds !== null && (windowSeconds < minWindowSeconds || windowSeconds > maxWindowSeconds))
    throw badProperty('window', `must be from ${minWindowSeconds} to ${maxWindowSeconds} seconds`);
  const calendar = calendarOf(properties);
  const times = listNext(calendar, now, sampledRuns);
  const close = times.some((time, index) => index > 0 && time - (times[index - 1] ?? 0) < minIntervalSeconds * 1000);
  if (close) throw badProperty('pattern', `strikes more often than every ${minIntervalSeconds} seconds`);
  return calendar;
}

function badProperty(field: string, what: string): Fault {
  return new Fault('invalid', 'trigger.bad_properties', `properties.${field} ${what}.`, {
    details: { field: `properties.${field}` },
  });
}
