/** The parts of an OpenAPI document that are read and written here. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: Schema; example?: unknown };
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: Schema;
  description?: string;
  example?: unknown;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface ExampleDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/**
 * Gives every JSON body and answer and every member of a path an example (and a description), put together from those of the nouns in it, so that none
 * has to be written, or kept true, twice. Faults have theirs in their own schemas.
 */
export function addExamples({ paths, components }: ExampleDocument): void {
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    for (const parameter of operation.parameters ?? []) {
      if (parameter.in !== 'path') continue;
      parameter.description ??= `The ${parameter.name.replaceAll('_', ' ').replace(/ id$/, "'s id")}.`;
      parameter.example ??= exampleOf(parameter.schema, parameter.name, components.schemas);
    }
    for (const { content } of [operation.requestBody ?? {}, ...Object.values(operation.responses)]) {
      const json = content?.['application/json'];
      // A noun alone is a fault, which has an example of its own.
      if (json !== undefined && json.schema.$ref === undefined) json.example ??= exampleOf(json.schema, '', components.schemas);
    }
  }
}

function exampleOf(schema: Schema, name: string, nouns: Readonly<Record<string, Schema>>): unknown {
  const { $ref, examples, properties = {}, required = [], items } = schema;
  if ($ref !== undefined) return exampleOf(nouns[$ref.slice($ref.lastIndexOf('/') + 1)] ?? {}, name, nouns);
  if (examples !== undefined) return examples[0];
  if (schema.enum !== undefined) return schema.enum[0];
  const type = typeof schema.type === 'string' ? schema.type : (schema.type?.[0] ?? 'null');
  switch (type) {
    case 'object':
      return Object.fromEntries(required.map((key) => [key, exampleOf(properties[key] ?? {}, key, nouns)]));
    case 'array':
      return items === undefined ? [] : [exampleOf(items, name, nouns)];
    case 'string':
      return textExamples[name] ?? (schema.format === 'uuid' ? anyId : 'text');
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    case 'boolean':
      return false;
    default:
      return null;
  }
}

const anyId = '63c0d9f4-1b27-4c8e-95aa-0e7d6f5b4c3a';
const volumeId = '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0';
const projectId = '5b0a7c21e9d84f3f8a6be2c4d1907f36';

/** By the name of the member; the same things as in the examples of the nouns. */
const textExamples: Readonly<Record<string, string>> = {
  project_id: projectId,
  quota_project_id: projectId,
  provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
  plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
  checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
  trigger_id: 'd1f6a0c8-3b59-4e72-a4c1-60b7e9f2d584',
  resource_id: volumeId,
  instance_id: volumeId,
  protectable_type: 'Host::Directory',
  name: 'default',
  reason: 'younger than 30 days',
};
