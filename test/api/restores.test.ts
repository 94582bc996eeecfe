import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { providerId } from '../kit/fake-protection.ts';

let api: TestApi;
const checkpointId = 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41';

beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());
beforeEach(() => {
  api.protection.reset();
  api.protection.store.checkpoints.push({
    id: checkpointId,
    projectId: 'p1',
    providerId,
    status: 'available',
    plan: { id: checkpointId, name: 'x', providerId, resources: [] },
    resourceGraph: null,
    extraInfo: null,
    createdAt: 0,
    resources: [],
    reason: null,
    progress: null,
  });
});

const good = { provider_id: providerId, checkpoint_id: checkpointId, parameters: {} };
const post = (members: object, token = 'admin:p1', project = 'p1') =>
  api.call('POST', `/v1/${project}/restores`, { body: { restore: { ...good, ...members } }, token });

describe('creation', () => {
  test('answers at once, with text for values and nothing of the credentials', async () => {
    const restore_auth = { type: 'password', username: 'dr', password: 's3cret' };
    const parameters = { 'Host::Directory': { restore_name: 'db', overwrite: true } };
    const response = await post({ restore_target: 'http://identity.south.test/v3', restore_auth, parameters });
    expect([response.statusCode, response.json()]).toEqual([
      200,
      {
        restore: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          project_id: 'p1',
          provider_id: providerId,
          checkpoint_id: checkpointId,
          restore_target: 'http://identity.south.test/v3',
          parameters: { 'Host::Directory': { restore_name: 'db', overwrite: 'True' } },
          status: 'in_progress',
          resources_status: {},
          resources_reason: {},
          progress: null,
        },
      },
    ]);
    expect(api.protection.seen.restoreAuth).toEqual(restore_auth);
  });

  test.each<[string, object]>([
    ['what the library always sends', { restore_target: null, restore_auth: null }],
    ['blank credentials of the dashboard', { restore_auth: { type: 'password', username: null, password: null } }],
    ['a parameter key of any form, which is for the engine to judge', { parameters: { 'My::Type#x': {} } }],
  ])('takes %s', async (_name, members) => {
    expect((await post(members)).json().restore.status).toBe('in_progress');
  });

  test('of an unknown checkpoint is a failed restore, not a fault', async () => {
    const response = await post({ checkpoint_id: providerId });
    expect([response.statusCode, response.json().restore.status]).toEqual([200, 'fail']);
  });

  test("of another project's checkpoint is 403", async () => {
    const response = await post({}, 'member:p2', 'p2');
    expect([response.statusCode, Object.keys(response.json())]).toEqual([403, ['forbidden']]);
  });

  test.each<[object, string]>([
    [{ provider_id: undefined }, 'restore.provider_id is required'],
    [{ provider_id: 'x' }, 'restore.provider_id must be a UUID'],
    [{ checkpoint_id: undefined }, 'restore.checkpoint_id is required'],
    [{ checkpoint_id: 7 }, 'restore.checkpoint_id must be a string'],
    [{ parameters: undefined }, 'restore.parameters is required'],
    [{ parameters: null }, 'restore.parameters must be an object'],
    [{ parameters: { 'Host::Block': null } }, 'restore.parameters["Host::Block"] must be an object'],
    [{ restore_target: 5 }, 'restore.restore_target must be a string or null'],
    [{ restore_target: 'x'.repeat(256) }, 'restore.restore_target'],
    [{ restore_auth: { password: ['s3cret'] } }, 'restore.restore_auth.password must be'],
    [{ restore_auth: 's3cret' }, 'restore.restore_auth must be an object or null'],
    [{ status: 'success' }, 'restore has unknown members: status'],
  ])('refuses %j', async (members, message) => {
    const response = await post(members);
    expect([response.statusCode, response.json()]).toEqual([
      400,
      { badRequest: { code: 400, message: expect.stringContaining(message) } },
    ]);
    expect(response.payload).not.toContain('s3cret');
    expect(api.protection.store.restores).toEqual([]);
  });
});

describe('reading', () => {
  test('one: shown to its project, 404 to others, 400 for what is no id', async () => {
    const { restore } = (await post({})).json();
    const get = (id: string, token = 'admin:p1', project = 'p1') => api.call('GET', `/v1/${project}/restores/${id}`, { token });
    expect((await get(restore.id)).json()).toEqual({ restore });
    expect((await get(restore.id, 'member:p2', 'p2')).statusCode).toBe(404);
    expect((await get('x')).statusCode).toBe(400);
    expect((await get(providerId)).statusCode).toBe(404);
  });

  test('the list, with its filter and link', async () => {
    const [first, second] = [(await post({})).json().restore, (await post({})).json().restore];
    expect((await api.call('GET', '/v1/p1/restores')).json()).toEqual({ restores: [second, first] });
    const page = (await api.call('GET', '/v1/p1/restores?status=success&limit=1')).json();
    expect(page.restores_links).toEqual([
      { rel: 'next', href: `http://localhost:80/v1/p1/restores?status=success&limit=1&marker=${second.id}` },
    ]);
    expect(api.protection.seen.page).toMatchObject({ filters: { status: 'success' }, limit: 1 });
  });

  test('the list cannot be sorted by what a restore has not', async () => {
    expect((await api.call('GET', '/v1/p1/restores?sort=name')).statusCode).toBe(400);
  });
});
