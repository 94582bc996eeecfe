import { Type } from 'typebox';
import { Fault } from '../../base/faults.ts';
import { instanceSchema, protectableTypeSchema, toInstanceJson, toProtectableTypeJson } from '../../model/protectable.ts';
import { text } from '../../model/schema.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { parseLiteral } from '../literal.ts';
import { filterText, linksSchema, nextLink, pageQuerySchema, readLimit, readSort } from '../paging.ts';

const parameters = filterText("Text of a Python dictionary, `{'k': 'v'}`, handed to the plugin of the type.");
const tags = ['protectables'];
const typePath = pathSchema({ protectable_type: text });

export function addProtectableRoutes(app: Api, protection: Protection, maxLimit: number): void {
  const { protectables } = protection;

  app.get(
    `${projectPath}/protectables`,
    {
      config: { rule: 'protectable:get_all' },
      schema: {
        operationId: 'listProtectableTypes',
        tags,
        summary: 'List protectable types',
        description: 'The names of all types; the key is singular.',
        params: pathSchema({}),
        response: answers(Type.Object({ protectable_type: Type.Array(text) })),
      },
    },
    async () => ({ protectable_type: [...protectables.listTypes()] }),
  );

  app.get(
    `${projectPath}/protectables/:protectable_type`,
    {
      config: { rule: 'protectable:get' },
      schema: {
        operationId: 'getProtectableType',
        tags,
        summary: 'Show a protectable type',
        description: 'With the types whose resources can hang under its own.',
        params: typePath,
        response: answers(Type.Object({ protectable_type: protectableTypeSchema })),
      },
    },
    async ({ params }) => ({ protectable_type: toProtectableTypeJson(protectables.getType(params.protectable_type)) }),
  );

  app.get(
    `${projectPath}/protectables/:protectable_type/instances`,
    {
      config: { rule: 'protectable:instance_get_all' },
      schema: {
        operationId: 'listProtectableInstances',
        tags,
        summary: 'List resources of a type',
        description: 'Everything of the type that the project may protect, ascending by id whatever `sort` says.',
        params: typePath,
        querystring: pageQuerySchema({ parameters }),
        response: answers(Type.Object({ instances: Type.Array(instanceSchema), instances_links: Type.Optional(linksSchema) })),
      },
    },
    async (request) => {
      const { caller, params, query } = request;
      const { marker } = query;
      const limit = readLimit(query, maxLimit);
      readSort(query, {});
      const all = await protectables.listInstances(caller, params.protectable_type, readParameters(query.parameters));
      // By comparison, so that paging goes on when the resource of the marker is gone.
      const items = all.filter((instance) => marker === undefined || instance.id > marker).slice(0, limit);
      return { instances: items.map(toInstanceJson), ...nextLink(request, 'instances_links', items, limit) };
    },
  );

  app.get(
    `${projectPath}/protectables/:protectable_type/instances/:instance_id`,
    {
      config: { rule: 'protectable:instance_get' },
      schema: {
        operationId: 'getProtectableInstance',
        tags,
        summary: 'Show a resource',
        description: 'One resource with what hangs under it.',
        params: pathSchema({ protectable_type: text, instance_id: text }),
        querystring: Type.Object({ parameters }),
        response: answers(Type.Object({ instance: instanceSchema }), 404),
      },
    },
    async ({ caller, params, query }) => {
      const { protectable_type: type, instance_id: id } = params;
      return { instance: toInstanceJson(await protectables.getInstance(caller, type, id, readParameters(query.parameters))) };
    },
  );
}

function readParameters(source: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (source === undefined) return undefined;
  const value = parseLiteral(source);
  if (isDictionary(value)) return value;
  throw new Fault('invalid', 'protectable.bad_parameters', 'parameters is no dictionary.', {
    help: "Write it as {'key': 'value'}.",
  });
}

function isDictionary(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
