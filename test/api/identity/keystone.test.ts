import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/api/identity/identity.ts';
import { createKeystoneIdentity } from '../../../src/api/identity/keystone.ts';
import { createKeystoneClient } from '../../../src/api/identity/keystone-client.ts';
import type { LogFields } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { createTestApi, type TestApi } from '../../kit/api.ts';
import { type FakeKeystone, startFakeKeystone } from '../../kit/fake-keystone.ts';

const day = Date.UTC(2031, 2, 9);
const token = 'user-token-canary';

let keystone: FakeKeystone;
let api: TestApi;
/** One server for all tests; each has an identity of its own, which remembers nothing. */
let identity: Identity;
const logged: LogFields[] = [];
const time = { wall: day, steady: 0 };
const clock = { now: () => time.wall, monotonic: () => time.steady };

beforeAll(async () => {
  keystone = await startFakeKeystone();
  const record = (_message: string, fields: LogFields = {}) => void logged.push(fields);
  const log = { ...silentLog, warn: record, error: record };
  api = await createTestApi({ identity: { identify: (request) => identity.identify(request) }, log });
});
afterAll(async () => {
  await api.app.close();
  await keystone.close();
});
beforeEach(() => {
  Object.assign(time, { wall: day, steady: 0 });
  Object.assign(keystone, { trouble: undefined });
  keystone.tokens.clear();
  keystone.tokens.set(token, { userId: 'u1', projectId: 'p1', roles: ['member'], expiresAt: day + 3_600_000 });
  keystone.asked.length = 0;
  logged.length = 0;
  ask({});
});

interface Asking {
  readonly account?: false;
  readonly password?: string;
  readonly timeoutMs?: number;
  readonly url?: string;
}

function ask({ account, password = keystone.password, timeoutMs = 60_000, url = keystone.url }: Asking): void {
  const own = { user: 'karri', password, project: 'service', userDomain: 'Default', projectDomain: 'Default' };
  const client = createKeystoneClient({ url, timeoutMs, clock, account: account === false ? undefined : own });
  identity = createKeystoneIdentity({ client, publicUrl: 'https://identity.example.test/v3', maxAgeMs: 60_000, clock });
}

const get = (given: string | null = token, url = '/v1/p1/plans') => api.call('GET', url, { token: given });

describe('a good token', () => {
  test.each<[string, Asking]>([
    ["asked about by the service's own user", {}],
    ['asked about with itself', { account: false }],
  ])('%s lets its user into its project', async (_how, options) => {
    ask(options);
    expect((await get()).statusCode).toBe(200);
    expect((await get(token, '/v1/p2/plans')).statusCode).toBe(400);
    expect(keystone.asked.filter((line) => line.startsWith('GET'))).toHaveLength(1);
  });

  test.each([
    ['reader', 403, 403],
    ['member', 400, 403],
    ['admin', 400, 400],
  ])('as %s may do what the rules say', async (role, create, administer) => {
    keystone.tokens.set(token, { userId: 'u1', projectId: 'p1', roles: [role], expiresAt: day + 1000 });
    expect((await api.call('POST', '/v1/p1/plans', { token, body: {} })).statusCode).toBe(create);
    const quota = await api.call('PUT', '/v1/p1/quotas/7f8a2b1490c34d778f2e3b6d1a55c9e0', { token, body: {} });
    expect(quota.statusCode).toBe(administer);
  });

  test('of no project is of no path', async () => {
    keystone.tokens.set(token, { userId: 'u1', roles: ['admin'], expiresAt: day + 1000 });
    expect((await get()).statusCode).toBe(400);
    expect((await get(token, '/v1//plans')).statusCode).toBeGreaterThanOrEqual(400);
  });

  test('no longer counts when its time is over, or when it is revoked and the delay has passed', async () => {
    keystone.tokens.set('short', { userId: 'u1', projectId: 'p1', roles: [], expiresAt: day + 10_000 });
    expect((await get('short')).statusCode).toBe(200);
    expect((await get()).statusCode).toBe(200);
    keystone.tokens.delete(token);
    Object.assign(time, { wall: day + 10_000, steady: 10_000 });
    expect((await get('short')).statusCode).toBe(401);
    expect((await get()).statusCode).toBe(200);
    Object.assign(time, { wall: day + 60_000, steady: 60_000 });
    expect((await get()).statusCode).toBe(401);
  });
});

