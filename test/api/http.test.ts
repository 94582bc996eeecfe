import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { providerId } from '../kit/fake-protection.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());

const fault = (name: string, code: number, message: unknown = expect.any(String)) => ({ [name]: { code, message } });
const requestId = expect.stringMatching(/^req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);

describe('versions', () => {
  const entry = { id: 'v1.0', status: 'CURRENT', links: [{ rel: 'self', href: 'http://localhost:80/v1/' }] };

  test.each(['/', '/anything/else', '/v2/p1/plans'])('GET %s shows them with 300', async (url) => {
    const response = await api.call('GET', url, { token: null });
    expect(response.statusCode).toBe(300);
    expect(response.json()).toEqual({ versions: [entry] });
  });

  test.each(['/v1', '/v1/'])('GET %s shows the one', async (url) => {
    const response = await api.call('GET', url, { token: null });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ version: entry });
  });
});

describe('what is about the process', () => {
  test('alive and ready', async () => {
    expect((await api.call('GET', '/healthz', { token: null })).json()).toEqual({ status: 'ok' });
    const ready = await api.call('GET', '/readyz', { token: null });
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: 'ready', checks: { database: 'ok' } }]);
  });

  test('not ready is 503', async () => {
    const other = await createTestApi({ readiness: async () => ({ ready: false, checks: { database: 'down' } }) });
    const response = await other.call('GET', '/readyz');
    expect([response.statusCode, response.json()]).toEqual([503, { status: 'not ready', checks: { database: 'down' } }]);
    await other.app.close();
  });

  test('document and page are public', async () => {
    expect((await api.call('GET', '/openapi.json', { token: null })).json().openapi).toBe('3.1.0');
    const page = await api.call('GET', '/docs', { token: null });
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect((await api.call('GET', '/docs/json', { token: null })).json().openapi).toBe('3.1.0');
    expect((await api.call('GET', '/docs/static/swagger-ui-bundle.js', { token: null })).statusCode).toBe(200);
  });
});

describe('identity without authentication', () => {
  test('a request without a token is told one', async () => {
    const response = await api.call('GET', '/v1/p1/plans', { token: null });
    expect(response.statusCode).toBe(204);
    expect(response.payload).toBe('');
    expect(response.headers['x-auth-token']).toBe('admin:admin');
    expect(response.headers['x-server-management-url']).toBe('http://localhost:80/v1/admin');
  });

  test('it is made from user and project', async () => {
    const headers = { 'x-auth-user': 'ann', 'x-auth-project-id': 'p7' };
    const response = await api.call('GET', '/v1/p7/nothing', { token: null, headers });
    expect(response.headers['x-auth-token']).toBe('ann:p7');
    expect(response.headers['x-server-management-url']).toBe('http://localhost:80/v1/p7');
  });

  test.each([
    ['ann:p1', 'p1'],
    ['p1', 'p1'],
    ['p1:', 'p1'],
    ['ann:p:1', 'p:1'],
  ])('token %s belongs to project %s', async (token, project) => {
    expect((await api.call('GET', `/v1/${project}/plans`, { token })).statusCode).toBe(200);
    const foreign = await api.call('GET', '/v1/p2/plans', { token });
    expect([foreign.statusCode, foreign.json()]).toEqual([
      400,
      fault('badRequest', 400, expect.stringContaining('Malformed request URL')),
    ]);
  });

  test('headers that clients send do no harm', async () => {
    const headers = {
      'x-auth-user': 'a',
      'x-auth-key': 'b',
      'x-auth-url': 'c',
      'x-region-name': 'd',
      'x-configuration-session': 'e',
      'x-openstack-request-id': 'req-mine',
      'user-agent': 'python-karborclient',
      accept: '*/*',
      'content-type': 'application/json',
    };
    const response = await api.call('GET', '/v1/p1/plans', { headers });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-openstack-request-id']).toEqual(requestId);
  });
});

