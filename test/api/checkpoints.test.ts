import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { otherProviderId, providerId, volumeId } from '../kit/fake-protection.ts';

let api: TestApi;
let planId: string;
const path = `/v1/p1/providers/${providerId}/checkpoints`;
const unknown = '00000000-0000-4000-8000-000000000000';
const graph = `[{"0x0":["OS::Cinder::Volume","${volumeId}","db-data",null]},[]]`;

beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());
beforeEach(async () => {
  api.protection.reset();
  const resources = [{ id: volumeId, type: 'OS::Cinder::Volume', name: 'db-data', extra_info: { availability_zone: 'nova' } }];
  const body = { plan: { name: 'nightly db', provider_id: providerId, resources, parameters: {} } };
  planId = (await api.call('POST', '/v1/p1/plans', { body })).json().plan.id;
});

const refused = (status: number, name: string) => [status, { [name]: { code: status, message: expect.any(String) } }];

async function create(members: object = {}): Promise<{ id: string }> {
  const response = await api.call('POST', path, { body: { checkpoint: { plan_id: planId, ...members } } });
  return response.json().checkpoint;
}

/** Makes the checkpoint look finished, or whatever else is said. */
function settle(id: string, members: object = {}): void {
  const { checkpoints } = api.protection.store;
  const index = checkpoints.findIndex((each) => each.id === id);
  checkpoints[index] = { ...checkpoints[index]!, status: 'available', resourceGraph: graph, progress: null, ...members };
}

describe('creation', () => {
  test('answers at once, without a graph and with progress', async () => {
    const response = await api.call('POST', path, {
      body: { checkpoint: { plan_id: planId, 'extra-info': { note: 'before upgrade' } } },
    });
    const resource = { id: volumeId, type: 'OS::Cinder::Volume', name: 'db-data' };
    expect([response.statusCode, response.json()]).toEqual([
      200,
      {
        checkpoint: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          project_id: 'p1',
          status: 'protecting',
          protection_plan: {
            id: planId,
            name: 'nightly db',
            provider_id: providerId,
            resources: [{ ...resource, extra_info: '{"availability_zone":"nova"}' }],
          },
          created_at: '2031-03-09',
          created_at_time: '2031-03-09T02:00:05.512Z',
          extra_info: '{"note":"before upgrade"}',
          reason: null,
          resources: [{ ...resource, status: 'protecting', reason: '' }],
          progress: {
            done_bytes: 10,
            total_bytes: 100,
            stored_bytes: 5,
            reused_bytes: 5,
            bytes_per_second: 2.5,
            seconds_left: 36,
            step: 'main',
            steps_done: 1,
            steps_total: 4,
          },
        },
      },
    ]);
  });

  test.each<[object | null | undefined]>([[undefined], [null], [{ note: 'before upgrade', n: 3, ok: true }]])(
    'hands extra-info %j on as it is',
    async (given) => {
      await create(given === undefined ? {} : { 'extra-info': given });
      expect(api.protection.store.checkpoints[0]?.extraInfo).toEqual(given ?? null);
    },
  );

  test.each<[string, object]>([
    ['no plan', { plan_id: undefined }],
    ['plan id that is none', { plan_id: 'nightly' }],
    ['extra_info with an underscore', { extra_info: {} }],
    ['extra-info no object', { 'extra-info': 'x' }],
    ['a value of extra-info null', { 'extra-info': { a: null } }],
    ['a value of extra-info an object', { 'extra-info': { a: {} } }],
    ['a bad key in extra-info', { 'extra-info': { 'a?': 1 } }],
    ['a status', { status: 'available' }],
  ])('refuses %s', async (_name, members) => {
    const response = await api.call('POST', path, { body: { checkpoint: { plan_id: planId, ...members } } });
    expect([response.statusCode, response.json()]).toEqual(refused(400, 'badRequest'));
  });

  test.each<[string, string, object, number, string]>([
    ['an unknown plan', providerId, { plan_id: unknown }, 404, 'itemNotFound'],
    ['the provider of another plan', otherProviderId, {}, 400, 'badRequest'],
    ['an unknown provider', unknown, {}, 400, 'badRequest'],
    ['a provider id that is none', 'north', {}, 400, 'badRequest'],
  ])('with %s', async (_name, provider, members, status, name) => {
    const body = { checkpoint: { plan_id: planId, ...members } };
    const response = await api.call('POST', `/v1/p1/providers/${provider}/checkpoints`, { body });
    expect([response.statusCode, response.json()]).toEqual(refused(status, name));
  });
});

