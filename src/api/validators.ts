import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';
import { Fault } from '../base/faults.ts';
import { isUuidLike } from '../base/ids.ts';
import { isTriggerTime } from '../model/trigger.ts';

/** The formats of the wire. `uuid` is Karbor's UUID-like; `printable` leaves out control and separator characters. */
const formats = {
  uuid: isUuidLike,
  date: isDate,
  'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
  'trigger-time': isTriggerTime,
  printable: /^[^\p{C}\p{Zl}\p{Zp}]*$/u,
};

/** Bodies are taken as they are; path and query are text and are turned into what the schema says. */
export function createValidatorCompiler(schemas: () => Readonly<Record<string, unknown>>): FastifySchemaCompiler<FastifySchema> {
  const validators = new Map<boolean, Ajv>();
  return ({ schema, httpPart }) => {
    const isBody = httpPart === 'body';
    // Made with the first route to be compiled: by then every shared schema is known.
    const ajv = validators.get(isBody) ?? createAjv(schemas(), !isBody);
    validators.set(isBody, ajv);
    const validate = ajv.compile(schema);
    // The last error is the whole one: a bad key is told as the pattern it breaks first, as the key it is then.
    return (data: unknown) => (validate(data) ? { value: data } : { error: toFault(validate.errors?.at(-1), isBody) });
  };
}

export function createAjv(schemas: Readonly<Record<string, unknown>>, coerceTypes: boolean): Ajv {
  // verbose: an error carries its schema and data, which the messages need. The data never get into a message.
  const ajv = new Ajv({ coerceTypes, allowUnionTypes: true, verbose: true, formats });
  for (const schema of Object.values(schemas)) if (typeof schema === 'object' && schema !== null) ajv.addSchema(schema);
  return ajv;
}

function isDate(text: string): boolean {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function toFault(error: ErrorObject | undefined, isBody: boolean): Fault {
  const field = fieldName(error?.instancePath ?? '');
  const message = error === undefined ? 'The request is malformed.' : describe(error, field, isBody);
  return new Fault('invalid', 'api.bad_request', message, { details: { field } });
}

/** `/plan/resources/0/type` → `plan.resources[0].type`. */
function fieldName(pointer: string): string {
  const steps = pointer.split('/').slice(1);
  return steps.reduce((name, step) => join(name, step.replaceAll('~1', '/').replaceAll('~0', '~')), '');
}

function join(parent: string, key: string): string {
  if (/^\d+$/.test(key)) return `${parent}[${key}]`;
  if (!/^[\w-]+$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

function describe(error: ErrorObject, field: string, isBody: boolean): string {
  const subject = field || (isBody ? 'The body' : 'The query');
  const { params } = error;
  switch (error.keyword) {
    case 'required':
      return `${join(field, String(params['missingProperty']))} is required.`;
    case 'additionalProperties':
      return unknownMembers(error, subject);
    case 'propertyNames':
      return `${subject} has the key ${JSON.stringify(params['propertyName'])}, which is not allowed. ${described(error.schema)}`.trim();
    case 'type': {
      const types = [params['type']].flat().map((type) => words[type] ?? type);
      return `${subject} must be ${types.join(' or ')}.`;
    }
    case 'enum':
      return `${subject} must be one of ${[params['allowedValues']].flat().join(', ')}.`;
    case 'format':
      return `${subject} must be ${words[params['format']] ?? params['format']}.`;
    case 'pattern':
      return `${subject} is malformed. ${described(error.parentSchema)}`.trim();
    default:
      return `${subject} ${error.message ?? 'is malformed'}.`;
  }
}

/** Types and formats as people say them. */
const words: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  integer: 'an integer',
  boolean: 'a boolean',
  string: 'a string',
  number: 'a number',
  uuid: 'a UUID',
  date: 'a date YYYY-MM-DD',
  printable: 'printable text on one line',
  'trigger-time': 'a time YYYY-MM-DD HH:MM:SS',
};

function unknownMembers({ data, parentSchema }: ErrorObject, subject: string): string {
  const known = Object.keys(membersOf(parentSchema?.['properties']));
  const unknown = Object.keys(membersOf(data)).filter((key) => !known.includes(key));
  return `${subject} has unknown members: ${unknown.join(', ')}. It takes ${known.join(', ')}.`;
}

function membersOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function described(schema: unknown): string {
  const description: unknown = Object.entries(membersOf(schema)).find(([key]) => key === 'description')?.[1];
  return typeof description === 'string' ? description : '';
}
