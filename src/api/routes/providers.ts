import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { providerSchema, toProviderJson } from '../../model/provider.ts';
import { uuid } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { filterText, linksSchema, nextLink, pageQuerySchema, readLimit, readSort } from '../paging.ts';

const listQuery = pageQuerySchema({
  name: filterText('The name, exactly.'),
  description: filterText('The description, exactly.'),
});

export function addProviderRoutes(app: Api, protection: Protection, maxLimit: number): void {
  app.get(
    `${projectPath}/providers`,
    {
      config: { rule: 'provider:get_all' },
      schema: {
        operationId: 'listProviders',
        tags: ['providers'],
        summary: 'List providers',
        description: 'Ascending by id whatever `sort` says. An unknown marker is ignored.',
        params: pathSchema({}),
        querystring: listQuery,
        response: answers(Type.Object({ providers: Type.Array(providerSchema), providers_links: Type.Optional(linksSchema) })),
      },
    },
    async (request) => {
      const { name, description, marker, ...query } = request.query;
      const limit = readLimit(query, maxLimit);
      readSort(query, {});
      const wanted = protection.providers
        .list()
        .filter(
          (provider) =>
            (name ?? provider.name) === provider.name && (description ?? provider.description) === provider.description,
        );
      const start = wanted.findIndex((provider) => provider.id === marker) + 1;
      const items = wanted.slice(start, start + limit);
      return { providers: items.map(toProviderJson), ...nextLink(request, 'providers_links', items, limit) };
    },
  );

  app.get(
    `${projectPath}/providers/:provider_id`,
    {
      config: { rule: 'provider:get' },
      schema: {
        operationId: 'getProvider',
        tags: ['providers'],
        summary: 'Show a provider',
        description: 'With the options that each of its protection plugins takes.',
        params: pathSchema({ provider_id: uuid }),
        response: answers(Type.Object({ provider: providerSchema }), 404),
      },
    },
    async ({ params }) => ({ provider: toProviderJson(protection.providers.get(canonicalUuid(params.provider_id))) }),
  );
}
