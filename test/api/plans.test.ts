import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { providerId, volumeId } from '../kit/fake-protection.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());
beforeEach(() => {
  api.protection.reset();
});

const resource = { id: volumeId, type: 'OS::Cinder::Volume', name: 'db-data' };
const goodPlan = {
  name: 'nightly db',
  description: 'database volumes',
  provider_id: providerId,
  resources: [{ ...resource, extra_info: { availability_zone: 'nova' } }],
  parameters: {
    'OS::Cinder::Volume': { backup_mode: 'full', force: true, off: false, level: 3 },
    [`OS::Cinder::Volume#${volumeId}`]: { backup_name: 'db' },
  },
};

async function create(members: object = {}): Promise<{ id: string }> {
  const response = await api.call('POST', '/v1/p1/plans', { body: { plan: { ...goodPlan, ...members } } });
  expect(response.payload).toContain('"plan"');
  return response.json().plan;
}

const refused = (status: number, name: string, message: unknown) => [
  status,
  { [name]: { code: status, message: expect.stringMatching(String(message)) } },
];

describe('creation', () => {
  test('gives the plan back, its values as text', async () => {
    const response = await api.call('POST', '/v1/p1/plans', { body: { plan: goodPlan } });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      plan: {
        ...goodPlan,
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        status: 'suspended',
        parameters: {
          'OS::Cinder::Volume': { backup_mode: 'full', force: 'True', off: 'False', level: '3' },
          [`OS::Cinder::Volume#${volumeId}`]: { backup_name: 'db' },
        },
      },
    });
  });

  test.each<[string, object, object]>([
    ['description null', { description: null }, { description: null }],
    ['no description', { description: undefined }, { description: null }],
    ['no parameters in it', { parameters: {} }, { parameters: {} }],
    [
      'an unknown type among the resources',
      { resources: [{ ...resource, type: 'My::Type' }] },
      { resources: [{ ...resource, type: 'My::Type' }] },
    ],
    ['further members of a resource, dropped', { resources: [{ ...resource, size: 3 }] }, { resources: [resource] }],
    ['extra_info null, dropped', { resources: [{ ...resource, extra_info: null }] }, { resources: [resource] }],
    [
      'a resource without a name to speak of',
      { resources: [{ ...resource, name: '' }] },
      { resources: [{ ...resource, name: '' }] },
    ],
    ["Karri's own types as keys", { parameters: { 'Host::Block': { a: 'b' } } }, { parameters: { 'Host::Block': { a: 'b' } } }],
    ['hooks', { hooks: { pre: 'stop-db', post: 'start-db' } }, { hooks: { pre: 'stop-db', post: 'start-db' } }],
    ['a provider id in another spelling', { provider_id: `{${providerId.toUpperCase()}}` }, { provider_id: providerId }],
  ])('takes %s', async (_name, members, expected) => {
    expect(await create(members)).toMatchObject(expected);
  });

  test('hooks that are null are not shown', async () => {
    expect(await create({ hooks: null })).not.toHaveProperty('hooks');
  });

  test.each<[string, object, string]>([
    ['no name', { name: undefined }, 'plan.name is required'],
    ['name null', { name: null }, 'plan.name must be a string'],
    ['name empty', { name: '' }, 'plan.name is malformed'],
    ['name blank', { name: ' \t' }, 'plan.name is malformed'],
    ['name too long', { name: 'x'.repeat(256) }, 'plan.name'],
    ['name a number', { name: 5 }, 'plan.name must be a string'],
    ['description with a line break', { description: 'a\nb' }, 'plan.description must be printable'],
    ['description with a line separator', { description: 'a\u2028b' }, 'plan.description must be printable'],
    ['description too long', { description: 'x'.repeat(256) }, 'plan.description'],
    ['no provider', { provider_id: undefined }, 'plan.provider_id is required'],
    ['provider id that is none', { provider_id: 'north' }, 'plan.provider_id must be a UUID'],
    ['provider unknown', { provider_id: volumeId }, 'unknown'],
    ['no resources', { resources: undefined }, 'plan.resources is required'],
    ['resources empty', { resources: [] }, 'plan.resources'],
    ['resource without a type', { resources: [{ id: 'a', name: 'b' }] }, 'plan.resources\\[0\\].type is required'],
    ['second resource bad', { resources: [resource, { ...resource, type: 3 }] }, 'plan.resources\\[1\\].type must be a string'],
    ['resource no object', { resources: ['a'] }, 'plan.resources\\[0\\] must be an object'],
    [
      'extra_info no object',
      { resources: [{ ...resource, extra_info: 'a' }] },
      'plan.resources\\[0\\].extra_info must be an object or null',
    ],
    ['no parameters', { parameters: undefined }, 'plan.parameters is required'],
    ['parameters null', { parameters: null }, 'plan.parameters must be an object'],
    ['options null', { parameters: { 'Host::Block': null } }, 'plan.parameters\\["Host::Block"\\] must be an object'],
    [
      'an option null',
      { parameters: { 'Host::Block': { a: null } } },
      'plan.parameters\\["Host::Block"\\].a must be a boolean or an integer or a string',
    ],
    ['an option a fraction', { parameters: { 'Host::Block': { a: 1.5 } } }, 'plan.parameters'],
    ['an option a list', { parameters: { 'Host::Block': { a: [] } } }, 'plan.parameters'],
    ['a bad option key', { parameters: { 'Host::Block': { 'a/b': 1 } } }, 'a/b'],
    ['a key of an unknown type', { parameters: { 'My::Type': {} } }, 'My::Type.*unknown'],
    ['a key with a bad id', { parameters: { 'Host::Block#1': {} } }, 'Host::Block#1.*UUID'],
    ['unknown members', { status: 'started', project_id: 'p2' }, 'plan has unknown members: .*status, project_id'],
    ['an unknown hook', { hooks: { before: 'x' } }, 'plan.hooks has unknown members: before'],
  ])('refuses %s', async (_name, members, message) => {
    const response = await api.call('POST', '/v1/p1/plans', { body: { plan: { ...goodPlan, ...members } } });
    expect([response.statusCode, response.json()]).toEqual(refused(400, 'badRequest', message));
    expect(api.protection.store.plans).toEqual([]);
  });

  test('beyond the quota is 413 with a word on when to try again', async () => {
    for (let n = 0; n < 50; n++) await create();
    const response = await api.call('POST', '/v1/p1/plans', { body: { plan: goodPlan } });
    expect([response.statusCode, response.headers['retry-after'], response.json()]).toEqual([
      413,
      '0',
      { overLimit: { code: 413, message: expect.stringContaining('quota'), retryAfter: '0' } },
    ]);
  });
});

