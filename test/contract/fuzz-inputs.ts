import fc, { type Arbitrary } from 'fast-check';

/** The parts of a schema that the document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: boolean | Schema;
}

/** What is known of the service by now: member name → values that mean something there. It grows while requests are answered. */
export type Known = Map<string, string[]>;

export type SchemaInputs = (schema: Schema, name: string) => Arbitrary<unknown>;

/** Texts that have broken services before. */
const nasty = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\n',
  '\ud800',
  '\u202e',
  '%',
  '%00',
  '%s',
  "'",
  '"',
  '\\',
  '(',
  '[',
  '*',
  '(a+)+$',
  "'; DROP TABLE plans; --",
  '__proto__',
  'constructor',
  'toString',
  '-1',
  '0',
  '1e309',
  'NaN',
  'null',
  'true',
  '9'.repeat(30),
  '2147483648',
  '9223372036854775808',
  'é'.repeat(200),
  '😀'.repeat(200),
  'x'.repeat(256),
  'x'.repeat(5000),
  "{'a': ",
  "{'a': 1}",
  'created_at:desc,',
  'id:up',
  '0000-00-00',
  '2031-02-30',
  '+275760-09-13',
  '9999-12-31 23:59:59',
  'urn:uuid:00000000-0000-0000-0000-000000000000',
];

export const nastyText: Arbitrary<string> = fc.oneof(
  fc.constantFrom(...nasty),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 12 }),
);

/** Any JSON. */
const junk: Arbitrary<unknown> = fc.oneof(
  nastyText,
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], [null], { '': '' }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values that a schema allows. Members whose names are known get what is known, mostly. */
export function createSchemaInputs(components: Readonly<Record<string, Schema>>, known: Known): SchemaInputs {
  const inputs: SchemaInputs = (schema, name) => {
    if (schema.$ref !== undefined) return inputs(components[schema.$ref.split('/').at(-1) ?? ''] ?? {}, name);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
    if (types.length === 0) return junk;
    const values = fc.oneof(...types.map((type) => ofType(type, schema, name)));
    if (!known.has(name)) return values;
    return fc.oneof({ weight: 20, arbitrary: knownValue(name) }, { weight: 1, arbitrary: values });
  };

  // Looked up when a value is wanted, not now.
  const knownValue = (name: string): Arbitrary<string> =>
    fc.nat().map((n) => {
      const values = known.get(name) ?? [];
      return values[n % values.length] ?? '';
    });

  const ofType = (type: string, schema: Schema, name: string): Arbitrary<unknown> => {
    switch (type) {
      case 'object':
        return objects(schema);
      case 'array':
        return fc.array(inputs(schema.items ?? {}, name), { minLength: schema.minItems ?? 0, maxLength: 3 });
      case 'string':
        return texts(schema);
      case 'integer':
        return integers(schema);
      case 'number':
        return fc.oneof(integers(schema), fc.double({ noNaN: true, noDefaultInfinity: true }));
      case 'boolean':
        return fc.boolean();
      default:
        return fc.constant(null);
    }
  };

  const objects = ({ properties = {}, required = [], propertyNames, additionalProperties }: Schema): Arbitrary<object> => {
    const members = Object.fromEntries(Object.entries(properties).map(([key, member]) => [key, inputs(member, key)]));
    const optional = Object.keys(properties).filter((key) => !required.includes(key));
    // Few at a time: one that is refused hides what the others would have done.
    const own = fc
      .subarray(optional, { maxLength: Math.min(2, optional.length) })
      .chain((chosen) =>
        fc.record(Object.fromEntries(Object.entries(members).filter(([key]) => !optional.includes(key) || chosen.includes(key)))),
      );
    if (additionalProperties === undefined || additionalProperties === false) return own;
    const keys = propertyNames === undefined ? nastyText : fc.oneof(knownValue('protectable_type'), texts(propertyNames));
    const values = additionalProperties === true ? junk : inputs(additionalProperties, '');
    const more = fc.oneof(
      { weight: 2, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(keys, values, { maxKeys: 3 }) },
    );
    return fc.tuple(more, own).map(([strange, given]) => ({ ...strange, ...given }));
  };

  return inputs;
}

function texts({ format, pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema): Arbitrary<string> {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = fc
    .tuple(fc.integer({ min: 1970, max: 2100 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
    .map(([year, month, day]) => `${year}-${two(month)}-${two(day)}`);
  switch (format ?? '') {
    case 'uuid':
      return fc.uuid();
    case 'date':
      return date;
    case 'date-time':
      return date.map((day) => `${day}T02:00:00Z`);
    case 'trigger-time':
      return fc.tuple(date, fc.nat(23)).map(([day, hour]) => `${day} ${two(hour)}:00:00`);
    default: {
      const any = pattern === undefined ? fc.oneof(nastyText, fc.string()) : fc.stringMatching(new RegExp(pattern));
      return any.map((text) => text.slice(0, maxLength).padEnd(minLength, 'x'));
    }
  }
}

function integers({ minimum, maximum }: Schema): Arbitrary<number> {
  const low = minimum ?? -(2 ** 53) + 1;
  const high = maximum ?? 2 ** 53 - 1;
  const near = fc.integer({ min: Math.max(low, -5), max: Math.min(high, 50) });
  return fc.oneof(
    { weight: 3, arbitrary: near },
    { weight: 1, arbitrary: fc.maxSafeInteger().map((n) => Math.min(Math.max(n, low), high)) },
  );
}

/** What somebody might send in place of a good body: as text, which may be no JSON at all. */
export function spoil(good: Arbitrary<unknown>): Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(good, fc.nat(), junk, fc.constantFrom('replace', 'remove', 'add')).map(spoilOnce) },
    { weight: 1, arbitrary: junk.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: good.map((value) => JSON.stringify(value).slice(0, -1)) },
    { weight: 1, arbitrary: nastyText },
  );
}

function spoilOnce([good, where, thing, how]: [unknown, number, unknown, string]): string {
  const root: Record<string, unknown> = { body: structuredClone(good) };
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const visit = (holder: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(holder)) {
      places.push([holder, key]);
      if (typeof value === 'object' && value !== null) visit(value as Record<string, unknown>);
    }
  };
  visit(root);
  const [holder, key] = places[where % places.length] ?? [root, 'body'];
  const value = holder[key];
  if (how === 'add' && typeof value === 'object' && value !== null) Object.assign(value, { unheard_of: thing });
  else if (how === 'remove' && holder !== root) delete holder[key];
  else holder[key] = thing;
  return JSON.stringify(root['body']) ?? '';
}
