import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { stringifyParameters } from '../../model/resource.ts';
import { closed, uuid } from '../../model/schema.ts';
import { newVerificationSchema, toVerificationJson, verificationSchema } from '../../model/verification.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { filterText, type ListRules, linksSchema, nextLink, readPage, tablePageQuerySchema } from '../paging.ts';

const rules: ListRules = {
  sortKeys: ['created_at', 'id', 'status', 'project_id', 'provider_id', 'checkpoint_id'],
  filters: ['status'],
};

const tags = ['verifications'];
const oneVerification = Type.Object({ verification: verificationSchema });

export function addVerificationRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { verifications } = protection;

  app.post(
    `${projectPath}/verifications`,
    {
      config: { rule: 'verification:create' },
      schema: {
        operationId: 'createVerification',
        tags,
        summary: 'Verify a checkpoint',
        description:
          'Reads what the checkpoint holds back from the bank and compares it; all of it unless the parameter `percent` says otherwise. Answers at once. One that is refused (unknown checkpoint, bad option) is answered with status `fail` and the reason.',
        params: pathSchema({}),
        body: closed({ verification: newVerificationSchema }),
        response: answers(oneVerification),
      },
    },
    async ({ caller, body: { verification } }) => {
      const created = await verifications.create(caller, {
        providerId: canonicalUuid(verification.provider_id),
        checkpointId: canonicalUuid(verification.checkpoint_id),
        parameters: stringifyParameters(verification.parameters ?? {}),
      });
      return { verification: toVerificationJson(created) };
    },
  );

  app.get(
    `${projectPath}/verifications`,
    {
      config: { rule: 'verification:get_all' },
      schema: {
        operationId: 'listVerifications',
        tags,
        summary: 'List verifications',
        description: 'Newest first unless sorted otherwise.',
        params: pathSchema({}),
        querystring: tablePageQuerySchema({ status: filterText('The status, exactly.') }),
        response: answers(
          Type.Object({ verifications: Type.Array(verificationSchema), verifications_links: Type.Optional(linksSchema) }),
          404,
        ),
      },
    },
    async (request) => {
      const query = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await verifications.list(request.caller, query);
      return {
        verifications: items.map(toVerificationJson),
        ...nextLink(request, 'verifications_links', items, query.limit),
      };
    },
  );

  app.get(
    `${projectPath}/verifications/:verification_id`,
    {
      config: { rule: 'verification:get' },
      schema: {
        operationId: 'getVerification',
        tags,
        summary: 'Show a verification',
        description: "One verification of the caller's project: what was read of each resource, and every damage that was found.",
        params: pathSchema({ verification_id: uuid }),
        response: answers(oneVerification, 404),
      },
    },
    async ({ caller, params }) => ({
      verification: toVerificationJson(await verifications.get(caller, canonicalUuid(params.verification_id))),
    }),
  );
}
