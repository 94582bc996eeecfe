import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault, RouteOptions } from 'fastify';
import { type TProperties, type TSchema, Type } from 'typebox';
import { Fault } from '../base/faults.ts';
import type { Caller } from '../model/caller.ts';
import { type FaultStatus, faultSchemas } from './faults.ts';
import type { PolicyRule } from './policy.ts';

export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The policy rule of the route; `open` needs no caller; `unhandled` is a route that Karbor has and answers with 404. */
    rule?: PolicyRule | 'open' | 'unhandled';
  }
  interface FastifyRequest {
    caller: Caller;
    /** Scheme and host of links in answers, with no slash at the end. */
    readonly baseUrl: string;
  }
}

/** Where everything that belongs to a project lives. */
export const projectPath = '/v1/:project_id';

const projectId = Type.String({ description: "The project; it has to be the token's." });

export function pathSchema<P extends TProperties>(members: P) {
  return Type.Object({ project_id: projectId, ...members });
}

/** The answers of a route: what 200 holds, the faults that every route of a project can have, and its own. */
export function answers<Ok extends TSchema>(ok: Ok, ...faults: FaultStatus[]): { 200: Ok } {
  return { 200: { description: 'Success.', ...ok }, ...faultAnswers(faults) };
}

/** The answers of a route that sends bytes; `ranged`: parts of them too, or none that the client has already. */
export function bytesAnswers(mediaType: string, ranged: boolean, ...faults: FaultStatus[]): Readonly<Record<number, unknown>> {
  const content = { [mediaType]: { schema: { type: 'string', format: 'binary' } } };
  const parts = {
    206: { description: 'The part that was asked for.', content },
    304: { type: 'null', description: 'The client has these bytes already.' },
  };
  return { 200: { description: 'The bytes.', content }, ...(ranged ? parts : {}), ...faultAnswers(faults) };
}

function faultAnswers(faults: readonly FaultStatus[]): Readonly<Record<string, unknown>> {
  const statuses = [...new Set<FaultStatus>([400, 401, 403, 429, 503, ...faults])].sort();
  return Object.fromEntries(statuses.map((status) => [status, faultSchemas.get(status)]));
}

/** What any route with a body can answer: too much of it (or of what a quota allows), or encoded. */
const bodyFaults = { 413: faultSchemas.get(413), 415: faultSchemas.get(415) };

/** 200 with nothing in it: the handler sets the content type and returns no text. */
export const emptyBody = Type.Unsafe<''>({ type: 'null', description: 'Done; the body is empty.' });

/**
 * Watches every route that is added: one that is not fully declared stops the boot. Each schema with an `$id` becomes a
 * shared one, with a reference where it stood; so types flow from the objects, and the document has each noun once.
 */
export function declareRoutes(app: Api): void {
  const known = new Map<string, string>();

  function share(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map(share);
    if (typeof schema !== 'object' || schema === null) return schema;
    const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, data.has(key) ? value : share(value)]));
    const { $id } = copy;
    if (typeof $id !== 'string') return copy;
    const content = JSON.stringify(copy);
    const earlier = known.get($id);
    if (earlier === undefined) {
      known.set($id, content);
      app.addSchema(copy);
    } else if (earlier !== content) {
      throw new Fault('internal', 'api.schema_clash', `Two different schemas are called ${$id}.`, {
        help: 'Rename one of them.',
      });
    }
    return { $ref: `${$id}#` };
  }

  app.addHook('onRoute', (route) => {
    if (route.url === '/docs' || route.url.startsWith('/docs/')) {
      // The page's own routes; all of it is public.
      route.config = { ...route.config, rule: 'open' };
      return;
    }
    checkDeclared(route);
    const { schema } = route;
    if (schema === undefined) return;
    if (schema.body !== undefined) schema.response = { ...Object(schema.response), ...bodyFaults };
    for (const part of ['params', 'querystring', 'body', 'response'] as const) {
      if (schema[part] !== undefined) schema[part] = share(schema[part]);
    }
  });
}

/** Keywords whose values are data, not schemas. */
const data: ReadonlySet<string> = new Set(['examples', 'enum', 'const', 'default']);

function checkDeclared({ method, url, schema, config }: RouteOptions): void {
  if (config?.rule === 'unhandled') return;
  const { operationId, summary, description, tags, response } = schema ?? {};
  if (config?.rule && operationId && summary && description && tags?.length && response) return;
  throw new Fault('internal', 'api.undeclared_route', `${method} ${url} is not declared in full.`, {
    help: 'Give it a rule, operationId, summary, description, tags and answers.',
  });
}