describe('every answer', () => {
  test.each(['/', '/v1/p1/plans', '/v1/p1/plans/x', '/v1/p1/none', '/v1/p1/plans/new', '/v1/p2/plans', '/v1/p1/%zz'])(
    'of GET %s carries request ids',
    async (url) => {
      const { headers } = await api.call('GET', url);
      expect(headers['x-openstack-request-id']).toEqual(requestId);
      expect(headers['x-compute-request-id']).toEqual(requestId);
    },
  );

  test.each(['/v1/p1/plans', '/v1/p1/plans/x', '/v1/p1/%zz'])('of GET %s is bare application/json', async (url) => {
    expect((await api.call('GET', url)).headers['content-type']).toBe('application/json');
  });
});

describe('paths', () => {
  test.each(['/v1/p1/plans.json', '/v1/p1/providers.json?name=north', `/v1/p1/providers/${providerId}.json`])(
    '%s answers like the one without .json',
    async (url) => {
      const response = await api.call('GET', url);
      expect([response.statusCode, response.json()]).toEqual([200, (await api.call('GET', url.replace('.json', ''))).json()]);
    },
  );

  test.each([
    ['GET', '/v1/p1'],
    ['GET', '/v1/p1/'],
    ['GET', '/v1/p1/plans/'],
    ['GET', '/v1/p1/plans/?limit=1'],
    ['GET', '/v1/p1/unknown'],
    ['POST', '/v1/p1/plans/c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25'],
    ['PATCH', '/v1/p1/plans/c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25'],
    ['DELETE', '/v1/p1/plans'],
    ['POST', '/elsewhere'],
  ] as const)('%s %s is no route: 404 in text', async (method, url) => {
    const response = await api.call(method, url, method === 'POST' ? { body: 'not json' } : {});
    expect([response.statusCode, response.headers['content-type']]).toEqual([404, expect.stringContaining('text/plain')]);
  });

  test.each([
    ['PUT', '/v1/p1/restores/4b7e9f60-0d31-4a57-8a0c-92f4c1d7e833'],
    ['DELETE', '/v1/p1/restores/4b7e9f60-0d31-4a57-8a0c-92f4c1d7e833'],
    ['GET', '/v1/p1/quotas'],
    ['PUT', '/v1/p1/scheduled_operations/4b7e9f60-0d31-4a57-8a0c-92f4c1d7e833'],
    ['GET', '/v1/p1/os-services/3'],
    ['POST', '/v1/p1/plans/c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25/action'],
    ['GET', '/v1/p1/plans/new'],
    ['POST', '/v1/p1/operation_logs'],
    ['GET', '/v1/p1/triggers/new'],
  ] as const)('%s %s is generated and unhandled: 404 in JSON', async (method, url) => {
    const response = await api.call(method, url, method === 'GET' || method === 'DELETE' ? {} : { body: 'not json' });
    expect([response.statusCode, response.json()]).toEqual([404, fault('itemNotFound', 404)]);
  });

  test('of another project is refused before it is looked at', async () => {
    expect((await api.call('GET', '/v1/p2/quotas')).statusCode).toBe(400);
  });
});