describe('one plan', () => {
  const unknown = '00000000-0000-4000-8000-000000000000';

  test('is shown by any spelling of its id', async () => {
    const plan = await create();
    for (const id of [plan.id, plan.id.toUpperCase(), plan.id.replaceAll('-', '')]) {
      expect((await api.call('GET', `/v1/p1/plans/${id}`)).json()).toEqual({ plan });
    }
  });

  test.each(['GET', 'PUT', 'DELETE'] as const)('%s: 400 for what is no id, 404 for an unknown one', async (method) => {
    const body = method === 'PUT' ? { body: { plan: { name: 'x' } } } : {};
    const bad = await api.call(method, '/v1/p1/plans/detail', body);
    expect([bad.statusCode, bad.json()]).toEqual(refused(400, 'badRequest', 'plan_id must be a UUID'));
    const missing = await api.call(method, `/v1/p1/plans/${unknown}`, body);
    expect([missing.statusCode, missing.json()]).toEqual(refused(404, 'itemNotFound', unknown));
  });

  test('of another project is 404 for a member', async () => {
    const plan = await create();
    const response = await api.call('GET', `/v1/p2/plans/${plan.id}`, { token: 'member:p2' });
    expect([response.statusCode, response.json()]).toEqual(refused(404, 'itemNotFound', plan.id));
  });

  test.each<[object, object]>([
    [{ name: 'new' }, { name: 'new' }],
    [{ description: null }, { description: null }],
    [{ resources: [] }, { resources: [] }],
    [
      { resources: [resource], status: 'started' },
      { resources: [resource], status: 'started' },
    ],
    [{ hooks: { pre: 'x' } }, { hooks: { pre: 'x' } }],
  ])('takes the change %j', async (change, expected) => {
    const plan = await create();
    const response = await api.call('PUT', `/v1/p1/plans/${plan.id}`, { body: { plan: change } });
    expect([response.statusCode, response.json()]).toEqual([200, { plan: { ...plan, ...expected } }]);
  });

  test.each<[object, string]>([
    [{}, 'plan'],
    [{ provider_id: providerId }, 'plan has unknown members: provider_id'],
    [{ parameters: {} }, 'plan has unknown members: parameters'],
    [{ status: 'bogus' }, 'plan.status must be one of suspended, started'],
    [{ status: null }, 'plan.status'],
    [{ name: null }, 'plan.name'],
    [{ resources: [{}] }, 'plan.resources\\[0\\].id is required'],
  ])('refuses the change %j', async (change, message) => {
    const plan = await create();
    const response = await api.call('PUT', `/v1/p1/plans/${plan.id}`, { body: { plan: change } });
    expect([response.statusCode, response.json()]).toEqual(refused(400, 'badRequest', message));
  });

  test('that is started takes a change of its status alone', async () => {
    const { id } = await create();
    const put = async (plan: object) => (await api.call('PUT', `/v1/p1/plans/${id}`, { body: { plan } })).statusCode;
    expect([
      await put({ status: 'started' }),
      await put({ name: 'x' }),
      await put({ status: 'suspended' }),
      await put({ name: 'x' }),
    ]).toEqual([200, 400, 200, 200]);
  });

  test('is deleted with an empty answer', async () => {
    const { id } = await create();
    const response = await api.call('DELETE', `/v1/p1/plans/${id}`);
    expect([response.statusCode, response.payload, response.headers['content-type'], response.headers['content-length']]).toEqual(
      [200, '', 'application/json', '0'],
    );
    expect((await api.call('GET', `/v1/p1/plans/${id}`)).statusCode).toBe(404);
  });
});

