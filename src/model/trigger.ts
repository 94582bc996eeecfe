import { type Static, Type } from 'typebox';
import { isoTime } from '../base/clock.ts';
import { closed, nameRule, text, uuid } from './schema.ts';

export const triggerFormats = ['calendar', 'crontab'] as const;
export const missedRules = ['skip', 'one', 'all'] as const;
export const overlapRules = ['skip', 'queue'] as const;

/** When, as a request gives it: times are milliseconds since the epoch. */
export interface TriggerProperties {
  readonly format: (typeof triggerFormats)[number];
  readonly pattern: string;
  readonly startTime: number;
  readonly endTime: number | null;
  /** Seconds after which a run that could not begin counts as missed; null: the default. */
  readonly windowSeconds: number | null;
  /** IANA name; null: UTC. */
  readonly timezone: string | null;
  /** Runs begin up to so many seconds later, each trigger at a moment of its own. */
  readonly jitterSeconds: number | null;
  /** What becomes of runs that were missed; null: `skip`. */
  readonly missed: (typeof missedRules)[number] | null;
  /** What happens when the run before still goes on; null: `skip`. */
  readonly overlap: (typeof overlapRules)[number] | null;
}

/** Null: from now on. */
export type NewTriggerProperties = Omit<TriggerProperties, 'startTime'> & { readonly startTime: number | null };

export interface Trigger {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly properties: TriggerProperties;
  readonly createdAt: number;
  /** The next occurrence; null: there is none any more. */
  readonly nextAt: number | null;
}

/** A trigger as it is shown: with its next occurrences, five at most. */
export interface ShownTrigger extends Trigger {
  readonly nextRuns: readonly number[];
}

const time = Type.String({
  format: 'trigger-time',
  description: 'UTC, `YYYY-MM-DD HH:MM:SS`.',
  examples: ['2031-03-01 02:00:00'],
});
const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Optional(Type.Unsafe<T>({ type: 'string', enum: [...values], description }));

const members = {
  format: Type.Unsafe<TriggerProperties['format']>({ type: 'string', enum: [...triggerFormats] }),
  pattern: Type.String({
    maxLength: 65_536,
    description: 'A `VEVENT` with one or more `RRULE`s (RFC 5545), or a crontab of five fields, or six with seconds in front.',
  }),
  end_time: Type.Optional(time),
  window: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 86_400,
      description: 'Seconds after which a run that could not begin counts as missed; 900 to 1800, 900 when not given.',
    }),
  ),
  timezone: Type.Optional(
    Type.String({ maxLength: 64, description: 'IANA name of the zone of the pattern; UTC when not given.' }),
  ),
  jitter: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 3600,
      description: 'Each run begins up to so many seconds later, so that not all begin at once.',
    }),
  ),
  missed: oneOf(
    missedRules,
    'What becomes of runs missed while the service was away: none is made up (`skip`, the default), the last one, or all.',
  ),
  overlap: oneOf(
    overlapRules,
    'When the run before still goes on: the new one is left out (`skip`, the default) or waits (`queue`).',
  ),
};

const newProperties = closed({ ...members, start_time: Type.Optional(time) }, { $id: 'NewTriggerProperties' });
const changedProperties = closed({ ...members, start_time: time }, { $id: 'ChangedTriggerProperties' });
const timeType = Type.Unsafe<'time'>({ type: 'string', enum: ['time'] });

const exampleProperties = {
  format: 'calendar',
  pattern: 'BEGIN:VEVENT\nRRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=0;\nEND:VEVENT',
  start_time: '2031-03-01 02:00:00',
  end_time: '2032-03-01 02:00:00',
};

export const newTriggerSchema = closed(
  { name: nameRule, type: timeType, properties: newProperties },
  { $id: 'NewTrigger', examples: [{ name: 'every night', type: 'time', properties: { ...exampleProperties, window: 1200 } }] },
);

export const triggerChangeSchema = closed(
  { name: Type.Optional(nameRule), type: Type.Optional(text), properties: Type.Optional(changedProperties) },
  {
    $id: 'TriggerChange',
    description: '`properties` replaces all of them; `start_time` has to be among them. `type` is passed over.',
    examples: [{ name: 'every morning' }],
  },
);

export const triggerSchema = Type.Object(
  {
    id: uuid,
    name: text,
    type: timeType,
    properties: Type.Unsafe<Readonly<Record<string, string>>>({
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'As they were given, every value as text.',
    }),
    next_runs: Type.Array(Type.String({ format: 'date-time' }), { description: 'The next occurrences, five at most.' }),
  },
  {
    $id: 'Trigger',
    description: 'When something is to happen.',
    examples: [
      {
        id: 'd1f6a0c8-3b59-4e72-a4c1-60b7e9f2d584',
        name: 'every night',
        type: 'time',
        properties: { ...exampleProperties, window: '1200' },
        next_runs: ['2031-03-09T02:00:00.000Z'],
      },
    ],
  },
);

type PropertiesJson = Static<typeof newProperties>;

export function fromTriggerPropertiesJson(json: PropertiesJson): NewTriggerProperties {
  return {
    format: json.format,
    pattern: json.pattern,
    startTime: json.start_time === undefined ? null : parseTriggerTime(json.start_time),
    endTime: json.end_time === undefined ? null : parseTriggerTime(json.end_time),
    windowSeconds: json.window ?? null,
    timezone: json.timezone ?? null,
    jitterSeconds: json.jitter ?? null,
    missed: json.missed ?? null,
    overlap: json.overlap ?? null,
  };
}

/** What was given, as text; what was not is absent. */
function toTriggerPropertiesJson(properties: TriggerProperties): Record<string, string> {
  const { format, pattern, startTime, endTime, windowSeconds, timezone, jitterSeconds, missed, overlap } = properties;
  const optional = {
    end_time: endTime === null ? null : formatTriggerTime(endTime),
    window: windowSeconds,
    timezone,
    jitter: jitterSeconds,
    missed,
    overlap,
  };
  const given = Object.entries(optional).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)] as const]));
  return { format, pattern, start_time: formatTriggerTime(startTime), ...Object.fromEntries(given) };
}

export function toTriggerJson(trigger: ShownTrigger): Static<typeof triggerSchema> {
  return {
    id: trigger.id,
    name: trigger.name,
    type: 'time',
    properties: toTriggerPropertiesJson(trigger.properties),
    next_runs: trigger.nextRuns.map(isoTime),
  };
}

const triggerTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

export function isTriggerTime(text: string): boolean {
  // A day that no month has becomes another one when it is parsed.
  return triggerTime.test(text) && !Number.isNaN(parseTriggerTime(text)) && formatTriggerTime(parseTriggerTime(text)) === text;
}

function parseTriggerTime(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

function formatTriggerTime(time: number): string {
  return isoTime(time).slice(0, 19).replace('T', ' ');
}
