import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { closed, uuid } from '../../model/schema.ts';
import {
  fromTriggerPropertiesJson,
  newTriggerSchema,
  toTriggerJson,
  triggerChangeSchema,
  triggerSchema,
} from '../../model/trigger.ts';
import type { Operations } from '../../operations/contract.ts';
import { type Api, answers, emptyBody, pathSchema, projectPath } from '../declare.ts';
import { filterText, type ListRules, linksSchema, nextLink, projectPageQuerySchema, readPage } from '../paging.ts';

const rules: ListRules = {
  sortKeys: ['created_at', 'id', 'name', 'type', 'properties', 'project_id'],
  filters: ['name', 'type', 'properties'],
  readsTenants: true,
};

const tags = ['triggers'];
const triggerPath = pathSchema({ trigger_id: uuid });
const oneTrigger = Type.Object({ trigger_info: triggerSchema });

export function addTriggerRoutes(app: Api, { triggers }: Operations, maxLimit: number): void {
  app.post(
    `${projectPath}/triggers`,
    {
      config: { rule: 'trigger:create' },
      schema: {
        operationId: 'createTrigger',
        tags,
        summary: 'Create a trigger',
        description:
          '`format` says how `pattern` is read. Two occurrences lie at least an hour apart unless the operator allows less.',
        params: pathSchema({}),
        body: closed({ trigger_info: newTriggerSchema }),
        response: answers(oneTrigger),
      },
    },
    async ({
      caller,
      body: {
        trigger_info: { name, properties },
      },
    }) => {
      const created = await triggers.create(caller, { name, properties: fromTriggerPropertiesJson(properties) });
      return { trigger_info: toTriggerJson(created) };
    },
  );

  app.get(
    `${projectPath}/triggers`,
    {
      config: { rule: 'trigger:list' },
      schema: {
        operationId: 'listTriggers',
        tags,
        summary: 'List triggers',
        description: 'Newest first unless sorted otherwise.',
        params: pathSchema({}),
        querystring: projectPageQuerySchema({
          name: filterText('Part of the name, or a regular expression.'),
          type: filterText('The type, exactly.'),
          properties: filterText('Part of the stored properties, or a regular expression.'),
        }),
        response: answers(Type.Object({ triggers: Type.Array(triggerSchema), triggers_links: Type.Optional(linksSchema) }), 404),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await triggers.list(request.caller, query);
      return { triggers: items.map(toTriggerJson), ...nextLink(request, 'triggers_links', items, query.limit) };
    },
  );

  app.get(
    `${projectPath}/triggers/:trigger_id`,
    {
      config: { rule: 'trigger:get' },
      schema: {
        operationId: 'getTrigger',
        tags,
        summary: 'Show a trigger',
        description: 'With its next occurrences.',
        params: triggerPath,
        response: answers(oneTrigger, 404),
      },
    },
    async ({ caller, params }) => ({
      trigger_info: toTriggerJson(await triggers.get(caller, canonicalUuid(params.trigger_id))),
    }),
  );

  app.put(
    `${projectPath}/triggers/:trigger_id`,
    {
      config: { rule: 'trigger:update' },
      schema: {
        operationId: 'updateTrigger',
        tags,
        summary: 'Change a trigger',
        description: 'New properties hold at once, also for what hangs on the trigger already.',
        params: triggerPath,
        body: closed({ trigger_info: triggerChangeSchema }),
        response: answers(oneTrigger, 404),
      },
    },
    async ({
      caller,
      params,
      body: {
        trigger_info: { name, properties },
      },
    }) => {
      const change = {
        ...(name !== undefined && { name }),
        ...(properties !== undefined && { properties: fromTriggerPropertiesJson(properties) }),
      };
      return { trigger_info: toTriggerJson(await triggers.update(caller, canonicalUuid(params.trigger_id), change)) };
    },
  );

  app.delete(
    `${projectPath}/triggers/:trigger_id`,
    {
      config: { rule: 'trigger:delete' },
      schema: {
        operationId: 'deleteTrigger',
        tags,
        summary: 'Delete a trigger',
        description: 'One that a scheduled operation uses stays: 424. The answer is empty.',
        params: triggerPath,
        response: answers(emptyBody, 404, 424),
      },
    },
    async ({ caller, params }, reply) => {
      await triggers.delete(caller, canonicalUuid(params.trigger_id));
      void reply.type('application/json');
      return '' as const;
    },
  );
}
