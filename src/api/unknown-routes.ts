import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../base/faults.ts';
import { type Api, projectPath } from './declare.ts';
import { versionEntry } from './routes/service.ts';

const nouns = [
  'providers',
  'protectables',
  'plans',
  'restores',
  'verifications',
  'triggers',
  'scheduled_operations',
  'operation_logs',
  'quotas',
  'quota_classes',
  'os-services',
];

const generated = [
  ['GET', ''],
  ['POST', ''],
  ['GET', '/new'],
  ['GET', '/:id'],
  ['PUT', '/:id'],
  ['DELETE', '/:id'],
  ['GET', '/:id/edit'],
  ['POST', '/:id/action'],
] as const;

/**
 * Karbor's router makes the same set of routes for every noun; those that nobody handles answer with a JSON 404, all
 * other unknown ones with text. To be called when all real routes stand.
 */
export function addUnhandledRoutes(app: Api): void {
  for (const noun of nouns) {
    for (const [method, rest] of generated) {
      const url = `${projectPath}/${noun}${rest}`;
      if (app.hasRoute({ method, url })) continue;
      app.route({ method, url, config: { rule: 'unhandled' }, schema: { hide: true }, handler: refuseUnhandled });
    }
  }
}

/** @throws not-found `api.unhandled`, always */
export function refuseUnhandled(): never {
  throw new Fault('not-found', 'api.unhandled', 'The resource could not be found.');
}

/** Below `/v1` a text 404; a GET of anything else shows the versions. */
export function answerNoRoute(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (request.method === 'GET' && !isBelowV1(request.url))
    return reply.code(300).send({ versions: [versionEntry(request.baseUrl)] });
  return reply.code(404).type('text/plain').send('404 Not Found: there is no such path or method here.\n');
}

export function isBelowV1(url: string): boolean {
  return url.startsWith('/v1/') || url === '/v1' || url.startsWith('/v1?');
}
