import { Type } from 'typebox';
import { parametersSchema } from './resource.ts';
import { closed, parametersRule, text, uuid } from './schema.ts';

export const copySchema = Type.Object(
  {
    project_id: text,
    provider_id: uuid,
    plan_id: uuid,
    checkpoint_id: Type.Array(Type.Object({ checkpoint_protect_id: uuid, checkpoint_copy_id: uuid }, { $id: 'CopyPair' }), {
      description: 'Each original and the copy that is being made of it; oldest original first.',
    }),
    parameters: parametersSchema,
  },
  {
    $id: 'Copy',
    description:
      'What a request to copy has begun. A copy is a checkpoint of the other provider: `wait_copying`, `copying`, then `available` or `error`.',
    examples: [
      {
        project_id: '5b0a7c21e9d84f3f8a6be2c4d1907f36',
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
        checkpoint_id: [
          {
            checkpoint_protect_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
            checkpoint_copy_id: '08d5b7c2-6e0f-4a84-9c7b-1f2e3d4c5b6a',
          },
        ],
        parameters: { 'Host::Block': { target: 'south' } },
      },
    ],
  },
);

export const newCopySchema = closed(
  { plan_id: uuid, parameters: Type.Optional(parametersRule) },
  {
    $id: 'NewCopy',
    description: 'The option `target` names the provider that is copied to, by id or name.',
    examples: [{ plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25', parameters: { 'Host::Block': { target: 'south' } } }],
  },
);
