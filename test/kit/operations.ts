import type { Api } from '../../src/api/declare.ts';
import { buildDocument } from '../../src/api/document.ts';
import type { Method } from './token-house.ts';

/** One operation of the API that needs a caller, as the document tells of it. */
export interface Operation {
  readonly id: string;
  readonly method: Method;
  /** With `{plan_id}` and the like. */
  readonly path: string;
  readonly rule: string;
  readonly pathParameters: readonly string[];
  readonly queryParameters: readonly string[];
  /** Those of them that must be there. */
  readonly requiredQuery: readonly string[];
  /** The first example of its body; undefined: it takes none. */
  readonly body: unknown;
}

interface Schema {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly 'x-policy-rule'?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

export function listOperations(app: Api): Operation[] {
  // Through text: what a client reads, believed to be of this shape.
  const { paths, components }: Document = JSON.parse(JSON.stringify(buildDocument(app)));
  const exampleOf = (schema: Schema): unknown => {
    const name = schema.$ref?.split('/').at(-1);
    if (name !== undefined) return exampleOf(components.schemas[name] ?? {});
    if (schema.examples !== undefined) return schema.examples[0];
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, inner]) => [key, exampleOf(inner)]));
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const { operationId: id, 'x-policy-rule': rule, parameters = [], requestBody } = operation;
      if (rule === undefined) return [];
      const names = (place: string) => parameters.filter((each) => each.in === place).map(({ name }) => name);
      const body = requestBody === undefined ? undefined : exampleOf(requestBody.content['application/json'].schema);
      const found: Operation = {
        id,
        method: method.toUpperCase() as Method,
        path,
        rule,
        pathParameters: names('path').filter((name) => name !== 'project_id'),
        queryParameters: names('query'),
        requiredQuery: parameters.filter((each) => each.in === 'query' && each.required).map(({ name }) => name),
        body,
      };
      return [found];
    }),
  );
}
