import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { stringifyParameters } from '../../model/resource.ts';
import { newRestoreSchema, restoreSchema, toRestoreJson } from '../../model/restore.ts';
import { closed, uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { filterText, type ListRules, linksSchema, nextLink, readPage, tablePageQuerySchema } from '../paging.ts';

const rules: ListRules = {
  sortKeys: ['created_at', 'id', 'status', 'project_id', 'provider_id', 'checkpoint_id', 'restore_target'],
  filters: ['status'],
};

const tags = ['restores'];
const oneRestore = Type.Object({ restore: restoreSchema });

export function addRestoreRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { restores } = protection;

  app.post(
    `${projectPath}/restores`,
    {
      config: { rule: 'restore:create' },
      schema: {
        operationId: 'createRestore',
        tags,
        summary: 'Restore a checkpoint',
        description:
          'Answers at once. A restore that is refused (unknown checkpoint, bad option) is answered with status `fail` and the reason.',
        params: pathSchema({}),
        body: closed({ restore: newRestoreSchema }),
        response: answers(oneRestore),
      },
    },
    async ({ caller, body: { restore } }) => {
      const created = await restores.create(caller, {
        providerId: canonicalUuid(restore.provider_id),
        checkpointId: canonicalUuid(restore.checkpoint_id),
        restoreTarget: restore.restore_target ?? null,
        restoreAuth: restore.restore_auth ?? null,
        parameters: stringifyParameters(restore.parameters),
      });
      return { restore: toRestoreJson(created) };
    },
  );

  app.get(
    `${projectPath}/restores`,
    {
      config: { rule: 'restore:get_all' },
      schema: {
        operationId: 'listRestores',
        tags,
        summary: 'List restores',
        description: 'Newest first unless sorted otherwise.',
        params: pathSchema({}),
        querystring: tablePageQuerySchema({ status: filterText('The status, exactly.') }),
        response: answers(Type.Object({ restores: Type.Array(restoreSchema), restores_links: Type.Optional(linksSchema) }), 404),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await restores.list(request.caller, query);
      return { restores: items.map(toRestoreJson), ...nextLink(request, 'restores_links', items, query.limit) };
    },
  );

  app.get(
    `${projectPath}/restores/:restore_id`,
    {
      config: { rule: 'restore:get' },
      schema: {
        operationId: 'getRestore',
        tags,
        summary: 'Show a restore',
        description: "One restore of the caller's project, with its progress while it runs.",
        params: pathSchema({ restore_id: uuid }),
        response: answers(oneRestore, 404),
      },
    },
    async ({ caller, params }) => ({ restore: toRestoreJson(await restores.get(caller, canonicalUuid(params.restore_id))) }),
  );
}
