import { describe, expect, test } from 'vitest';
import { createClient, KarriFault, KarriUnreachable } from '../../src/client/client.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly token: string | null;
  readonly body: unknown;
}

/** A client whose service gives the answers in turn; an Error among them is a connection that breaks. */
function clientOf(...answers: (Response | Error)[]) {
  const seen: Seen[] = [];
  const client = createClient({
    url: 'http://karri.test/',
    projectId: 'p 1',
    token: async () => 'secret',
    retry: { tries: 3, firstWaitMs: 1 },
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers);
      const body = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined;
      seen.push({ method: init?.method ?? '', url: String(url), token: headers.get('x-auth-token'), body });
      const answer = answers.shift() ?? new Error('There are no more answers.');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  return { client, seen };
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });
const busy = (retryAfter?: string): Response =>
  json(
    { serviceUnavailable: { code: 503, message: 'Later.' } },
    503,
    retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  );
const newPlan = { name: 'n', provider_id: 'x', resources: [], parameters: {} };

describe('a call', () => {
  test('goes to the place of its operation, with the token and what was given', async () => {
    const { client, seen } = clientOf(json({ plan: { id: '1' } }), json({ plans: [] }));
    expect(await client.createPlan({ body: { plan: newPlan } })).toEqual({ plan: { id: '1' } });
    await client.listPlans({ path: { project_id: 'other' }, query: { limit: 2, name: 'a&b' } });
    expect(seen).toEqual([
      { method: 'POST', url: 'http://karri.test/v1/p%201/plans', token: 'secret', body: { plan: newPlan } },
      { method: 'GET', url: 'http://karri.test/v1/other/plans?limit=2&name=a%26b', token: 'secret', body: undefined },
    ]);
  });

  test('gives nothing for an empty answer, and bytes as they come', async () => {
    const { client } = clientOf(new Response(''), new Response('bytes'));
    expect(await client.deletePlan({ path: { plan_id: '1' } })).toBeUndefined();
    const file = await client.getContentsFile({
      path: { provider_id: 'a', checkpoint_id: 'b', resource_id: 'c' },
      query: { path: 'd' },
    });
    expect(await file.text()).toBe('bytes');
  });

  test('throws the fault that the service told, or what a proxy said', async () => {
    const told = json({ itemNotFound: { code: 404, message: 'Plan 1 could not be found.' } }, 404, {
      'x-openstack-request-id': 'req-1',
    });
    const { client } = clientOf(told, new Response('<html>', { status: 502 }));
    const first = await client.getPlan({ path: { plan_id: '1' } }).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(KarriFault);
    expect(first).toMatchObject({
      status: 404,
      fault: 'itemNotFound',
      message: 'Plan 1 could not be found.',
      requestId: 'req-1',
    });
    await expect(client.listPlans()).rejects.toMatchObject({ status: 502, fault: 'unknown', message: '<html>' });
  });
});

describe('a call is tried again', () => {
  test('after no answer and "not now", when it may be sent twice', async () => {
    const { client, seen } = clientOf(new Error('reset'), busy(), json({ plans: [] }));
    expect(await client.listPlans()).toEqual({ plans: [] });
    expect(seen).toHaveLength(3);
  });

  test('never when the service may have done it', async () => {
    const broken = clientOf(new Error('reset'), json({}));
    await expect(broken.client.createPlan({ body: { plan: newPlan } })).rejects.toBeInstanceOf(KarriUnreachable);
    const refused = clientOf(busy(), json({}));
    await expect(refused.client.createPlan({ body: { plan: newPlan } })).rejects.toMatchObject({ status: 503 });
    expect([broken.seen.length, refused.seen.length]).toEqual([1, 1]);
  });

  test('whatever it is, when the service says when', async () => {
    const { client, seen } = clientOf(busy('0'), json({ tooManyRequests: {} }, 429, { 'retry-after': '0' }), json({ plan: {} }));
    expect(await client.createPlan({ body: { plan: newPlan } })).toEqual({ plan: {} });
    expect(seen).toHaveLength(3);
  });

  test('so many times and no more', async () => {
    const { client, seen } = clientOf(busy(), busy(), busy(), json({ plans: [] }));
    await expect(client.listPlans()).rejects.toMatchObject({ fault: 'serviceUnavailable', message: 'Later.' });
    expect(seen).toHaveLength(3);
  });

  test('not when its caller has given it up', async () => {
    const { client, seen } = clientOf(busy('20'), json({ plans: [] }));
    const caller = new AbortController();
    const pending = client.listPlans({ signal: caller.signal });
    caller.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    expect(seen.length).toBeLessThan(2);
  });
});

test('each goes through all pages, by the marker alone, and fetches none that is not wanted', async () => {
  const page = (ids: string[], next?: string): Response =>
    json({
      plans: ids.map((id) => ({ id })),
      ...(next && { plans_links: [{ rel: 'next', href: `http://inside/x?marker=${next}` }] }),
    });
  const { client, seen } = clientOf(page(['1', '2'], '2'), page(['3'], '3'), page([]));
  const ids: string[] = [];
  for await (const plan of client.each('listPlans', { query: { limit: 2, offset: 4 } })) ids.push(plan.id);
  expect(ids).toEqual(['1', '2', '3']);
  expect(seen.map(({ url }) => new URL(url).search)).toEqual(['?limit=2&offset=4', '?limit=2&marker=2', '?limit=2&marker=3']);

  const lazy = clientOf(page(['1'], '1'));
  for await (const { id } of lazy.client.each('listPlans')) if (id === '1') break;
  expect(lazy.seen).toHaveLength(1);
});

test('a wait asks until nothing is under way, and tells how far it is', async () => {
  const shown = (status: string, done?: number) =>
    json({ restore: { id: 'r', status, progress: done === undefined ? null : { done_bytes: done } } });
  const { client, seen } = clientOf(shown('in_progress'), shown('in_progress', 5), shown('success'));
  const told: number[] = [];
  const ended = await client.waitForRestore('r', { pollMs: 1, onProgress: (progress) => told.push(progress.done_bytes) });
  expect([ended.status, told, seen.length]).toEqual(['success', [5], 3]);
});