describe('one checkpoint', () => {
  test('is shown finished, with its graph and without what plugins saved', async () => {
    const { id } = await create();
    settle(id);
    const { checkpoint } = (await api.call('GET', `${path}/${id}`)).json();
    expect(checkpoint).toMatchObject({ id, status: 'available', resource_graph: graph, progress: null });
    expect(JSON.stringify(checkpoint)).not.toContain('saved');
  });

  test('that failed says why', async () => {
    const { id } = await create();
    settle(id, { status: 'error', reason: 'The bank is full.' });
    expect((await api.call('GET', `${path}/${id}`)).json().checkpoint).toMatchObject({
      status: 'error',
      reason: 'The bank is full.',
    });
  });

  test('that is deleted is still shown, but not listed', async () => {
    const { id } = await create();
    settle(id, { status: 'deleted' });
    expect((await api.call('GET', `${path}/${id}`)).json().checkpoint.status).toBe('deleted');
    expect((await api.call('GET', path)).json()).toEqual({ checkpoints: [] });
  });

  test.each(['GET', 'PUT', 'DELETE'] as const)('%s: malformed, unknown and foreign ids', async (method) => {
    const { id } = await create();
    settle(id);
    const body = method === 'PUT' ? { body: { 'os-resetState': { state: 'error' } } } : {};
    const status = async (url: string, token = 'admin:p1') => (await api.call(method, url, { ...body, token })).statusCode;
    expect(await status(`${path}/x`)).toBe(400);
    expect(await status(`/v1/p1/providers/x/checkpoints/${id}`)).toBe(400);
    expect(await status(`${path}/${unknown}`)).toBe(404);
    expect(await status(`/v1/p1/providers/${unknown}/checkpoints/${id}`)).toBe(404);
    expect(await status(`${path.replace('p1', 'p2')}/${id}`, 'member:p2')).toBe(403);
  });

  test.each(['available', 'error'])('is reset to %s', async (state) => {
    const { id } = await create();
    settle(id);
    const response = await api.call('PUT', `${path}/${id}`, { body: { 'os-resetState': { state } } });
    expect([response.statusCode, response.payload]).toEqual([200, '{}']);
    expect((await api.call('GET', `${path}/${id}`)).json().checkpoint.status).toBe(state);
  });

  test.each<object>([
    { 'os-resetState': { state: 'deleted' } },
    { 'os-resetState': {} },
    { 'os-resetState': { state: 'error', force: true } },
    { state: 'error' },
  ])('is not reset by %j', async (body) => {
    const { id } = await create();
    settle(id);
    const response = await api.call('PUT', `${path}/${id}`, { body });
    expect([response.statusCode, response.json()]).toEqual(refused(400, 'badRequest'));
  });

  test('is neither reset nor deleted while it is worked on', async () => {
    const { id } = await create();
    const reset = await api.call('PUT', `${path}/${id}`, { body: { 'os-resetState': { state: 'error' } } });
    expect([reset.statusCode, reset.json()]).toEqual(refused(400, 'badRequest'));
    const deleted = await api.call('DELETE', `${path}/${id}`);
    expect([deleted.statusCode, deleted.json()]).toEqual(refused(400, 'badRequest'));
  });

  test('is deleted with an empty object', async () => {
    const { id } = await create();
    settle(id);
    const response = await api.call('DELETE', `${path}/${id}`);
    expect([response.statusCode, response.payload]).toEqual([200, '{}']);
    expect((await api.call('GET', `${path}/${id}`)).json().checkpoint.status).toBe('deleting');
  });
});

describe('the list', () => {
  const list = (query = '') => api.call('GET', `${path}${query}`);

  test('is paged, with the provider in its links', async () => {
    const [first, second] = [await create(), await create()];
    const page = (await list('?limit=1')).json();
    expect(page.checkpoints).toEqual([second]);
    expect(page.checkpoints_links).toEqual([{ rel: 'next', href: `http://localhost:80${path}?limit=1&marker=${second.id}` }]);
    expect((await list(`?limit=1&marker=${second.id}`)).json().checkpoints).toEqual([first]);
    expect((await list('?sort=created_at:asc')).json().checkpoints).toEqual([first, second]);
  });

  test.each<[string, object]>([
    ['', { projectId: 'p1', filters: {} }],
    ['?plan_id=C41D9E7A52F64F0E8A3F6F1F9D0C7B25', { planId: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25' }],
    ['?start_date=2031-03-01', { startDate: '2031-03-01', endDate: undefined }],
    ['?start_date=2031-03-01&end_date=2031-03-31', { startDate: '2031-03-01', endDate: '2031-03-31' }],
    ['?end_date=2031-03-31', { startDate: undefined, endDate: undefined }],
    ['?status=error&color=red', { filters: {} }],
    ['?all_tenants=true', { projectId: undefined }],
    ['?all_tenants=true&project_id=p2', { projectId: 'p2' }],
    ['?project_id=p2', { projectId: 'p1' }],
    ['?offset=5', { offset: undefined }],
    [
      '?sort=color:asc',
      {
        sort: [
          { key: 'color', direction: 'asc' },
          { key: 'id', direction: 'asc' },
        ],
      },
    ],
  ])('%s asks for %j', async (query, expected) => {
    expect((await list(query)).statusCode).toBe(200);
    const seen = api.protection.seen.checkpointPage;
    expect({
      planId: undefined,
      startDate: undefined,
      endDate: undefined,
      projectId: undefined,
      offset: undefined,
      ...seen,
    }).toMatchObject(expected);
  });

  test.each<[string, number]>([
    ['?start_date=2031-02-30', 400],
    ['?start_date=yesterday', 400],
    ['?start_date=2031-03-01&end_date=2031-3-1', 400],
    ['?plan_id=nightly', 400],
    ['?sort=created_at:up', 400],
    ['?limit=0', 400],
    [`?marker=${unknown}`, 404],
    ['?marker=x', 404],
  ])('%s is %i', async (query, status) => {
    const response = await list(query);
    expect([response.statusCode, response.json()]).toEqual(refused(status, status === 404 ? 'itemNotFound' : 'badRequest'));
  });

  test.each([unknown, 'north'])('of provider %s is 404', async (provider) => {
    const response = await api.call('GET', `/v1/p1/providers/${provider}/checkpoints`);
    expect([response.statusCode, response.json()]).toEqual(refused(404, 'itemNotFound'));
  });
});
