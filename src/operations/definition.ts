import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import { stringify } from '../model/resource.ts';
import type { OperationDefinition, RetentionRules } from '../model/scheduled-operation.ts';

/**
 * What a request says is to be done. OpenStackClient sends it as the text `plan_id=…,provider_id=…`; everybody else an object.
 * @throws invalid `scheduled_operation.bad_definition`, naming the member
 */
export function readDefinition(given: Readonly<Record<string, unknown>> | string): OperationDefinition {
  const entries = typeof given === 'string' ? parseText(given) : Object.entries(given).filter(([, value]) => value !== null);
  const members = Object.fromEntries(
    entries.map(([key, value]) => {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [key, stringify(value)];
      throw badMember(key, 'must be text, a whole number or a boolean');
    }),
  );
  const id = (key: string): string => {
    const value = members[key];
    if (value === undefined) throw badMember(key, 'is required');
    if (!isUuidLike(value)) throw badMember(key, 'must be a UUID');
    return canonicalUuid(value);
  };
  const count = (key: string): number | null => {
    const value = members[key];
    if (value === undefined) return null;
    if (!/^-?\d{1,9}$/.test(value.trim())) throw badMember(key, `is ${JSON.stringify(value)}, which is no whole number`);
    // Karbor's way to say that there is no limit.
    return Number(value) <= 0 ? null : Number(value);
  };
  const retention: RetentionRules = {
    maxBackups: count('max_backups'),
    retentionDuration: count('retention_duration'),
    keepLast: count('keep_last'),
    keepHourly: count('keep_hourly'),
    keepDaily: count('keep_daily'),
    keepWeekly: count('keep_weekly'),
    keepMonthly: count('keep_monthly'),
    keepYearly: count('keep_yearly'),
  };
  return { providerId: id('provider_id'), planId: id('plan_id'), members, retention };
}

function parseText(text: string): [string, string][] {
  return text.split(',').map((part) => {
    const [key = '', value] = part.split(/=(.*)/s, 2);
    if (value === undefined || key.trim() === '')
      throw new Fault(
        'invalid',
        'scheduled_operation.bad_definition',
        `operation_definition: ${JSON.stringify(part)} is no key=value.`,
        {
          details: { field: 'operation_definition' },
          help: 'Send an object, or text such as plan_id=…,provider_id=….',
        },
      );
    return [key.trim(), value.trim()];
  });
}

function badMember(key: string, what: string): Fault {
  const field = `operation_definition.${key}`;
  return new Fault('invalid', 'scheduled_operation.bad_definition', `${field} ${what}.`, { details: { field } });
}
