import { type Static, type TSchema, Type } from 'typebox';
import { type KeystoneAnswer, type KeystoneClient, type KeystoneRequest, readAnswer } from '../api/identity/keystone-client.ts';
import { Fault } from '../base/faults.ts';

export interface CatalogueEntry {
  readonly region: string;
  /** Where the service answers, with no slash at the end. */
  readonly urls: Readonly<Record<'public' | 'internal' | 'admin', string>>;
}

const serviceType = 'data-protect';
const serviceName = 'karri';

const serviceSchema = Type.Object({ id: Type.String() });
const endpointSchema = Type.Object({ id: Type.String(), url: Type.String(), interface: Type.String() });

/**
 * Brings Keystone's catalogue to hold the service once, with the three endpoints of the region, and returns what was done:
 * nothing when it was there. Other regions are left as they are.
 * @throws conflict `keystone.ambiguous_service`; unavailable `keystone.refused` without an administrator's rights
 */
export async function registerService(client: KeystoneClient, { region, urls }: CatalogueEntry): Promise<string[]> {
  const done: string[] = [];
  const ask = async <Schema extends TSchema>(request: KeystoneRequest, schema: Schema): Promise<Static<Schema>> => {
    const answer = await client.sendAsService(request);
    if (answer.status >= 400) throw notDone(request, answer);
    return readAnswer(answer, schema);
  };

  const { services } = await ask(
    { method: 'GET', path: `/services?type=${serviceType}` },
    Type.Object({ services: Type.Array(serviceSchema) }),
  );
  if (services.length > 1) {
    const ids = services.map(({ id }) => id).join(', ');
    throw new Fault('conflict', 'keystone.ambiguous_service', `There are several services of type ${serviceType}: ${ids}.`, {
      help: 'Delete all but one of them.',
    });
  }
  let service = services[0];
  if (service === undefined) {
    const body = { service: { type: serviceType, name: serviceName, description: 'Data protection and migration' } };
    ({ service } = await ask({ method: 'POST', path: '/services', body }, Type.Object({ service: serviceSchema })));
    done.push(`made the service ${serviceType}, ${service.id}`);
  }

  const query = new URLSearchParams({ service_id: service.id, region_id: region });
  const { endpoints } = await ask(
    { method: 'GET', path: `/endpoints?${query}` },
    Type.Object({ endpoints: Type.Array(endpointSchema) }),
  );
  for (const [kind, base] of Object.entries(urls)) {
    const url = `${base}/v1/%(project_id)s`;
    const known = endpoints.find((endpoint) => endpoint.interface === kind);
    if (known?.url === url) continue;
    // `region`, not `region_id`: Keystone then makes a region that is not there.
    const endpoint = { service_id: service.id, interface: kind, url, region };
    if (known === undefined) await ask({ method: 'POST', path: '/endpoints', body: { endpoint } }, Type.Object({}));
    else await ask({ method: 'PATCH', path: `/endpoints/${known.id}`, body: { endpoint: { url } } }, Type.Object({}));
    done.push(`${known === undefined ? 'made' : 'changed'} the ${kind} endpoint of ${region}, ${url}`);
  }
  return done;
}

function notDone({ method, path }: KeystoneRequest, { status }: KeystoneAnswer): Fault {
  return new Fault('conflict', 'keystone.not_done', `Keystone answers ${status} to ${method} ${path}.`);
}
