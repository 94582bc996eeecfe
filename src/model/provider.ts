import { type Static, Type } from 'typebox';
import { freeObject, text, uuid } from './schema.ts';

/** A bank with the protection plugins configured for it. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Type → published JSON Schema; one map per member of Karbor's `extended_info_schema`, and `verify` beside them. */
  readonly schemas: {
    readonly options: Readonly<Record<string, unknown>>;
    readonly restore: Readonly<Record<string, unknown>>;
    readonly savedInfo: Readonly<Record<string, unknown>>;
    readonly verify: Readonly<Record<string, unknown>>;
  };
}

export const providerSchema = Type.Object(
  {
    id: uuid,
    name: text,
    description: text,
    extended_info_schema: Type.Object(
      { options_schema: freeObject, restore_schema: freeObject, saved_info_schema: freeObject, verify_schema: freeObject },
      { description: 'Resource type → JSON Schema of what a request may name for it.' },
    ),
  },
  {
    $id: 'Provider',
    description: 'A bank with the protection plugins configured for it.',
    examples: [
      {
        id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        name: 'north',
        description: 'Volumes into the north bank',
        extended_info_schema: {
          options_schema: {
            'Host::Directory': {
              title: 'Directory options',
              type: 'object',
              properties: { exclude: { type: 'string' } },
              required: [],
            },
          },
          restore_schema: {},
          saved_info_schema: {},
          verify_schema: {},
        },
      },
    ],
  },
);

export function toProviderJson(provider: Provider): Static<typeof providerSchema> {
  const { options, restore, savedInfo, verify } = provider.schemas;
  return {
    id: provider.id,
    name: provider.name,
    description: provider.description,
    extended_info_schema: {
      options_schema: options,
      restore_schema: restore,
      saved_info_schema: savedInfo,
      verify_schema: verify,
    },
  };
}
