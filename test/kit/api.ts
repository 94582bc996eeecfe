import { isDeepStrictEqual } from 'node:util';
import type { Ajv, ValidateFunction } from 'ajv';
import type { FastifyRequest, LightMyRequestResponse } from 'fastify';
import type { Api } from '../../src/api/declare.ts';
import type { Identity } from '../../src/api/identity/identity.ts';
import { createNoauthIdentity } from '../../src/api/identity/noauth.ts';
import { createServer, type ServerOptions } from '../../src/api/server.ts';
import { createAjv } from '../../src/api/validators.ts';
import type { Log, LogFields } from '../../src/base/log.ts';
import { silentLog } from '../../src/base/log.ts';
import { createFakeOperations } from './fake-operations.ts';
import { createFakeProtection, type FakeProtection } from './fake-protection.ts';

export interface CallOptions {
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `admin:p1`; a user whose name starts with `member` is no administrator. Null: none. */
  readonly token?: string | null;
}

export interface TestApi {
  readonly app: Api;
  readonly protection: FakeProtection;
  /** What was logged as an error. */
  readonly errors: LogFields[];
  /** Sends a request. Throws when the answer is not what its route declares. */
  call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'HEAD',
    url: string,
    options?: CallOptions,
  ): Promise<LightMyRequestResponse>;
}

export async function createTestApi(options: Partial<ServerOptions> = {}): Promise<TestApi> {
  const protection = createFakeProtection();
  const errors: LogFields[] = [];
  const log: Log = { ...silentLog, error: (_message, fields = {}) => errors.push(fields) };
  const readiness = async () => ({ ready: true, checks: { database: 'ok' } });
  const app = await createServer({
    protection,
    operations: createFakeOperations(protection),
    identity: createTestIdentity(),
    log,
    readiness,
    ...options,
  });
  const problems = watchAnswers(app);
  return {
    app,
    protection,
    errors,
    async call(method, url, { body, headers = {}, token = 'admin:p1' } = {}) {
      const response = await app.inject({
        method,
        url,
        headers: {
          ...(token === null ? {} : { 'x-auth-token': token }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      if (problems.length > 0) throw new Error(`${method} ${url}: ${problems.splice(0).join('; ')}`);
      return response;
    },
  };
}

function createTestIdentity(): Identity {
  const noauth = createNoauthIdentity();
  return {
    async identify(request) {
      const found = await noauth.identify(request);
      return 'status' in found || !found.userId.startsWith('member') ? found : { ...found, roles: ['member'] };
    },
  };
}

/** Every answer of a declared route is held against its schema, and against what the handler gave: nothing may be lost. */
function watchAnswers(app: Api): string[] {
  const problems: string[] = [];
  const given = new WeakMap<FastifyRequest, unknown>();
  const validators = new Map<object, ValidateFunction>();
  let ajv: Ajv | undefined;
  const validatorOf = (schema: object): ValidateFunction => {
    ajv ??= createAjv(app.getSchemas(), false);
    const validate = validators.get(schema) ?? ajv.compile(schema);
    validators.set(schema, validate);
    return validate;
  };
  app.addHook('preSerialization', async (request, _reply, payload) => {
    given.set(request, payload);
    return payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { config, schema } = request.routeOptions;
    if (config.rule === undefined || schema?.hide || reply.statusCode === 204) return payload;
    const type = String(reply.getHeader('content-type') ?? '');
    if (type === 'text/plain') return payload;
    const declared: unknown =
      Object(schema?.response)[reply.statusCode] ?? (reply.statusCode === 500 ? { $ref: 'ComputeFault#' } : undefined);
    if (typeof declared !== 'object' || declared === null) {
      problems.push(`status ${reply.statusCode} is not declared`);
      return payload;
    }
    // Bytes have no shape; their type is declared, or nothing comes.
    if ('content' in declared ? type in Object(declared.content) : reply.statusCode === 304) return payload;
    const text = Buffer.isBuffer(payload) ? payload.toString() : String(payload);
    const answer: unknown = text === '' ? null : JSON.parse(text);
    const validate = validatorOf(declared);
    if (!validate(answer)) problems.push(`the answer breaks its schema: ${ajv?.errorsText(validate.errors)}`);
    const before = given.get(request);
    if (before !== undefined && !isDeepStrictEqual(JSON.parse(JSON.stringify(before)), answer)) {
      problems.push(`the serializer changed ${JSON.stringify(before)} into ${text}`);
    }
    return payload;
  });
  return problems;
}
