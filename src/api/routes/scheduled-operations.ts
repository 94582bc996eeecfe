import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import {
  newScheduledOperationSchema,
  scheduledOperationSchema,
  scheduledRunSchema,
  toScheduledOperationJson,
  toScheduledRunJson,
} from '../../model/scheduled-operation.ts';
import { closed, text, uuid } from '../../model/schema.ts';
import type { Operations } from '../../operations/contract.ts';
import { type Api, answers, emptyBody, pathSchema, projectPath } from '../declare.ts';
import {
  filterText,
  type ListRules,
  linksSchema,
  nextLink,
  pageQuerySchema,
  projectPageQuerySchema,
  readPage,
} from '../paging.ts';

const rules: ListRules = {
  sortKeys: ['created_at', 'id', 'name', 'description', 'operation_type', 'trigger_id', 'project_id'],
  filters: ['name', 'operation_type', 'trigger_id', 'operation_definition'],
  readsTenants: true,
};
const runRules: ListRules = { sortKeys: ['created_at', 'id', 'state'], filters: ['state'] };

const tags = ['scheduled_operations'];
const url = `${projectPath}/scheduled_operations`;
const operationPath = pathSchema({ scheduled_operation_id: uuid });
const oneOperation = Type.Object({ scheduled_operation: scheduledOperationSchema });

const verdictSchema = Type.Object(
  { checkpoint_id: uuid, goes: Type.Boolean(), reason: text },
  { $id: 'RetentionVerdict', description: 'What the retention makes of one checkpoint.' },
);

export function addScheduledOperationRoutes(app: Api, { scheduledOperations }: Operations, maxLimit: number): void {
  app.post(
    url,
    {
      config: { rule: 'scheduled_operation:create' },
      schema: {
        operationId: 'createScheduledOperation',
        tags,
        summary: 'Create a scheduled operation',
        description: "What is done whenever the trigger strikes. It runs as its maker, in the maker's project.",
        params: pathSchema({}),
        body: closed({ scheduled_operation: newScheduledOperationSchema }),
        response: answers(oneOperation, 404),
      },
    },
    async ({ caller, body: { scheduled_operation: wanted } }) => {
      const created = await scheduledOperations.create(caller, {
        name: wanted.name,
        description: wanted.description ?? null,
        type: wanted.operation_type,
        triggerId: canonicalUuid(wanted.trigger_id),
        definition: wanted.operation_definition,
      });
      return { scheduled_operation: toScheduledOperationJson(created) };
    },
  );

  app.get(
    url,
    {
      config: { rule: 'scheduled_operation:list' },
      schema: {
        operationId: 'listScheduledOperations',
        tags,
        summary: 'List scheduled operations',
        description: 'Newest first unless sorted otherwise. The member is called `operations`.',
        params: pathSchema({}),
        querystring: projectPageQuerySchema({
          name: filterText('Part of the name, or a regular expression.'),
          operation_type: filterText('The type, exactly.'),
          trigger_id: filterText('The trigger, exactly.'),
          operation_definition: filterText('Part of the stored definition, such as a plan id, or a regular expression.'),
        }),
        response: answers(
          Type.Object({ operations: Type.Array(scheduledOperationSchema), operations_links: Type.Optional(linksSchema) }),
          404,
        ),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await scheduledOperations.list(request.caller, query);
      return {
        operations: items.map(toScheduledOperationJson),
        ...nextLink(request, 'operations_links', items, query.limit),
      };
    },
  );

  app.get(
    `${url}/:scheduled_operation_id`,
    {
      config: { rule: 'scheduled_operation:get' },
      schema: {
        operationId: 'getScheduledOperation',
        tags,
        summary: 'Show a scheduled operation',
        description: "One scheduled operation of the caller's project.",
        params: operationPath,
        response: answers(oneOperation, 404),
      },
    },
    async ({ caller, params }) => {
      const operation = await scheduledOperations.get(caller, canonicalUuid(params.scheduled_operation_id));
      return { scheduled_operation: toScheduledOperationJson(operation) };
    },
  );

  app.delete(
    `${url}/:scheduled_operation_id`,
    {
      config: { rule: 'scheduled_operation:delete' },
      schema: {
        operationId: 'deleteScheduledOperation',
        tags,
        summary: 'Delete a scheduled operation',
        description: 'Its runs are forgotten; a checkpoint that is being made is made. The answer is empty.',
        params: operationPath,
        response: answers(emptyBody, 404),
      },
    },
    async ({ caller, params }, reply) => {
      await scheduledOperations.delete(caller, canonicalUuid(params.scheduled_operation_id));
      void reply.type('application/json');
      return '' as const;
    },
  );

  app.get(
    `${url}/:scheduled_operation_id/runs`,
    {
      config: { rule: 'scheduled_operation:get' },
      schema: {
        operationId: 'listScheduledRuns',
        tags,
        summary: 'List the runs of a scheduled operation',
        description: 'What was to happen, when it did, and what came of it; the last hundred, newest first.',
        params: operationPath,
        querystring: pageQuerySchema({ state: filterText('The state, exactly.') }),
        response: answers(Type.Object({ runs: Type.Array(scheduledRunSchema), runs_links: Type.Optional(linksSchema) }), 404),
      },
    },
    async (request) => {
      const { projectId: _, ...query } = readPage(request.query, runRules, request.caller, maxLimit);
      const id = canonicalUuid(request.params.scheduled_operation_id);
      const { items } = await scheduledOperations.listRuns(request.caller, id, query);
      return { runs: items.map(toScheduledRunJson), ...nextLink(request, 'runs_links', items, query.limit) };
    },
  );

  app.get(
    `${url}/:scheduled_operation_id/retention`,
    {
      config: { rule: 'scheduled_operation:get' },
      schema: {
        operationId: 'previewRetention',
        tags,
        summary: 'Show what the retention would let go',
        description: 'Each good checkpoint of the plan, newest first, whether it would go now, and why.',
        params: operationPath,
        response: answers(Type.Object({ verdicts: Type.Array(verdictSchema) }), 404),
      },
    },
    async ({ caller, params }) => {
      const verdicts = await scheduledOperations.previewRetention(caller, canonicalUuid(params.scheduled_operation_id));
      return { verdicts: verdicts.map(({ id, goes, reason }) => ({ checkpoint_id: id, goes, reason })) };
    },
  );
}
