import { Type } from 'typebox';
import { Fault } from '../../base/faults.ts';
import { isUuidLike } from '../../base/ids.ts';
import type { Caller } from '../../model/caller.ts';
import {
  fromQuotaChangeJson,
  quotaChangeSchema,
  quotaClassSchema,
  quotaDetailSchema,
  quotaLimitsSchema,
  quotaSchema,
  toQuotaDetailJson,
} from '../../model/quota.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, emptyBody, pathSchema, projectPath } from '../declare.ts';

const tags = ['quotas'];
const quotaPath = pathSchema({ quota_project_id: Type.String({ description: 'The project whose quota it is.' }) });
const classPath = pathSchema({ name: Type.String({ description: 'Any text.' }) });
const oneQuota = Type.Object({ quota: quotaSchema });

export function addQuotaRoutes(app: Api, { quotas }: Protection): void {
  const url = `${projectPath}/quotas/:quota_project_id`;

  app.get(
    url,
    {
      config: { rule: 'quota:get' },
      schema: {
        operationId: 'getQuota',
        tags,
        summary: 'Show a quota',
        description: "What a project may have; another project's is for administrators. -1: any number.",
        params: quotaPath,
        response: answers(oneQuota),
      },
    },
    async ({ caller, params }) => {
      const id = checkProjectId(params.quota_project_id, caller);
      return { quota: { ...(await quotas.get(caller, id)), id } };
    },
  );

  app.get(
    `${url}/detail`,
    {
      config: { rule: 'quota:get' },
      schema: {
        operationId: 'getQuotaDetail',
        tags,
        summary: 'Show a quota and its use',
        description: 'Limit, what is in use, and what running operations hold.',
        params: quotaPath,
        response: answers(Type.Object({ quota: quotaDetailSchema })),
      },
    },
    async ({ caller, params }) => {
      const id = checkProjectId(params.quota_project_id, caller);
      return { quota: { ...toQuotaDetailJson(await quotas.getDetail(caller, id)), id } };
    },
  );

  app.get(
    `${url}/defaults`,
    {
      config: { rule: 'quota:get_default' },
      schema: {
        operationId: 'getQuotaDefaults',
        tags,
        summary: 'Show the default quota',
        description: 'What a project may have for which nothing was set.',
        params: quotaPath,
        response: answers(oneQuota),
      },
    },
    async ({ caller, params }) => ({
      quota: { ...quotas.getDefaults(), id: checkProjectId(params.quota_project_id, caller) },
    }),
  );

  app.put(
    url,
    {
      config: { rule: 'quota:update' },
      schema: {
        operationId: 'updateQuota',
        tags,
        summary: 'Set a quota',
        description:
          'Sets the limits that are given. A limit below what is in use is allowed: it keeps more from being made. The sum of all `stored_bytes` must fit the declared capacity of the banks.',
        params: quotaPath,
        body: Type.Object({ quota: quotaChangeSchema }, { additionalProperties: false }),
        response: answers(Type.Object({ quota: quotaLimitsSchema })),
      },
    },
    async ({ caller, params, body }) => {
      const id = checkProjectId(params.quota_project_id, caller);
      return { quota: await quotas.update(id, fromQuotaChangeJson(body.quota)) };
    },
  );

  app.delete(
    url,
    {
      config: { rule: 'quota:delete' },
      schema: {
        operationId: 'deleteQuota',
        tags,
        summary: 'Go back to the default quota',
        description: 'Takes away all limits that were set for the project. The answer is empty.',
        params: quotaPath,
        response: answers(emptyBody),
      },
    },
    async ({ caller, params }, reply) => {
      await quotas.delete(checkProjectId(params.quota_project_id, caller));
      void reply.type('application/json');
      return '' as const;
    },
  );

  app.get(
    `${projectPath}/quota_classes/:name`,
    {
      config: { rule: 'quota_class:get' },
      schema: {
        operationId: 'getQuotaClass',
        tags,
        summary: 'Show a quota class',
        description: 'A named set of limits. Kept for clients that know it; it limits nobody.',
        params: classPath,
        response: answers(Type.Object({ quota_class: quotaClassSchema })),
      },
    },
    async ({ caller, params }) => ({
      quota_class: { ...(await quotas.getClass(caller, params.name)), id: params.name },
    }),
  );

  app.put(
    `${projectPath}/quota_classes/:name`,
    {
      config: { rule: 'quota_class:update' },
      schema: {
        operationId: 'updateQuotaClass',
        tags,
        summary: 'Set a quota class',
        description: 'Sets the limits that are given; the others stay.',
        params: classPath,
        body: Type.Object({ quota_class: quotaChangeSchema }, { additionalProperties: false }),
        response: answers(Type.Object({ quota_class: quotaLimitsSchema })),
      },
    },
    async ({ params, body }) => ({
      quota_class: await quotas.updateClass(params.name, fromQuotaChangeJson(body.quota_class)),
    }),
  );
}

/** Whether the project exists is not asked. The caller's own may have any form: under noauth it often has no UUID. */
function checkProjectId(id: string, caller: Caller): string {
  if (isUuidLike(id) || id === caller.projectId) return id;
  throw new Fault('invalid', 'quota.bad_project', `The project ${JSON.stringify(id)} of the path is no UUID.`, {
    details: { field: 'project_id' },
  });
}
