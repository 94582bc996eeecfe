import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { garbageCollectionSchema, newGarbageCollectionSchema, toGarbageCollectionJson } from '../../model/garbage-collection.ts';
import { closed, uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { type ListRules, linksSchema, nextLink, pageQuerySchema, readPage } from '../paging.ts';

const rules: ListRules = { sortKeys: ['created_at', 'id', 'status'] };

const tags = ['garbage_collections'];
const path = `${projectPath}/providers/:provider_id/gc`;
const oneCollection = Type.Object({ gc: garbageCollectionSchema });

export function addGarbageCollectionRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { garbageCollections } = protection;

  app.post(
    path,
    {
      config: { rule: 'provider:gc_create' },
      schema: {
        operationId: 'createGarbageCollection',
        tags,
        summary: 'Collect garbage',
        description:
          'In the repositories of all projects in the bank of the provider; safe beside everything else that runs. Answers at once. One starts by itself after deletions.',
        params: pathSchema({ provider_id: uuid }),
        body: closed({ gc: newGarbageCollectionSchema }),
        response: answers(oneCollection, 404),
      },
    },
    async ({ params, body: { gc } }) => {
      const options = { dryRun: gc.dry_run ?? false };
      return { gc: toGarbageCollectionJson(await garbageCollections.create(canonicalUuid(params.provider_id), options)) };
    },
  );

  app.get(
    path,
    {
      config: { rule: 'provider:gc_get' },
      schema: {
        operationId: 'listGarbageCollections',
        tags,
        summary: 'List garbage collections',
        description: 'Newest first unless sorted otherwise.',
        params: pathSchema({ provider_id: uuid }),
        querystring: pageQuerySchema({}),
        response: answers(Type.Object({ gcs: Type.Array(garbageCollectionSchema), gcs_links: Type.Optional(linksSchema) }), 404),
      },
    },
    async (request) => {
      const { projectId: _, ...query } = readPage(request.query, rules, request.caller, maxLimit);
      const { items } = await garbageCollections.list(canonicalUuid(request.params.provider_id), query);
      return { gcs: items.map(toGarbageCollectionJson), ...nextLink(request, 'gcs_links', items, query.limit) };
    },
  );

  app.get(
    `${path}/:gc_id`,
    {
      config: { rule: 'provider:gc_get' },
      schema: {
        operationId: 'getGarbageCollection',
        tags,
        summary: 'Show a garbage collection',
        description: 'What was found in the repository of each project, and what was deleted.',
        params: pathSchema({ provider_id: uuid, gc_id: uuid }),
        response: answers(oneCollection, 404),
      },
    },
    async ({ params }) => ({
      gc: toGarbageCollectionJson(await garbageCollections.get(canonicalUuid(params.provider_id), canonicalUuid(params.gc_id))),
    }),
  );
}
