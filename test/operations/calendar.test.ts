import { describe, expect, test } from 'vitest';
import { isoTime } from '../../src/base/clock.ts';
import { listNext, readPattern, type TimePattern } from '../../src/operations/calendar.ts';

const at = (text: string): number => Date.parse(text);
const base: Omit<TimePattern, 'format' | 'pattern'> = { startTime: at('2031-03-01T02:00:00Z'), endTime: null, timezone: 'UTC' };
const crontab = (pattern: string, change: Partial<TimePattern> = {}) =>
  readPattern({ ...base, format: 'crontab', pattern, ...change });
const calendar = (rule: string, change: Partial<TimePattern> = {}) =>
  readPattern({ ...base, format: 'calendar', pattern: `BEGIN:VEVENT\nRRULE:${rule}\nEND:VEVENT`, ...change });
const next = (from: ReturnType<typeof readPattern>, after: string, count = 3): string[] =>
  listNext(from, at(after), count).map((time) => isoTime(time).replace('.000Z', 'Z'));

describe('a crontab', () => {
  test('has five fields, a name, or seconds in front', () => {
    expect(next(crontab('30 2 * * *'), '2031-03-09T02:30:00Z', 2)).toEqual(['2031-03-10T02:30:00Z', '2031-03-11T02:30:00Z']);
    expect(next(crontab('@daily'), '2031-03-09T02:30:00Z', 1)).toEqual(['2031-03-10T00:00:00Z']);
    expect(next(crontab('*/20 * * * * *'), '2031-03-09T02:30:01Z', 2)).toEqual(['2031-03-09T02:30:20Z', '2031-03-09T02:30:40Z']);
  });

  test('matches the day of the month or of the week when both are given', () => {
    // The 13th is a Thursday, Mondays are the 10th and the 17th.
    expect(next(crontab('0 0 13 * MON'), '2031-03-09T02:00:00Z')).toEqual([
      '2031-03-10T00:00:00Z',
      '2031-03-13T00:00:00Z',
      '2031-03-17T00:00:00Z',
    ]);
  });

  test('begins with the start, which may itself be an occurrence, and ends with the end', () => {
    const days = crontab('0 2 * * *', { endTime: at('2031-03-02T02:00:00Z') });
    expect(next(days, '2020-01-01T00:00:00Z', 9)).toEqual(['2031-03-01T02:00:00Z', '2031-03-02T02:00:00Z']);
  });

  test.each([['61 * * * *'], ['nonsense'], [''], ['* * *']])('%j is refused', (pattern) => {
    expect(() => crontab(pattern)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'trigger.bad_pattern' }));
  });

  test('that matches no day has no occurrence', () => {
    expect(next(crontab('0 0 30 2 *'), '2031-03-09T02:00:00Z')).toEqual([]);
  });
});

describe('a calendar', () => {
  test('takes from the start what the rule leaves open', () => {
    expect(next(calendar('FREQ=DAILY;BYHOUR=4;BYMINUTE=30;'), '2031-03-09T00:00:00Z', 1)).toEqual(['2031-03-09T04:30:00Z']);
    expect(next(calendar('FREQ=WEEKLY'), '2031-03-09T00:00:00Z', 2)).toEqual(['2031-03-15T02:00:00Z', '2031-03-22T02:00:00Z']);
  });

  test('may be wrapped, folded, escaped, and have several rules', () => {
    const pattern = String.raw`BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:19990101T000000Z\nRRULE:FREQ=DAILY;\n BYHOUR=3\nRRULE:FREQ=DAILY;BYHOUR=1;\nEND:VEVENT\nBEGIN:VEVENT\nRRULE:FREQ=HOURLY\nEND:VEVENT\nEND:VCALENDAR`;
    const both = readPattern({ ...base, format: 'calendar', pattern });
    expect(next(both, '2031-03-09T00:00:00Z')).toEqual(['2031-03-09T01:00:00Z', '2031-03-09T03:00:00Z', '2031-03-10T01:00:00Z']);
  });

  test('ends with its count or its last day', () => {
    expect(next(calendar('FREQ=DAILY;COUNT=2'), '2020-01-01T00:00:00Z', 9)).toHaveLength(2);
    expect(next(calendar('FREQ=DAILY;UNTIL=20310303T020000Z'), '2020-01-01T00:00:00Z', 9)).toHaveLength(3);
    expect(next(calendar('FREQ=DAILY;UNTIL=19990101T000000Z'), '2020-01-01T00:00:00Z')).toEqual([]);
  });

  test('years after its start the next occurrence is still the right one', () => {
    const [start, after, period] = [at('2001-01-01T00:00:00Z'), at('2031-03-09T00:00:00Z'), 5 * 3_600_000];
    const expected = start + Math.ceil((after - start + 1) / period) * period;
    expect(calendar('FREQ=HOURLY;INTERVAL=5', { startTime: start }).next(after)).toBe(expected);
  });

  test.each([['FREQ=NEVER'], ['FREQ=DAILY;UNTIL=20400101T000000Z;COUNT=3'], ['FREQ=DAILY;INTERVAL=0']])(
    'the rule %j is refused',
    (rule) => {
      expect(() => calendar(rule)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'trigger.bad_pattern' }));
    },
  );

  test('has eight rules at most: one that matches no day costs much', () => {
    const pattern = `BEGIN:VEVENT\n${'RRULE:FREQ=DAILY\n'.repeat(9)}END:VEVENT`;
    expect(() => readPattern({ ...base, format: 'calendar', pattern })).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'trigger.bad_pattern' }),
    );
  });

  test.each([['no event at all'], ['BEGIN:VEVENT\nEND:VEVENT']])('%j is refused', (pattern) => {
    expect(() => readPattern({ ...base, format: 'calendar', pattern })).toThrow(
      expect.objectContaining({ code: 'trigger.bad_pattern' }),
    );
  });

  test.each([
    ['FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'],
    ['FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30'],
    ['FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30'],
    ['FREQ=WEEKLY;BYSETPOS=9;BYDAY=MO'],
  ])('the rule %j, which matches no day, comes to an end', (rule) => {
    expect(next(calendar(rule), '2031-03-09T00:00:00Z')).toEqual([]);
  });
});

describe('a time zone', () => {
  // Berlin: 2031-03-30 02:00 becomes 03:00, 2031-10-26 03:00 becomes 02:00.
  const timezone = 'Europe/Berlin';
  test.each([
    ['crontab', crontab('30 2 * * *', { timezone })],
    ['calendar', calendar('FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0', { timezone })],
  ])('moves a %s with its summer time: each day has one occurrence', (_, from) => {
    const spring = next(from, '2031-03-28T12:00:00Z', 3);
    expect([spring[0], spring[2]]).toEqual(['2031-03-29T01:30:00Z', '2031-03-31T00:30:00Z']);
    expect(['2031-03-30T01:00:00Z', '2031-03-30T01:30:00Z']).toContain(spring[1]);
    const autumn = next(from, '2031-10-24T12:00:00Z', 3);
    expect([autumn[0], autumn[2]]).toEqual(['2031-10-25T00:30:00Z', '2031-10-27T01:30:00Z']);
    expect(['2031-10-26T00:30:00Z', '2031-10-26T01:30:00Z']).toContain(autumn[1]);
  });

  test('that nobody knows is refused', () => {
    expect(() => crontab('@daily', { timezone: 'Mars/Olympus' })).toThrow(
      expect.objectContaining({ code: 'trigger.bad_timezone' }),
    );
  });
});
