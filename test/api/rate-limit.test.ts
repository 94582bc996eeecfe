import { expect, test } from 'vitest';
import { createRateLimit } from '../../src/api/rate-limit.ts';
import { createTestApi } from '../kit/api.ts';

function setUp(perSecond: number, capacity = 100) {
  let now = 0;
  const limit = createRateLimit({ perSecond, capacity, clock: { now: () => now, monotonic: () => now } });
  /** How many of 100 are let through. */
  const burst = (name: string): number => {
    for (let n = 0; n < 100; n += 1) {
      try {
        limit.take(name);
      } catch {
        return n;
      }
    }
    return 100;
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { limit, burst, pass };
}

test('five seconds of requests may come at once, then they come evenly', () => {
  const { limit, burst, pass } = setUp(4);
  expect(burst('a')).toBe(20);
  expect(() => limit.take('a')).toThrow(expect.objectContaining({ code: 'api.too_many_requests', details: { seconds: 1 } }));
  pass(250);
  expect(burst('a')).toBe(1);
  pass(1_000_000);
  expect(burst('a')).toBe(20);
});

test('one name does not count for another, and a look does not count', () => {
  const { limit, burst } = setUp(1);
  expect(burst('a')).toBe(5);
  for (let n = 0; n < 10; n += 1) limit.check('b');
  expect(burst('b')).toBe(5);
  expect(() => limit.check('b')).toThrow(expect.objectContaining({ code: 'api.too_many_requests' }));
});

test('of many names the one that was quiet for longest is forgotten', () => {
  const { burst } = setUp(1, 3);
  for (const name of ['a', 'b', 'c', 'd']) burst(name);
  expect(burst('d')).toBe(0);
  expect(burst('a')).toBe(5);
});

test('a caller that asks too often is told when to come again; another is not held up', async () => {
  const rateLimit = createRateLimit({ perSecond: 1, clock: { now: () => 0, monotonic: () => 0 } });
  const api = await createTestApi({ rateLimit });
  for (let n = 0; n < 5; n += 1) expect((await api.call('GET', '/v1/p1/plans')).statusCode).toBe(200);
  const response = await api.call('GET', '/v1/p1/plans');
  expect([response.statusCode, response.headers['retry-after'], response.json()]).toEqual([
    429,
    '1',
    { tooManyRequests: { code: 429, message: expect.stringContaining('Try again in 1 s.'), retryAfter: '1' } },
  ]);
  expect((await api.call('GET', '/v1/p1/plans', { token: 'other:p1' })).statusCode).toBe(200);
  expect((await api.call('GET', '/healthz')).statusCode).toBe(200);
  await api.app.close();
});

test('an address that sends bad tokens is not asked about for long', async () => {
  const rateLimit = createRateLimit({ perSecond: 1, clock: { now: () => 0, monotonic: () => 0 } });
  let asked = 0;
  const refusal = { status: 401, headers: {}, body: '{"error":{"code":401,"title":"","message":""}}' };
  const identity = {
    identify: () => {
      asked += 1;
      return refusal;
    },
  };
  const api = await createTestApi({ rateLimit, identity });
  const answers: number[] = [];
  for (let n = 0; n < 8; n += 1) answers.push((await api.call('GET', '/v1/p1/plans')).statusCode);
  expect([answers, asked]).toEqual([[401, 401, 401, 401, 401, 429, 429, 429], 5]);
  await api.app.close();
});
