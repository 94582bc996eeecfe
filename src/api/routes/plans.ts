import { Type } from 'typebox';
import { Fault } from '../../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../../base/ids.ts';
import { fromPlanChangeJson, newPlanSchema, planChangeSchema, planSchema, toPlanJson } from '../../model/plan.ts';
import { fromPlanResourceJson, parameterTypes, stringifyParameters } from '../../model/resource.ts';
import { closed, uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, emptyBody, pathSchema, projectPath } from '../declare.ts';
import { filterText, type ListRules, linksSchema, nextLink, readPage, tablePageQuerySchema } from '../paging.ts';

const rules: ListRules = {
  sortKeys: ['created_at', 'id', 'name', 'description', 'status', 'provider_id', 'project_id'],
  filters: ['name', 'status', 'description'],
};

const listQuery = tablePageQuerySchema({
  name: filterText('Part of the name, or a regular expression.'),
  description: filterText('Part of the description, or a regular expression.'),
  status: filterText('The status, exactly.'),
});

const tags = ['plans'];
const planPath = pathSchema({ plan_id: uuid });
const onePlan = Type.Object({ plan: planSchema });

export function addPlanRoutes(app: Api, protection: Protection, maxLimit: number): void {
  app.post(
    `${projectPath}/plans`,
    {
      config: { rule: 'plan:create' },
      schema: {
        operationId: 'createPlan',
        tags,
        summary: 'Create a plan',
        description:
          'Neither the resources nor their types are looked up; parameters are checked against the options schema of the provider.',
        params: pathSchema({}),
        body: closed({ plan: newPlanSchema }),
        response: answers(onePlan),
      },
    },
    async ({ caller, body: { plan } }) => {
      checkParameterKeys(Object.keys(plan.parameters));
      const created = await protection.plans.create(caller, {
        name: plan.name,
        description: plan.description ?? null,
        providerId: canonicalUuid(plan.provider_id),
        resources: plan.resources.map(fromPlanResourceJson),
        parameters: stringifyParameters(plan.parameters),
        hooks: plan.hooks ?? null,
      });
      return { plan: toPlanJson(created) };
    },
  );

  app.get(
    `${projectPath}/plans`,
    {
      config: { rule: 'plan:get_all' },
      schema: {
        operationId: 'listPlans',
        tags,
        summary: 'List plans',
        description: 'Newest first unless sorted otherwise.',
        params: pathSchema({}),
        querystring: listQuery,
        response: answers(Type.Object({ plans: Type.Array(planSchema), plans_links: Type.Optional(linksSchema) }), 404),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await protection.plans.list(request.caller, query);
      return { plans: items.map(toPlanJson), ...nextLink(request, 'plans_links', items, query.limit) };
    },
  );

  app.get(
    `${projectPath}/plans/:plan_id`,
    {
      config: { rule: 'plan:get' },
      schema: {
        operationId: 'getPlan',
        tags,
        summary: 'Show a plan',
        description: "One plan of the caller's project.",
        params: planPath,
        response: answers(onePlan, 404),
      },
    },
    async ({ caller, params }) => ({ plan: toPlanJson(await protection.plans.get(caller, canonicalUuid(params.plan_id))) }),
  );

  app.put(
    `${projectPath}/plans/:plan_id`,
    {
      config: { rule: 'plan:update' },
      schema: {
        operationId: 'updatePlan',
        tags,
        summary: 'Change a plan',
        description:
          'Allowed while the plan is suspended; a change of `status` alone is always allowed. `resources` replaces the whole list.',
        params: planPath,
        body: closed({ plan: planChangeSchema }),
        response: answers(onePlan, 404),
      },
    },
    async ({ caller, params, body }) => {
      const change = fromPlanChangeJson(body.plan);
      return { plan: toPlanJson(await protection.plans.update(caller, canonicalUuid(params.plan_id), change)) };
    },
  );

  app.delete(
    `${projectPath}/plans/:plan_id`,
    {
      config: { rule: 'plan:delete' },
      schema: {
        operationId: 'deletePlan',
        tags,
        summary: 'Delete a plan',
        description:
          'Allowed in any status. Checkpoints of the plan stay usable: each has its own copy of it. The answer is empty.',
        params: planPath,
        response: answers(emptyBody, 404),
      },
    },
    async ({ caller, params }, reply) => {
      await protection.plans.delete(caller, canonicalUuid(params.plan_id));
      void reply.type('application/json');
      return '' as const;
    },
  );
}

/** `TYPE` or `TYPE#ID`; what a provider makes of the options is the protection floor's business. */
function checkParameterKeys(keys: readonly string[]): void {
  for (const key of keys) {
    const hash = key.indexOf('#');
    const type = hash < 0 ? key : key.slice(0, hash);
    if (hash >= 0 && !isUuidLike(key.slice(hash + 1)))
      throw badParameterKey(key, 'what follows the # is no UUID', 'Use TYPE#ID.');
    if (!parameterTypes.includes(type))
      throw badParameterKey(key, 'the type is unknown', `Use one of ${parameterTypes.join(', ')}.`);
  }
}

function badParameterKey(key: string, why: string, help: string): Fault {
  const message = `plan.parameters has the key ${JSON.stringify(key)}: ${why}.`;
  return new Fault('invalid', 'plan.bad_parameters', message, { help, details: { field: 'plan.parameters' } });
}