describe('anything else', () => {
  test.each<[string, string | null]>([
    ['none', null],
    ['an unknown one', 'nonsense'],
    ['an oversized one', 'x'.repeat(9000)],
    ['one that is no text', 'a\u00e9b'],
  ])('%s is told where to get one', async (_what, given) => {
    const response = await get(given);
    expect([response.statusCode, response.headers['www-authenticate'], response.json()]).toEqual([
      401,
      'Keystone uri="https://identity.example.test/v3"',
      { error: { code: 401, title: 'Unauthorized', message: expect.any(String) } },
    ]);
    expect(keystone.asked.length).toBeLessThanOrEqual(given === 'nonsense' ? 2 : 0);
  });
});

describe('Keystone', () => {
  test.each<[string, FakeKeystone['trouble']]>([
    ['in trouble', 500],
    ['overloaded', 429],
    ['in maintenance', 503],
    ['that redirects', 'redirect'],
    ['that says something else', 'garbage'],
  ])('%s keeps everybody out with 503, and lets them in again after it', async (_how, trouble) => {
    keystone.trouble = trouble;
    expect((await get()).statusCode).toBe(503);
    keystone.trouble = undefined;
    expect((await get()).statusCode).toBe(200);
  });

  test('that hangs is not waited for', async () => {
    ask({ timeoutMs: 50 });
    keystone.trouble = 'hang';
    const response = await get();
    expect([response.statusCode, response.json().serviceUnavailable.message]).toEqual([503, expect.stringContaining('50 ms')]);
  });

  test('that is not there keeps everybody out, but those it has just spoken for', async () => {
    const gone = await startFakeKeystone();
    gone.tokens.set(token, { userId: 'u1', projectId: 'p1', roles: [], expiresAt: day + 3_600_000 });
    ask({ url: gone.url });
    expect((await get()).statusCode).toBe(200);
    await gone.close();
    expect((await get()).statusCode).toBe(200);
    expect((await get('another')).statusCode).toBe(503);
    Object.assign(time, { wall: day + 60_000, steady: 60_000 });
    expect((await get()).statusCode).toBe(503);
  });

  test('that took the token of the service back gives it a new one', async () => {
    await get();
    keystone.revokeService();
    keystone.tokens.set('second', { userId: 'u2', projectId: 'p1', roles: [], expiresAt: day + 1000 });
    expect((await get('second')).statusCode).toBe(200);
  });

  test("that does not know the service's user is told as such, without the password", async () => {
    ask({ password: 'wrong-canary' });
    const response = await get();
    expect([response.statusCode, response.json().serviceUnavailable.message]).toEqual([
      503,
      expect.stringContaining('refuses this service'),
    ]);
  });

  test('is asked over connections that are kept', async () => {
    keystone.sockets.clear();
    for (let n = 0; n < 10; n += 1) {
      keystone.tokens.set(`t${n}`, { userId: 'u', projectId: 'p1', roles: [], expiresAt: day + 1000 });
      await get(`t${n}`);
    }
    expect(keystone.asked).toHaveLength(11);
    expect(keystone.sockets.size).toBeLessThan(4);
  });

  test('in whatever trouble: no token and no password is logged', async () => {
    for (const trouble of [500, 'redirect', 'garbage'] as const) {
      keystone.trouble = trouble;
      await get();
    }
    expect(logged.length).toBeGreaterThanOrEqual(3);
    const text = JSON.stringify(logged, (_key, value) =>
      value instanceof Error ? { ...value, message: value.message, stack: value.stack, cause: value.cause } : value,
    );
    expect(text).not.toContain('canary');
  });
});