describe('bodies', () => {
  const url = '/v1/p1/plans';
  const send = async (body: string | undefined, headers: Record<string, string>) => {
    const response = await api.call('POST', url, body === undefined ? { headers } : { body, headers });
    return [response.statusCode, response.json()];
  };

  test.each<[string, string | undefined, Record<string, string>, string]>([
    ['malformed', '{"plan": ', {}, 'badRequest'],
    ['empty', '', { 'content-type': 'application/json' }, 'badRequest'],
    ['missing', undefined, {}, 'badRequest'],
    ['not announced as JSON', '{}', { 'content-type': 'text/plain' }, 'badRequest'],
    ['null', 'null', {}, 'badRequest'],
    ['a list', '[]', {}, 'badRequest'],
    ['a text', '"plan"', {}, 'badRequest'],
    ['without the wrapper', '{"name": "x"}', {}, 'badRequest'],
    ['reaching for a prototype', '{"plan": {}, "__proto__": {}}', {}, 'badRequest'],
  ])('%s: 400', async (_name, body, headers, name) => {
    expect(await send(body, headers)).toEqual([400, fault(name, 400)]);
  });

  test('with no announced type at all: 400', async () => {
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.app.server.address() as { port: number };
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(
          `POST ${url} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: admin:p1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
        );
      });
      let text = '';
      socket.on('data', (piece) => {
        text += piece;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('{"badRequest":{"code":400,"message":"The body is not announced as JSON.');
  });

  test('another key beside the wrapper is named', async () => {
    expect(await send('{"plan": {}, "extra": 1, "type": 2}', {})).toEqual([
      400,
      fault('badRequest', 400, expect.stringContaining('extra, type')),
    ]);
  });

  test('too large: 413, with no invitation to try again', async () => {
    const small = await createTestApi({ maxBodyBytes: 100 });
    const response = await small.call('POST', url, { body: { plan: { name: 'x'.repeat(100) } } });
    expect([response.statusCode, response.json(), response.headers['retry-after']]).toEqual([
      413,
      fault('overLimit', 413),
      undefined,
    ]);
    await small.app.close();
  });

  test('compressed: 415', async () => {
    const response = await api.app.inject({
      method: 'POST',
      url,
      headers: { 'x-auth-token': 'admin:p1', 'content-type': 'application/json', 'content-encoding': 'gzip' },
      payload: gzipSync('{}'),
    });
    expect([response.statusCode, response.json()]).toEqual([415, fault('badMediaType', 415)]);
  });

  test('a DELETE may announce JSON and send nothing', async () => {
    const response = await api.call('DELETE', `${url}/c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25`, {
      headers: { 'content-type': 'application/json' },
    });
    expect(response.statusCode).toBe(404);
  });
});

describe('trouble behind the API', () => {
  const raise = (error: unknown) => {
    api.protection.plans.get = async () => {
      throw error;
    };
    return api.call('GET', '/v1/p1/plans/c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25');
  };

  test('a bank that is away is 503', async () => {
    const response = await raise(new Fault('unavailable', 'bank.away', 'The bank does not answer.', { help: 'Try later.' }));
    expect([response.statusCode, response.json()]).toEqual([
      503,
      fault('serviceUnavailable', 503, 'The bank does not answer. Try later.'),
    ]);
    expect(api.errors).toEqual([]);
  });

  test('a defect is 500, is logged, and shows nothing of the inside', async () => {
    const response = await raise(new TypeError('cannot read /secret/path'));
    expect(response.statusCode).toBe(500);
    expect(response.payload).not.toContain('secret');
    expect(response.json().computeFault.message).toContain(response.headers['x-openstack-request-id']);
    expect(api.errors).toHaveLength(1);
  });
});

describe('where links lead', () => {
  const self = async (options: Parameters<typeof createTestApi>[0], headers: Record<string, string>) => {
    const other = await createTestApi(options);
    const response = await other.call('GET', '/v1', { headers });
    await other.app.close();
    return response.json().version.links[0].href;
  };
  const forwarded = { host: 'dp.example.test:8799', 'x-forwarded-host': 'front.example.test', 'x-forwarded-proto': 'https' };

  test('to where the request was sent, to the proxy if it is believed, or to what is configured', async () => {
    expect(await self({}, forwarded)).toBe('http://dp.example.test:8799/v1/');
    expect(await self({ trustProxyHeaders: true }, forwarded)).toBe('https://front.example.test/v1/');
    expect(await self({ baseUrl: 'https://cloud.test/karri', trustProxyHeaders: true }, forwarded)).toBe(
      'https://cloud.test/karri/v1/',
    );
  });
});
