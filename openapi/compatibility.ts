interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
}

interface Answer {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Answer & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** `sent` by a client: what was allowed stays allowed. `got` by it: what was promised stays promised. */
type Direction = 'sent' | 'got';

/**
 * What a client of `released` would miss in `current`, a line each; none: it goes on working. More operations, members that need not be
 * sent, more members in answers, more values and more fault codes are no break.
 */
export function findBreaks(released: ApiDocument, current: ApiDocument): string[] {
  const breaks: string[] = [];
  for (const [path, methods] of Object.entries(released.paths)) {
    for (const [method, old] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path}`;
      const now = current.paths[path]?.[method];
      if (now === undefined) breaks.push(`${name} is gone`);
      else compareOperations(name, old, now);
    }
  }
  return breaks;

  function compareOperations(name: string, old: Operation, now: Operation): void {
    if (old.operationId !== now.operationId) breaks.push(`${name} is called ${now.operationId}, was ${old.operationId}`);
    const had = old.parameters ?? [];
    const has = now.parameters ?? [];
    for (const parameter of had) {
      const same = has.find((one) => one.in === parameter.in && one.name === parameter.name);
      if (same === undefined) breaks.push(`${name}: ${parameter.in} ${parameter.name} is gone`);
      else compare(`${name}: ${parameter.name}`, parameter.schema, same.schema, 'sent');
    }
    for (const { name: wanted, in: place, required } of has) {
      const before = had.find((one) => one.in === place && one.name === wanted);
      if (required && !before?.required) breaks.push(`${name}: ${place} ${wanted} is required`);
    }
    if (now.requestBody?.required && !old.requestBody?.required) breaks.push(`${name}: a body is required`);
    compareContents(`${name}: body`, old.requestBody, now.requestBody, 'sent');
    for (const [status, answer] of Object.entries(old.responses)) {
      if (now.responses[status] === undefined) breaks.push(`${name}: ${status} is gone`);
      else compareContents(`${name}: ${status}`, answer, now.responses[status], 'got');
    }
  }

  function compareContents(place: string, old: Answer | undefined, now: Answer | undefined, direction: Direction): void {
    for (const [type, { schema }] of Object.entries(old?.content ?? {})) {
      const same = now?.content?.[type];
      if (same === undefined) breaks.push(`${place}: ${type} is gone`);
      else compare(place, schema, same.schema, direction);
    }
  }

  function compare(place: string, oldOne: Schema, nowOne: Schema, direction: Direction): void {
    const old = resolve(released, oldOne);
    const now = resolve(current, nowOne);
    // Nothing that was sent is refused; nothing is got that nobody knows how to read.
    const [less, more] = direction === 'sent' ? [typesOf(old), typesOf(now)] : [typesOf(now), typesOf(old)];
    const strange = less.filter((type) => !more.includes(type) && !(type === 'integer' && more.includes('number')));
    if (more.length > 0 && (strange.length > 0 || less.length === 0)) breaks.push(`${place} is ${typesOf(now).join(' or ')}`);
    const refused = (old.enum ?? []).filter((value) => now.enum !== undefined && !now.enum.includes(value));
    if (direction === 'sent' && refused.length > 0) breaks.push(`${place} may no longer be ${refused.join(', ')}`);
    if (direction === 'sent' && old.enum === undefined && now.enum !== undefined) breaks.push(`${place} is one of a list`);

    for (const [key, member] of Object.entries(old.properties ?? {})) {
      const same = now.properties?.[key];
      if (same !== undefined) compare(`${place}.${key}`, member, same, direction);
      else if (direction === 'got' || now.additionalProperties === false) breaks.push(`${place}.${key} is gone`);
    }
    const [before, after] = [old.required ?? [], now.required ?? []];
    if (direction === 'sent') for (const key of after) if (!before.includes(key)) breaks.push(`${place}.${key} is required`);
    if (direction === 'got') for (const key of before) if (!after.includes(key)) breaks.push(`${place}.${key} may be missing`);
    if (old.items !== undefined && now.items !== undefined) compare(`${place}[]`, old.items, now.items, direction);
    const [values, valuesNow] = [old.additionalProperties, now.additionalProperties];
    if (typeof values === 'object' && typeof valuesNow === 'object') compare(`${place}.*`, values, valuesNow, direction);
    if (direction === 'sent' && values !== false && values !== undefined && valuesNow === false)
      breaks.push(`${place} takes no more members of any name`);
  }
}

function resolve(document: ApiDocument, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  return resolve(document, document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
}

function typesOf({ type }: Schema): readonly string[] {
  return typeof type === 'string' ? [type] : (type ?? []);
}
