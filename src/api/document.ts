import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { canonicalJson } from '../base/canonical-json.ts';
import type { Api } from './declare.ts';
import { addExamples, type ExampleDocument } from './examples.ts';

const tags = [
  { name: 'providers', description: 'Banks with the protection plugins configured for them.' },
  { name: 'protectables', description: 'What can be protected.' },
  { name: 'plans', description: 'Which resources go into which provider.' },
  { name: 'checkpoints', description: 'What a protect left in the bank.' },
  { name: 'contents', description: 'Files and bytes of a checkpoint, without a restore.' },
  { name: 'garbage_collections', description: 'What nothing needs any more, taken out of the banks; for administrators.' },
  { name: 'copies', description: 'Checkpoints put into another provider as well.' },
  { name: 'restores', description: 'Checkpoints brought back, here or on another cloud.' },
  { name: 'verifications', description: 'Checkpoints read back from the bank and compared.' },
  { name: 'triggers', description: 'When something is to happen.' },
  { name: 'scheduled_operations', description: 'What happens when a trigger strikes, and what it kept and let go.' },
  { name: 'operation_logs', description: 'What was done, and how it ended.' },
  { name: 'quotas', description: 'How much a project may have.' },
  { name: 'services', description: 'The processes that make up the service; for administrators.' },
  { name: 'service', description: 'Versions, health and this document; no token needed.' },
];

/** Watches the routes that are added after it, and serves the page at `/docs`. */
export async function documentRoutes(app: Api): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Karri',
        version: '1.0.0',
        description: "Data protection and migration. OpenStack Karbor's REST API v1, with additions beside it.",
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags,
      components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
      security: [{ token: [] }],
    },
    // Components keep the names that the schemas have.
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => (typeof json.$id === 'string' ? json.$id : `schema-${index}`),
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      addExamples(document.openapiObject as ExampleDocument);
      return document.openapiObject;
    },
    // The rule is what an operator looks for who writes a policy file.
    transform: ({ schema, url, route }) => {
      const rule = route.config?.rule;
      return { url, schema: rule === 'open' ? { ...schema, security: [] } : { ...schema, 'x-policy-rule': rule } };
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
}

/** The OpenAPI document of a server that is ready. Sorted keys: it changes only where the routes do. */
export function buildDocument(app: Api): Readonly<Record<string, unknown>> {
  return JSON.parse(canonicalJson(app.swagger()));
}
