import { type Static, Type } from 'typebox';
import { freeObject, textMap } from '../../model/schema.ts';
import type { Api } from '../declare.ts';
import { buildDocument } from '../document.ts';

/** Whether requests can be served now: each thing that is needed, and in a word how it is. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

const versionSchema = Type.Object(
  { id: Type.String(), status: Type.String(), links: Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })) },
  { $id: 'Version' },
);

/** The one version there is. */
export function versionEntry(baseUrl: string): Static<typeof versionSchema> {
  return { id: 'v1.0', status: 'CURRENT', links: [{ rel: 'self', href: `${baseUrl}/v1/` }] };
}

const readinessMembers = { status: Type.String({ enum: ['ready', 'not ready'] }), checks: textMap };

const success = { description: 'Success.' };

const tags = ['service'];

/** What needs no caller: versions, health and the document of all the others. */
export function addServiceRoutes(app: Api, readiness: () => Promise<Readiness>): void {
  app.get(
    '/',
    {
      config: { rule: 'open' },
      schema: {
        operationId: 'listVersions',
        tags,
        summary: 'List versions',
        description: 'Answered with 300, as Karbor means it; any other path outside /v1 answers the same.',
        response: { 300: Type.Object({ versions: Type.Array(versionSchema) }, { description: 'The choice there is.' }) },
      },
    },
    async (request, reply) => reply.code(300).send({ versions: [versionEntry(request.baseUrl)] }),
  );

  for (const path of ['/v1', '/v1/']) {
    app.get(
      path,
      {
        config: { rule: 'open' },
        schema: {
          operationId: 'getVersion',
          hide: path === '/v1/',
          tags,
          summary: 'Show the version',
          description: 'The entry of version 1.',
          response: { 200: Type.Object({ version: versionSchema }, success) },
        },
      },
      async (request) => ({ version: versionEntry(request.baseUrl) }),
    );
  }

  app.get(
    '/healthz',
    {
      config: { rule: 'open' },
      schema: {
        operationId: 'getHealth',
        tags,
        summary: 'Is the process alive',
        description: 'Says yes whenever it can say anything.',
        response: { 200: Type.Object({ status: Type.Literal('ok') }, success) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      config: { rule: 'open' },
      schema: {
        operationId: 'getReadiness',
        tags,
        summary: 'Can requests be served',
        description: 'Each thing that the service needs, and how it is; 503 while one is missing.',
        response: {
          200: Type.Object(readinessMembers, success),
          503: Type.Object(readinessMembers, { description: 'Not yet, or no longer.' }),
        },
      },
    },
    async (_request, reply) => {
      const { ready, checks } = await readiness();
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
    },
  );

  let document: ReturnType<typeof buildDocument> | undefined;
  app.get(
    '/openapi.json',
    {
      config: { rule: 'open' },
      schema: {
        operationId: 'getDocument',
        tags,
        summary: 'Show this document',
        description: 'OpenAPI 3.1, written from the routes.',
        response: { 200: Type.Unsafe<Readonly<Record<string, unknown>>>({ ...freeObject, ...success }) },
      },
    },
    async () => {
      document ??= buildDocument(app);
      return document;
    },
  );
}
