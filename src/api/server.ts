import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply } from 'fastify';
import { Fault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Operations } from '../operations/contract.ts';
import type { Protection } from '../protection/contract.ts';
import { type Api, declareRoutes } from './declare.ts';
import { documentRoutes } from './document.ts';
import { toFaultAnswer, unknownEncoding } from './faults.ts';
import type { Identity } from './identity/identity.ts';
import { createPolicy, type Policy } from './policy.ts';
import type { RateLimit } from './rate-limit.ts';
import { addCheckpointRoutes } from './routes/checkpoints.ts';
import { addContentsRoutes } from './routes/contents.ts';
import { addCopyRoutes } from './routes/copies.ts';
import { addGarbageCollectionRoutes } from './routes/garbage-collections.ts';
import { addOperationLogRoutes } from './routes/operation-logs.ts';
import { addPlanRoutes } from './routes/plans.ts';
import { addProtectableRoutes } from './routes/protectables.ts';
import { addProviderRoutes } from './routes/providers.ts';
import { addQuotaRoutes } from './routes/quotas.ts';
import { addRestoreRoutes } from './routes/restores.ts';
import { addScheduledOperationRoutes } from './routes/scheduled-operations.ts';
import { addServiceRoutes, type Readiness } from './routes/service.ts';
import { addOsServiceRoutes } from './routes/services.ts';
import { addTriggerRoutes } from './routes/triggers.ts';
import { addVerificationRoutes } from './routes/verifications.ts';
import { createStreams } from './streams.ts';
import { addUnhandledRoutes, answerNoRoute, isBelowV1, refuseUnhandled } from './unknown-routes.ts';
import { createValidatorCompiler } from './validators.ts';

export interface ServerOptions {
  readonly protection: Protection;
  readonly operations: Operations;
  readonly identity: Identity;
  /** Default: the code's own rules. */
  readonly policy?: Policy;
  /** Of one user in one project, and of refused tokens from one address. Default: none. */
  readonly rateLimit?: RateLimit;
  readonly log: Log;
  readonly readiness: () => Promise<Readiness>;
  /** Most items on a page. */
  readonly maxLimit?: number;
  readonly maxBodyBytes?: number;
  /** Base of links in answers, in place of what the request was sent to; no slash at the end. */
  readonly baseUrl?: string;
  /** Believe `X-Forwarded-Host` and `X-Forwarded-Proto`. Only behind a proxy that sets them. */
  readonly trustProxyHeaders?: boolean;
}

