import { type Static, Type } from 'typebox';
import { nullableFreeObject, text } from './schema.ts';

export interface ProtectableType {
  readonly name: string;
  readonly dependentTypes: readonly string[];
}

export interface ResourceRef {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly extraInfo: Readonly<Record<string, unknown>> | null;
}

export interface ProtectableInstance extends ResourceRef {
  /** One level deep. */
  readonly dependentResources: readonly ResourceRef[];
}

export const protectableTypeSchema = Type.Object(
  { name: text, dependent_types: Type.Array(text) },
  {
    $id: 'ProtectableType',
    description: 'A kind of thing that can be protected, and the kinds that hang under it.',
    examples: [{ name: 'OS::Nova::Server', dependent_types: ['OS::Cinder::Volume', 'OS::Glance::Image'] }],
  },
);

export function toProtectableTypeJson(type: ProtectableType): Static<typeof protectableTypeSchema> {
  return { name: type.name, dependent_types: [...type.dependentTypes] };
}

const refMembers = { id: text, type: text, name: text, extra_info: nullableFreeObject };

export const instanceSchema = Type.Object(
  {
    ...refMembers,
    dependent_resources: Type.Array(Type.Object(refMembers), { description: 'What hangs under it, one level deep.' }),
  },
  {
    $id: 'ProtectableInstance',
    description: 'A resource that can be named in a plan.',
    examples: [
      {
        id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0',
        type: 'Host::Directory',
        name: 'db-data',
        extra_info: null,
        dependent_resources: [],
      },
    ],
  },
);

export function toInstanceJson(instance: ProtectableInstance): Static<typeof instanceSchema> {
  return { ...toRefJson(instance), dependent_resources: instance.dependentResources.map(toRefJson) };
}

function toRefJson({ id, type, name, extraInfo }: ResourceRef): {
  id: string;
  type: string;
  name: string;
  extra_info: ResourceRef['extraInfo'];
} {
  return { id, type, name, extra_info: extraInfo };
}
