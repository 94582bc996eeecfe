import { Ajv, type ErrorObject } from 'ajv';
import { Fault } from '../base/faults.ts';
import type { Plugin } from './define.ts';

/**
 * The configuration as the plugin may have it: a copy with the schema's defaults filled in. Absent counts as `{}`.
 * Members the schema does not know are refused whether or not it says so.
 *
 * @throws {Fault} invalid `plugin.bad_config` that names the plugin, the field and what is allowed there
 */
export function checkConfig(plugin: Pick<Plugin, 'kind' | 'name' | 'configSchema'>, config: unknown): unknown {
  const copy = structuredClone(config ?? {});
  // Unions of literals are reported one error a branch, so all errors are wanted and the best of them is told.
  const validate = new Ajv({ allErrors: true, useDefaults: true, strict: false }).compile(closed(plugin.configSchema) as object);
  if (validate(copy)) return copy;
  const error = mostTelling(validate.errors ?? []);
  const field = fieldOf(error);
  throw new Fault(
    'invalid',
    'plugin.bad_config',
    `The configuration of the ${plugin.kind} plugin ${plugin.name} is wrong: ${field} ${textOf(error, validate.errors ?? [])}.`,
    {
      details: { plugin: plugin.name, field },
      help: allowedHere(plugin.configSchema, error),
    },
  );
}

/** The schema with every object closed to unknown members, unless it says otherwise or is part of an `allOf`. */
function closed(schema: unknown, inAllOf = false): unknown {
  if (Array.isArray(schema)) return schema.map((one) => closed(one));
  if (!isRecord(schema)) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if ((key === 'properties' || key === 'patternProperties') && isRecord(value)) {
      copy[key] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]));
    } else if (key === 'allOf' && Array.isArray(value)) copy[key] = value.map((one) => closed(one, true));
    else copy[key] = ['items', 'anyOf', 'oneOf', 'additionalProperties'].includes(key) ? closed(value) : value;
  }
  if (schema['type'] === 'object' && !inAllOf && !('additionalProperties' in schema)) copy['additionalProperties'] = false;
  return copy;
}

/** An unknown or missing member says more than the failed union around it; the deepest place says most. */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const rank = (error: ErrorObject): number => {
    const depth = error.instancePath.split('/').length * 10;
    return (
      depth + (error.keyword === 'additionalProperties' ? 2 : error.keyword === 'anyOf' ? 1 : error.keyword === 'const' ? 0 : 3)
    );
  };
  return [...errors].sort((a, b) => rank(b) - rank(a))[0];
}

function fieldOf(error: ErrorObject | undefined): string {
  const path = (error?.instancePath ?? '')
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const member = error?.params['additionalProperty'] ?? error?.params['missingProperty'];
  return [...path, ...(typeof member === 'string' ? [member] : [])].join('.') || 'the whole';
}

function textOf(error: ErrorObject | undefined, errors: readonly ErrorObject[]): string {
  if (error?.keyword === 'additionalProperties') return 'is no member of it';
  if (error?.keyword === 'required') return 'is missing';
  if (error?.keyword === 'const' || error?.keyword === 'anyOf') {
    const values = errors.filter((one) => one.keyword === 'const' && one.instancePath === error.instancePath);
    if (values.length > 0) return `must be one of ${values.map((one) => JSON.stringify(one.params['allowedValue'])).join(', ')}`;
  }
  return error?.message ?? 'does not fit';
}

/** One sentence with the members that may stand where the error is. */
function allowedHere(schema: unknown, error: ErrorObject | undefined): string {
  let here: unknown = schema;
  for (const part of (error?.instancePath ?? '').split('/').slice(1)) {
    const next = isRecord(here) ? (isRecord(here['properties']) && here['properties'][part]) || here['items'] : undefined;
    if (next === undefined) break;
    here = next;
  }
  if (isRecord(here) && isRecord(here['properties'])) {
    const required = Array.isArray(here['required']) ? here['required'] : [];
    const members = Object.keys(here['properties']).map((name) => (required.includes(name) ? name : `${name} (optional)`));
    return members.length === 0 ? 'It takes no members.' : `Allowed members: ${members.join(', ')}.`;
  }
  return isRecord(here) && typeof here['description'] === 'string'
    ? here['description']
    : `The schema there is ${JSON.stringify(here)}.`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