/** The whole API, ready to listen or to be injected into. Close it with `close()`. */
export async function createServer(options: ServerOptions): Promise<Api> {
  const { protection, operations, log, readiness, maxLimit = 1000, maxBodyBytes = 1024 * 1024, baseUrl } = options;
  const app: Api = fastify({
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    // One hop: what a client itself puts into the headers is not believed.
    trustProxy: options.trustProxyHeaders ? (_address, hop) => hop === 0 : false,
    genReqId: () => `req-${randomUUID()}`,
    routerOptions: { maxParamLength: 500 },
    rewriteUrl: ({ url = '/' }) => withoutJsonSuffix(url),
    frameworkErrors: (error, request, reply) => {
      nameRequest(request.id, reply);
      sendFault(error, request.id, reply, log);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorateRequest('caller');
  app.decorateRequest('baseUrl', {
    getter() {
      return baseUrl ?? `${this.protocol}://${this.host}`;
    },
  });
  app.setValidatorCompiler(createValidatorCompiler(() => app.getSchemas()));
  app.setErrorHandler((error, request, reply) => sendFault(error, request.id, reply, log));
  app.setNotFoundHandler(answerNoRoute);
  app.addHook('onSend', (request, reply, _payload, done) => {
    nameRequest(request.id, reply);
    // JSON has no charset parameter, and Karbor sends none.
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8')
      void reply.header('content-type', 'application/json');
    done();
  });
  readBodies(app);

  declareRoutes(app);
  await documentRoutes(app);
  identifyCallers(app, options);
  addServiceRoutes(app, readiness);
  addProviderRoutes(app, protection, maxLimit);
  addProtectableRoutes(app, protection, maxLimit);
  addPlanRoutes(app, protection, maxLimit);
  addCheckpointRoutes(app, protection, maxLimit);
  addContentsRoutes(app, protection, createStreams(app, log), maxLimit);
  addCopyRoutes(app, protection);
  addGarbageCollectionRoutes(app, protection, maxLimit);
  addRestoreRoutes(app, protection, maxLimit);
  addVerificationRoutes(app, protection, maxLimit);
  addTriggerRoutes(app, operations, maxLimit);
  addScheduledOperationRoutes(app, operations, maxLimit);
  addOperationLogRoutes(app, protection, maxLimit);
  addQuotaRoutes(app, protection);
  addOsServiceRoutes(app, protection);
  addUnhandledRoutes(app);
  return app;
}

/** Who asks, whether the path is theirs, whether the rule lets them: before anything of the request is read. */
function identifyCallers(app: Api, { identity, policy = createPolicy(), rateLimit }: ServerOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    const { rule } = request.routeOptions.config;
    if (rule === 'open') return;
    if (request.is404 && !isBelowV1(request.url)) return answerNoRoute(request, reply);
    rateLimit?.check(`from ${request.ip}`);
    const found = await identity.identify(request);
    if ('status' in found) {
      rateLimit?.take(`from ${request.ip}`);
      return reply.code(found.status).headers(found.headers).send(found.body);
    }
    rateLimit?.take(`${found.projectId} ${found.userId}`);
    // Here, not in the handler: a path that is unknown is unknown whatever body came with it. The router would take the
    // nothing after a last slash for an id.
    if (request.is404 || pathOf(request.url).endsWith('/')) return answerNoRoute(request, reply);
    checkProject(request.params, found.projectId);
    if (rule === undefined) throw new Fault('forbidden', 'policy.no_rule', 'No policy rule covers this path.');
    if (rule === 'unhandled') refuseUnhandled();
    request.caller = policy.admit(rule, found);
  });
}

/** A token without a project has none that a path could name. */
function checkProject(params: unknown, projectId: string): void {
  if (
    projectId !== '' &&
    typeof params === 'object' &&
    params !== null &&
    'project_id' in params &&
    params.project_id === projectId
  )
    return;
  throw new Fault('invalid', 'api.foreign_project', 'Malformed request URL: the project of the path is not that of the token.');
}

function readBodies(app: Api): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const { 'content-encoding': encoding } = request.headers;
    if (encoding !== undefined && encoding !== 'identity') done(unknownEncoding(encoding));
    // An empty body fails the schema where there is one; a DELETE may well announce JSON and send nothing.
    else if (body === '') done(null, undefined);
    else void parse(request, body.toString(), done);
  });
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(
      new Fault('invalid', 'api.no_json', 'The body is not announced as JSON.', { help: 'Send Content-Type: application/json.' }),
    );
  });
}

function sendFault(error: unknown, requestId: string, reply: FastifyReply, log: Log): void {
  const { status, headers, body } = toFaultAnswer(error, requestId, log);
  // As bytes, so that no schema of the route gets between the fault and its reader, and no charset into its type.
  void reply.code(status).headers(headers).type('application/json').send(Buffer.from(body));
}

/** One id for one request under both of Karbor's names. */
function nameRequest(id: string, reply: FastifyReply): void {
  void reply.header('x-openstack-request-id', id).header('x-compute-request-id', id);
}

/** Every path below `/v1/` also answers with `.json` at its end. */
function withoutJsonSuffix(url: string): string {
  if (!url.startsWith('/v1/')) return url;
  const path = pathOf(url);
  return path.endsWith('.json') ? path.slice(0, -5) + url.slice(path.length) : url;
}

function pathOf(url: string): string {
  const question = url.indexOf('?');
  return question < 0 ? url : url.slice(0, question);
}
