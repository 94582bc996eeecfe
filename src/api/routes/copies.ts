import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { copySchema, newCopySchema } from '../../model/copy.ts';
import { stringifyParameters } from '../../model/resource.ts';
import { closed, uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';

export function addCopyRoutes(app: Api, protection: Protection): void {
  app.post(
    `${projectPath}/providers/:provider_id/checkpoints/action`,
    {
      config: { rule: 'copy:create' },
      schema: {
        operationId: 'createCopy',
        tags: ['copies'],
        summary: "Copy a plan's checkpoints to another provider",
        description:
          'Every available checkpoint of the plan that is no copy itself is copied; only what the other bank lacks moves. Answers at once; progress is the status of the copies. Deleting a copy that is under way cancels it.',
        params: pathSchema({ provider_id: uuid }),
        body: closed({ copy: newCopySchema }),
        response: answers(Type.Object({ copy: copySchema }), 404),
      },
    },
    async ({ caller, params, body: { copy } }) => {
      const parameters = stringifyParameters(copy.parameters ?? {});
      const begun = await protection.copies.create(
        caller,
        canonicalUuid(params.provider_id),
        canonicalUuid(copy.plan_id),
        parameters,
      );
      return {
        copy: {
          project_id: begun.projectId,
          provider_id: begun.providerId,
          plan_id: begun.planId,
          checkpoint_id: begun.pairs.map(({ originalId, copyId }) => ({
            checkpoint_protect_id: originalId,
            checkpoint_copy_id: copyId,
          })),
          parameters: begun.parameters,
        },
      };
    },
  );
}
