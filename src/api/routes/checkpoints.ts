import { Type } from 'typebox';
import { Fault } from '../../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../../base/ids.ts';
import { checkpointResetSchema, checkpointSchema, newCheckpointSchema, toCheckpointJson } from '../../model/checkpoint.ts';
import { closed, text, uuid } from '../../model/schema.ts';
import type { CheckpointQuery, Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { type ListRules, linksSchema, nextLink, projectPageQuerySchema, readPage } from '../paging.ts';

const date = Type.Optional(
  Type.String({ format: 'date', description: 'A UTC date, inclusive. `end_date` counts only with `start_date`.' }),
);

/** Any sort is accepted; only `created_at` means something. The filters have members of their own in the query. */
const rules: ListRules = {};

const listQuery = projectPageQuerySchema({
  plan_id: Type.Optional(Type.String({ format: 'uuid', description: 'The plan they were made of.' })),
  start_date: date,
  end_date: date,
});

const tags = ['checkpoints'];
const path = `${projectPath}/providers/:provider_id/checkpoints`;
const onePath = pathSchema({ provider_id: uuid, checkpoint_id: uuid });
const oneCheckpoint = Type.Object({ checkpoint: checkpointSchema });
const done = Type.Object({}, { additionalProperties: false });

export function addCheckpointRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { checkpoints } = protection;

  app.post(
    path,
    {
      config: { rule: 'provider:checkpoint_create' },
      schema: {
        operationId: 'createCheckpoint',
        tags,
        summary: 'Protect a plan',
        description:
          'Answers at once with status `protecting`; the work goes on by itself. Several checkpoints of one plan may run together.',
        params: pathSchema({ provider_id: uuid }),
        body: closed({ checkpoint: newCheckpointSchema }),
        response: answers(oneCheckpoint, 404),
      },
    },
    async ({ caller, params, body: { checkpoint } }) => {
      const { plan_id: planId, 'extra-info': extraInfo } = checkpoint;
      const providerId = canonicalUuid(params.provider_id);
      const created = await checkpoints.create(caller, providerId, canonicalUuid(planId), extraInfo ?? null);
      return { checkpoint: toCheckpointJson(created) };
    },
  );

  app.get(
    path,
    {
      config: { rule: 'provider:checkpoint_get_all' },
      schema: {
        operationId: 'listCheckpoints',
        tags,
        summary: 'List checkpoints',
        description: 'Everything the bank holds for the project but deleted checkpoints, wherever it was made; newest first.',
        params: pathSchema({ provider_id: text }),
        querystring: listQuery,
        response: answers(
          Type.Object({ checkpoints: Type.Array(checkpointSchema), checkpoints_links: Type.Optional(linksSchema) }),
          404,
        ),
      },
    },
    async (request) => {
      const { caller, params } = request;
      const { plan_id: planId, start_date: startDate, end_date: endDate, ...page } = request.query;
      const query: CheckpointQuery = {
        ...readPage(page, rules, caller, maxLimit),
        filters: {},
        ...(planId === undefined ? {} : { planId: canonicalUuid(planId) }),
        ...(startDate === undefined ? {} : { startDate }),
        ...(startDate === undefined || endDate === undefined ? {} : { endDate }),
      };
      const { items } = await checkpoints.list(caller, readProviderId(params.provider_id), query);
      return { checkpoints: items.map(toCheckpointJson), ...nextLink(request, 'checkpoints_links', items, query.limit) };
    },
  );

  app.get(
    `${path}/:checkpoint_id`,
    {
      config: { rule: 'provider:checkpoint_get' },
      schema: {
        operationId: 'getCheckpoint',
        tags,
        summary: 'Show a checkpoint',
        description: 'A deleted one too.',
        params: onePath,
        response: answers(oneCheckpoint, 404),
      },
    },
    async ({ caller, params }) => ({ checkpoint: toCheckpointJson(await checkpoints.get(caller, ...ids(params))) }),
  );

  app.put(
    `${path}/:checkpoint_id`,
    {
      config: { rule: 'provider:checkpoint_update' },
      schema: {
        operationId: 'resetCheckpoint',
        tags,
        summary: 'Reset the state of a checkpoint',
        description: 'Sets the status by hand, where no operation owns the checkpoint.',
        params: onePath,
        body: closed({ 'os-resetState': checkpointResetSchema }),
        response: answers(done, 404),
      },
    },
    async ({ caller, params, body }) => {
      await checkpoints.resetState(caller, ...ids(params), body['os-resetState'].state);
      return {};
    },
  );

  app.post(
    `${path}/:checkpoint_id/action`,
    {
      config: { rule: 'provider:checkpoint_delete' },
      schema: {
        operationId: 'undeleteCheckpoint',
        tags,
        summary: 'Take back the deletion of a checkpoint',
        description:
          'Possible until garbage collection has taken what the checkpoint needs. Answers at once; the status stays `deleted` until everything is there again. When it cannot be had back, `reason` says why.',
        params: onePath,
        body: closed({ undelete: closed({}) }),
        response: answers(oneCheckpoint, 404),
      },
    },
    async ({ caller, params }) => ({ checkpoint: toCheckpointJson(await checkpoints.undelete(caller, ...ids(params))) }),
  );

  app.delete(
    `${path}/:checkpoint_id`,
    {
      config: { rule: 'provider:checkpoint_delete' },
      schema: {
        operationId: 'deleteCheckpoint',
        tags,
        summary: 'Delete a checkpoint',
        description: 'Answers at once; the status is `deleting` until the work is done.',
        params: onePath,
        response: answers(done, 404),
      },
    },
    async ({ caller, params }) => {
      await checkpoints.delete(caller, ...ids(params));
      return {};
    },
  );
}

function ids(params: { provider_id: string; checkpoint_id: string }): [providerId: string, id: string] {
  return [canonicalUuid(params.provider_id), canonicalUuid(params.checkpoint_id)];
}

/** The list alone answers 404, not 400, to a provider id that is none. */
function readProviderId(id: string): string {
  if (isUuidLike(id)) return canonicalUuid(id);
  throw new Fault('not-found', 'provider.unknown', `Provider ${id} could not be found.`);
}
