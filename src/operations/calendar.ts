import { Cron } from 'croner';
import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
// The rules are followed with the global one, which Node 24 does not have; where there is one it stays.
import 'temporal-polyfill/global';
import { isoTime } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';

/** When something is to happen. Times are milliseconds since the epoch. */
export interface TimePattern {
  readonly format: 'calendar' | 'crontab';
  /** iCalendar text with one or more RRULEs, or five or six crontab fields. */
  readonly pattern: string;
  /** Nothing happens before; recurrence rules count from here. */
  readonly startTime: number;
  readonly endTime: number | null;
  /** IANA name; days and hours of the pattern are this zone's. */
  readonly timezone: string;
}

export interface Calendar {
  /** The first occurrence that is later than `after`; undefined when there is none any more. */
  next(after: number): number | undefined;
}

/**
 * A wall clock time that a change to summer time leaves out happens as much later; one that comes twice happens once.
 * @throws invalid `trigger.bad_pattern`, `trigger.bad_timezone`
 */
export function readPattern(pattern: TimePattern): Calendar {
  checkTimezone(pattern.timezone);
  const next = pattern.format === 'crontab' ? readCrontab(pattern) : readRules(pattern);
  const { startTime, endTime } = pattern;
  return {
    next(after) {
      // The start itself may be an occurrence.
      const found = next(Math.max(after, startTime - 1));
      return found === undefined || (endTime !== null && found > endTime) ? undefined : found;
    },
  };
}

/** Up to `count` occurrences after a moment. */
export function listNext(calendar: Calendar, after: number, count: number): number[] {
  const times: number[] = [];
  for (let time = calendar.next(after); time !== undefined && times.length < count; time = calendar.next(time)) times.push(time);
  return times;
}

function checkTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch (cause) {
    throw new Fault('invalid', 'trigger.bad_timezone', `timezone: ${JSON.stringify(timezone)} is no time zone known here.`, {
      cause,
      details: { field: 'timezone' },
      help: 'Use an IANA name such as Europe/Berlin; UTC when left out.',
    });
  }
}

function readCrontab({ pattern, timezone }: TimePattern): Calendar['next'] {
  try {
    // Paused: it is only asked, it never runs anything.
    const cron = new Cron(pattern.trim(), { timezone, paused: true });
    return (after) => cron.nextRun(new Date(after))?.getTime();
  } catch (cause) {
    throw badPattern(`is no crontab: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** Periods of a rule that are looked through for the next occurrence: one that matches no day of any year comes to an end here. */
const periodsLookedThrough = 10_000;
/** Each may cost that much, and a pattern has room for thousands. */
const rulesAtMost = 8;

function readRules({ pattern, startTime, timezone }: TimePattern): Calendar['next'] {
  const rules = listRules(pattern).map((text) => readRule(text, startTime, timezone));
  return (after) => {
    const times = rules.map((next) => next(after)).filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  };
}

/**
 * The rule is followed on the wall clock alone and its times are put into the zone afterwards: RFC 5545 would leave out what
 * falls into the hour that a change to summer time skips, and a backup should not be left out.
 */
function readRule(text: string, startTime: number, timezone: string): Calendar['next'] {
  const parts = text.toUpperCase();
  if (/(^|;)UNTIL=/.test(parts) && /(^|;)COUNT=/.test(parts)) throw badPattern('has a rule with both UNTIL and COUNT');
  try {
    const onTheWall = parts.replace(/(?<=UNTIL=)\d{8}T\d{6}Z/, (until) => compact(wallTime(parseCompact(until), timezone)));
    const rule = new RRuleTemporal({
      rruleString: `DTSTART:${compact(wallTime(startTime, timezone))}\nRRULE:${onTheWall}`,
      tzid: 'UTC',
      maxIterations: periodsLookedThrough,
    });
    // Looking to the end of its reach costs up to half a second: what found nothing there is not asked again.
    let isBarren = false;
    return (after) => {
      if (isBarren) return undefined;
      try {
        // A wall clock that was put back shows times that are past once more.
        let wall = wallTime(after - backMs, timezone);
        for (;;) {
          const found = rule.next(new Date(wall))?.epochMilliseconds;
          if (found === undefined) return undefined;
          const time = atWallTime(found, timezone);
          if (time > after) return time;
          wall = found;
        }
      } catch {
        // The library's way to say that it has looked far enough.
        isBarren = true;
        return undefined;
      }
    };
  } catch (cause) {
    throw badPattern(`has a rule that cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** No clock is put back by more. */
const backMs = 3 * 3_600_000;

/** What the clock on the wall shows, as if it were UTC. */
function wallTime(time: number, timezone: string): number {
  const zoned = Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(timezone);
  return time + zoned.offsetNanoseconds / 1e6;
}

/** The moment at which the wall clock shows it: the first of two, or as much later as the clock was put forward. */
function atWallTime(wall: number, timezone: string): number {
  const plain = Temporal.Instant.fromEpochMilliseconds(wall).toZonedDateTimeISO('UTC').toPlainDateTime();
  return plain.toZonedDateTime(timezone, { disambiguation: 'compatible' }).epochMilliseconds;
}

/** `20310301T020000Z` */
function compact(time: number): string {
  return isoTime(time).replaceAll(/[-:]|\.\d+/g, '');
}

function parseCompact(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

/** The RRULEs of the first VEVENT. Line breaks may be real or the two characters `\n`; DTSTART is passed over. */
function listRules(pattern: string): string[] {
  const lines = pattern
    .replaceAll(String.raw`\r`, '')
    .replaceAll(String.raw`\n`, '\n')
    // A line that goes on begins with a blank.
    .replaceAll(/\r?\n[ \t]/g, '')
    .split(/\r?\n/)
    .map((line) => line.trim());
  const begin = lines.findIndex((line) => /^BEGIN:VEVENT$/i.test(line));
  if (begin < 0) throw badPattern('has no VEVENT');
  const end = lines.findIndex((line, index) => index > begin && /^END:VEVENT$/i.test(line));
  const rules = lines
    .slice(begin + 1, end < 0 ? undefined : end)
    .map((line) => /^RRULE(?:;[^:]*)?:(.*)$/i.exec(line)?.[1]?.replace(/;+$/, ''))
    .filter((rule) => rule !== undefined);
  if (rules.length === 0) throw badPattern('has no RRULE');
  if (rules.length > rulesAtMost) throw badPattern(`has ${rules.length} rules; ${rulesAtMost} are allowed`);
  return rules;
}

function badPattern(what: string, cause?: unknown): Fault {
  return new Fault('invalid', 'trigger.bad_pattern', `pattern: ${what}.`, {
    cause,
    details: { field: 'pattern' },
    help: 'A calendar pattern is a VEVENT with an RRULE (RFC 5545); a crontab pattern has five fields, or six with seconds in front.',
  });
}
