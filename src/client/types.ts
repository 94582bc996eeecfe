import type { components, operations } from './document.ts';

/** The nouns of the document: `Noun<'Plan'>`. */
export type Noun<Name extends keyof components['schemas']> = components['schemas'][Name];

export type OperationId = keyof operations;

/** Members of a type that may be left out when all of them may. */
type Part<Key extends string, Value> = [Value] extends [never]
  ? { readonly [K in Key]?: undefined }
  : object extends Value
    ? { readonly [K in Key]?: Value }
    : { readonly [K in Key]: Value };

type PathOf<Id extends OperationId> = operations[Id]['parameters'] extends { readonly path: infer Path }
  ? // The client's own project, where none is named.
    Omit<Path, 'project_id'> & { readonly project_id?: string }
  : never;

type QueryOf<Id extends OperationId> = Exclude<operations[Id]['parameters']['query'], undefined>;

type BodyOf<Id extends OperationId> = operations[Id] extends {
  readonly requestBody: { readonly content: { readonly 'application/json': infer Body } };
}
  ? Body
  : never;

/** What an operation takes, besides its name. `range` and the like are headers. */
export type Input<Id extends OperationId> = Part<'path', PathOf<Id>> &
  Part<'query', QueryOf<Id>> &
  Part<'body', BodyOf<Id>> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  };

type GoodAnswer<Responses> = Responses extends { readonly 200: infer Good }
  ? Good
  : Responses extends { readonly 300: infer Good }
    ? Good
    : never;

/** JSON as the document says; bytes as a `Response` whose body is to be read; nothing as undefined. */
export type Answer<Id extends OperationId> = Id extends OperationId
  ? GoodAnswer<operations[Id]['responses']> extends { readonly content: infer Content }
    ? Content extends { readonly 'application/json': infer Json }
      ? Json
      : Response
    : undefined
  : never;

/** The operations that answer in pages. */
export type ListId = {
  [Id in OperationId]: QueryOf<Id> extends { readonly marker?: string } ? ([QueryOf<Id>] extends [never] ? never : Id) : never;
}[OperationId];

/** What such a list is a list of. */
export type Item<Id extends ListId> = {
  [Key in keyof Answer<Id>]-?: Key extends `${string}_links`
    ? never
    : NonNullable<Answer<Id>[Key]> extends readonly (infer One)[]
      ? One
      : never;
}[keyof Answer<Id>];

/** An operation as a method; the argument may be left out where all of it may. */
export type Call<Id extends OperationId> =
  object extends Input<Id> ? (input?: Input<Id>) => Promise<Answer<Id>> : (input: Input<Id>) => Promise<Answer<Id>>;
