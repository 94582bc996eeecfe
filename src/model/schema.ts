import { type TObject, type TProperties, type TSchemaOptions, Type } from 'typebox';

/**
 * The rules that several nouns share on the wire. A schema with an `$id` becomes a named component of the API document;
 * the API puts a reference wherever it is used.
 *
 * "Something or null" is a list of types, never `anyOf`: the serializer writes the first straight out and has to try
 * the branches of the second one by one.
 */

/** A request body or a part of one: a member that is not listed is refused. */
export function closed<P extends TProperties>(properties: P, options: TSchemaOptions = {}): TObject<P> {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** UUID-like on the way in (see `isUuidLike`), canonical on the way out. */
export const uuid = Type.String({ format: 'uuid' });

export const text = Type.String();

export const nullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

/** Rule *name*. */
export const nameRule = Type.String({
  maxLength: 255,
  pattern: '\\S',
  description: 'At most 255 characters, not all of them white space.',
});

/** Rule *description*. */
export const descriptionRule = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  maxLength: 255,
  format: 'printable',
  description: 'At most 255 printable characters: no line breaks, tabs or other control characters.',
});

export type Metadata = Readonly<Record<string, boolean | number | string>>;

const metadataKey = {
  type: 'string',
  pattern: '^[a-zA-Z0-9_:.# -]{1,255}$',
  description: 'A key has 1 to 255 letters, digits, blanks or characters of "-_:.#".',
} as const;

/** Rule *metadata*. */
const metadataRule = Type.Unsafe<Metadata>({
  type: 'object',
  propertyNames: metadataKey,
  additionalProperties: { type: ['boolean', 'integer', 'string'] },
});

export const nullableMetadataRule = Type.Unsafe<Metadata | null>({ ...metadataRule, type: ['object', 'null'] });

/** Credentials: *metadata* whose values may be null, as the dashboard sends them for "current session". */
export const credentialsRule = Type.Unsafe<Readonly<Record<string, boolean | number | string | null>> | null>({
  type: ['object', 'null'],
  propertyNames: metadataKey,
  additionalProperties: { type: ['boolean', 'integer', 'string', 'null'] },
});

/** Rule *parameters*: `TYPE` or `TYPE#ID` → options. */
export const parametersRule = Type.Unsafe<Readonly<Record<string, Metadata>>>({
  type: 'object',
  propertyNames: metadataKey,
  additionalProperties: metadataRule,
  description: '`TYPE` (every resource of the type) or `TYPE#ID` (that one; it wins) → option → value. Values come back as text.',
});

/** Any JSON object. */
export const freeObject = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object', additionalProperties: true });

export const nullableFreeObject = Type.Unsafe<Readonly<Record<string, unknown>> | null>({
  type: ['object', 'null'],
  additionalProperties: true,
});

/** Text → text. */
export const textMap = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  additionalProperties: { type: 'string' },
});