interface PlanPage {
  plans: { name: string }[];
  plans_links?: { href: string }[];
}

describe('the list', () => {
  const list = async (query = '') => (await api.call('GET', `/v1/p1/plans${query}`)).json();
  const names = async (query: string) => (await list(query)).plans.map((plan: { name: string }) => plan.name);

  test('is empty without a link', async () => {
    expect(await list()).toEqual({ plans: [] });
  });

  test('holds plans as they are shown, newest first', async () => {
    const [first, second] = [await create({ name: 'first' }), await create({ name: 'second' })];
    expect(await list()).toEqual({ plans: [second, first] });
    expect(await names('?sort=created_at:asc')).toEqual(['first', 'second']);
  });

  test('is paged by links that keep the rest of the query', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await create({ name });
    const seen: string[] = [];
    let url: string | undefined = '/v1/p1/plans?limit=2&sort=created_at%3Aasc&name=x%26y';
    const links: string[] = [];
    while (url !== undefined) {
      const page: PlanPage = (await api.call('GET', url)).json();
      seen.push(...page.plans.map((plan) => plan.name));
      url = page.plans_links?.[0]?.href;
      if (url !== undefined) links.push(url);
      expect(api.protection.seen.page?.filters).toEqual({ name: 'x&y' });
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    // The last page was exactly full, so it had a link too.
    expect(links).toEqual(
      [1, 3].map(
        (n) =>
          `http://localhost:80/v1/p1/plans?limit=2&sort=created_at%3Aasc&name=x%26y&marker=${api.protection.store.plans[n]!.id}`,
      ),
    );
  });

  test('skips with offset', async () => {
    for (const name of ['a', 'b', 'c']) await create({ name });
    const page: PlanPage = await list('?offset=1&limit=1');
    expect(page.plans.map((plan) => plan.name)).toEqual(['b']);
    expect(page.plans_links?.[0]?.href).not.toContain('offset');
  });

  test('of the caller, or of whom an administrator asks for', async () => {
    await create({ name: 'mine' });
    await api.call('POST', '/v1/p2/plans', { body: { plan: { ...goodPlan, name: 'theirs' } }, token: 'admin:p2' });
    expect(await names('')).toEqual(['mine']);
    expect(await names('?project_id=p2')).toEqual(['mine']);
    expect(await names('?all_tenants=1')).toEqual(['theirs', 'mine']);
    expect(await names('?all_tenants=1&project_id=p2')).toEqual(['theirs']);
    const member = await api.call('GET', '/v1/p2/plans?all_tenants=1&project_id=p1', { token: 'member:p2' });
    expect(member.json().plans).toMatchObject([{ name: 'theirs' }]);
  });

  test.each<[string, number, string]>([
    ['?limit=0', 400, 'limit'],
    ['?limit=-1', 400, 'limit'],
    ['?limit=many', 400, 'limit must be an integer'],
    ['?limit=', 400, 'limit'],
    ['?limit=1&limit=2', 400, 'limit'],
    ['?offset=-1', 400, 'offset'],
    ['?offset=x', 400, 'offset must be an integer'],
    ['?sort=name:up', 400, 'direction "up"'],
    ['?sort=color', 400, 'key "color"'],
    ['?sort=name&sort_key=name', 400, 'sort_key'],
    ['?all_tenants=perhaps', 400, 'all_tenants'],
    ['?marker=00000000-0000-4000-8000-000000000000', 404, '00000000'],
    ['?marker=x', 404, 'x'],
  ])('%s is %i', async (query, status, message) => {
    const response = await api.call('GET', `/v1/p1/plans${query}`);
    expect([response.statusCode, response.json()]).toEqual(
      refused(status, status === 404 ? 'itemNotFound' : 'badRequest', message),
    );
  });

  test('more than the server allows is what the server allows', async () => {
    const other = await createTestApi({ maxLimit: 3 });
    await other.call('GET', '/v1/p1/plans?limit=99999999999999999999');
    expect(other.protection.seen.page?.limit).toBe(3);
    await other.app.close();
  });
});
