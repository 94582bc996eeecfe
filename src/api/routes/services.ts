import { Type } from 'typebox';
import { serviceChangeSchema, serviceSchema, toServiceJson } from '../../model/service.ts';
import type { Protection } from '../../protection/contract.ts';
import { type Api, answers, pathSchema, projectPath } from '../declare.ts';
import { filterText } from '../paging.ts';

const tags = ['services'];

/** Karbor's list of processes; not to be mixed up with `service.ts`, the routes that need no caller. */
export function addOsServiceRoutes(app: Api, { services }: Protection): void {
  app.get(
    `${projectPath}/os-services`,
    {
      config: { rule: 'service:get_all' },
      schema: {
        operationId: 'listServices',
        tags,
        summary: 'List the processes of the service',
        description: 'Workers are `karbor-protection`, schedulers `karbor-operationengine`; all of them, on one page.',
        params: pathSchema({}),
        querystring: Type.Object({ host: filterText('The host, exactly.'), binary: filterText('The binary, exactly.') }),
        response: answers(Type.Object({ services: Type.Array(serviceSchema) })),
      },
    },
    async ({ query }) => ({ services: (await services.list(query)).map(toServiceJson) }),
  );

  app.put(
    `${projectPath}/os-services/:service_id`,
    {
      config: { rule: 'service:update' },
      schema: {
        operationId: 'updateService',
        tags,
        summary: 'Enable or disable a scheduler',
        description:
          'The body has no wrapper. Only a `karbor-operationengine` can be switched; a disabled one starts nothing on schedule. A status that is neither changes nothing.',
        params: pathSchema({ service_id: Type.String({ description: 'The number of the service.' }) }),
        body: serviceChangeSchema,
        response: answers(Type.Object({ service: serviceSchema }), 404),
      },
    },
    async ({ params, body: { status, disabled_reason } }) => {
      const change = {
        ...(status !== undefined && { status }),
        ...(disabled_reason !== undefined && { disabledReason: disabled_reason }),
      };
      return { service: toServiceJson(await services.update(params.service_id, change)) };
    },
  );
}
