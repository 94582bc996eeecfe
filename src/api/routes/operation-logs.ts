import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { operationLogSchema, toOperationLogJson } from '../../model/operation-log.ts';
import { uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { filterText, type ListRules, linksSchema, nextLink, readPage, tablePageQuerySchema } from '../paging.ts';

const rules: ListRules = {
  sortKeys: [
    'created_at',
    'started_at',
    'ended_at',
    'id',
    'status',
    'operation_type',
    'project_id',
    'checkpoint_id',
    'plan_id',
    'provider_id',
    'restore_id',
  ],
  filters: ['checkpoint_id', 'plan_id', 'restore_id', 'status'],
};

const listQuery = tablePageQuerySchema({
  checkpoint_id: filterText('The checkpoint, exactly.'),
  plan_id: filterText('The plan, exactly.'),
  restore_id: filterText('The restore, exactly.'),
  status: filterText('The status, exactly.'),
});

const tags = ['operation_logs'];

export function addOperationLogRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { operationLogs } = protection;

  app.get(
    `${projectPath}/operation_logs`,
    {
      config: { rule: 'operation_log:list' },
      schema: {
        operationId: 'listOperationLogs',
        tags,
        summary: 'List operation logs',
        description: 'What was done, newest first unless sorted otherwise.',
        params: pathSchema({}),
        querystring: listQuery,
        response: answers(
          Type.Object({ operation_logs: Type.Array(operationLogSchema), operation_logs_links: Type.Optional(linksSchema) }),
          404,
        ),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await operationLogs.list(request.caller, query);
      return { operation_logs: items.map(toOperationLogJson), ...nextLink(request, 'operation_logs_links', items, query.limit) };
    },
  );

  app.get(
    `${projectPath}/operation_logs/:operation_log_id`,
    {
      config: { rule: 'operation_log:get' },
      schema: {
        operationId: 'getOperationLog',
        tags,
        summary: 'Show an operation log',
        description: 'One operation, with the cause when it failed.',
        params: pathSchema({ operation_log_id: uuid }),
        response: answers(Type.Object({ operation_log: operationLogSchema }), 404),
      },
    },
    async ({ caller, params }) => ({
      operation_log: toOperationLogJson(await operationLogs.get(caller, canonicalUuid(params.operation_log_id))),
    }),
  );
}
