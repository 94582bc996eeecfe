import { type Static, Type } from 'typebox';
import {
  fromPlanResourceJson,
  newPlanResourceSchema,
  type Parameters,
  type PlanResource,
  parametersSchema,
  planResourceSchema,
  toPlanResourceJson,
} from './resource.ts';
import { closed, descriptionRule, nameRule, nullableText, parametersRule, text, uuid } from './schema.ts';

export type PlanStatus = 'suspended' | 'started';

/** Names of commands on the operator's allow-list. `pre` runs before the point in time is taken, `post` after it whatever happened. */
export interface PlanHooks {
  readonly pre?: string;
  readonly post?: string;
}

export interface Plan {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly description: string | null;
  readonly providerId: string;
  readonly status: PlanStatus;
  readonly resources: readonly PlanResource[];
  readonly parameters: Parameters;
  readonly hooks: PlanHooks | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

const hookName = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }));
const hooksDescription =
  "Names of commands on the operator's list: `pre` runs before the point in time, `post` after it whatever happened.";

const planHooksSchema = closed({ pre: hookName, post: hookName }, { $id: 'PlanHooks', description: hooksDescription });

const nullableHooks = Type.Unsafe<PlanHooks | null>({
  type: ['object', 'null'],
  properties: { pre: hookName, post: hookName },
  additionalProperties: false,
  description: hooksDescription,
});

const statusSchema = Type.Unsafe<PlanStatus>({ type: 'string', enum: ['suspended', 'started'] });

const example = {
  name: 'nightly db',
  description: 'database volumes',
  provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
  resources: [{ id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0', type: 'Host::Directory', name: 'db-data' }],
};

export const planSchema = Type.Object(
  {
    id: uuid,
    name: text,
    description: nullableText,
    provider_id: uuid,
    status: statusSchema,
    resources: Type.Array(planResourceSchema),
    parameters: parametersSchema,
    hooks: Type.Optional(planHooksSchema),
  },
  {
    $id: 'Plan',
    description: 'Which resources go into which provider, and with which options.',
    examples: [
      {
        ...example,
        id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
        status: 'suspended',
        parameters: { 'Host::Directory': { exclude: '*.tmp' } },
      },
    ],
  },
);

export const newPlanSchema = closed(
  {
    name: nameRule,
    description: Type.Optional(descriptionRule),
    provider_id: uuid,
    resources: Type.Array(newPlanResourceSchema, { minItems: 1 }),
    parameters: parametersRule,
    hooks: Type.Optional(nullableHooks),
  },
  { $id: 'NewPlan', examples: [{ ...example, parameters: { 'Host::Directory': { exclude: '*.tmp' } } }] },
);

export const planChangeSchema = closed(
  {
    name: Type.Optional(nameRule),
    description: Type.Optional(descriptionRule),
    resources: Type.Optional(Type.Array(newPlanResourceSchema)),
    status: Type.Optional(statusSchema),
    hooks: Type.Optional(nullableHooks),
  },
  {
    $id: 'PlanChange',
    minProperties: 1,
    description:
      'At least one member. Provider and parameters of a plan never change; everything but `status` only while it is suspended.',
    examples: [{ status: 'started' }],
  },
);

export type PlanJson = Static<typeof planSchema>;

export function toPlanJson(plan: Plan): PlanJson {
  const json: PlanJson = {
    id: plan.id,
    name: plan.name,
    description: plan.description,
    provider_id: plan.providerId,
    status: plan.status,
    resources: plan.resources.map(toPlanResourceJson),
    parameters: plan.parameters,
  };
  if (plan.hooks !== null) json.hooks = plan.hooks;
  return json;
}

/** Name, description, resources, status and hooks as a request gives them; absent members stay absent. */
export function fromPlanChangeJson(
  given: Static<typeof planChangeSchema>,
): Partial<Pick<Plan, 'name' | 'description' | 'resources' | 'status' | 'hooks'>> {
  const { resources, ...rest } = given;
  return resources === undefined ? rest : { ...rest, resources: resources.map(fromPlanResourceJson) };
}
