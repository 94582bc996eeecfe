import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';

const project = '5b0a7c21e9d84f3f8a6be2c4d1907f36';
const limits = { plans: 50, checkpoints: -1, protected_bytes: -1, stored_bytes: -1 };

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());

describe('quotas', () => {
  test('are shown with an id, and set without one', async () => {
    expect((await api.call('GET', `/v1/p1/quotas/${project}`)).json()).toEqual({ quota: { ...limits, id: project } });
    expect((await api.call('GET', `/v1/p1/quotas/${project}/defaults`)).json()).toEqual({ quota: { ...limits, id: project } });
    const set = await api.call('PUT', `/v1/p1/quotas/${project}`, { body: { quota: { plans: '12', nonsense: 1 } } });
    expect(set.json()).toEqual({ quota: { ...limits, plans: 12 } });
    const detail = (await api.call('GET', `/v1/p1/quotas/${project}/detail`)).json();
    expect(detail.quota.plans).toEqual({ limit: 12, in_use: 1, reserved: 0 });
    const gone = await api.call('DELETE', `/v1/p1/quotas/${project}`);
    expect([gone.statusCode, gone.body, gone.headers['content-type']]).toEqual([200, '', 'application/json']);
    expect((await api.call('GET', `/v1/p1/quotas/${project}`)).json().quota.plans).toBe(50);
  });

  test.each([[-2], ['many'], [null], [1.5], ['1e3'], [{}]])('a limit of %j is refused, naming the field', async (plans) => {
    const refused = await api.call('PUT', `/v1/p1/quotas/${project}`, { body: { quota: { plans } } });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().badRequest.message).toContain('plans');
  });

  test('no object is refused, an empty one changes nothing', async () => {
    expect((await api.call('PUT', `/v1/p1/quotas/${project}`, { body: { quota: null } })).statusCode).toBe(400);
    expect((await api.call('PUT', `/v1/p1/quotas/${project}`, { body: { quota: {} } })).json()).toEqual({ quota: limits });
  });

  test('belong to UUIDs, or to the caller', async () => {
    expect((await api.call('GET', '/v1/p1/quotas/p2')).statusCode).toBe(400);
    expect((await api.call('GET', '/v1/p1/quotas/p1')).statusCode).toBe(200);
    expect((await api.call('GET', '/v1/p1/quotas')).statusCode).toBe(404);
    const member = { token: 'member:p1' };
    expect((await api.call('GET', `/v1/p1/quotas/${project}`, member)).statusCode).toBe(403);
    expect((await api.call('GET', `/v1/p1/quotas/${project}/defaults`, member)).statusCode).toBe(200);
    expect((await api.call('PUT', '/v1/p1/quotas/p1', { ...member, body: { quota: {} } })).statusCode).toBe(403);
  });

  test('have classes, for administrators', async () => {
    const set = await api.call('PUT', '/v1/p1/quota_classes/gold', { body: { quota_class: { plans: 80 } } });
    expect(set.json()).toEqual({ quota_class: { ...limits, plans: 80 } });
    expect((await api.call('GET', '/v1/p1/quota_classes/gold')).json().quota_class).toEqual({ ...limits, plans: 80, id: 'gold' });
    expect((await api.call('GET', '/v1/p1/quota_classes/gold', { token: 'member:p1' })).statusCode).toBe(403);
  });
});

describe('services', () => {
  test('are listed and switched without a wrapper', async () => {
    const { services } = (await api.call('GET', '/v1/p1/os-services?binary=karbor-operationengine')).json();
    expect(services).toMatchObject([{ id: 2, state: 'up', updated_at: '2031-02-27T23:06:40.000000', disabled_reason: null }]);
    expect((await api.call('GET', '/v1/p1/os-services?host=none')).json()).toEqual({ services: [] });
    const changed = await api.call('PUT', '/v1/p1/os-services/2', { body: { status: 'disabled', disabled_reason: 'disk swap' } });
    expect(changed.json().service.status).toBe('disabled');
    expect((await api.call('PUT', '/v1/p1/os-services/x', { body: {} })).statusCode).toBe(404);
    expect((await api.call('GET', '/v1/p1/os-services/2')).statusCode).toBe(404);
    expect((await api.call('GET', '/v1/p1/os-services', { token: 'member:p1' })).statusCode).toBe(403);
  });
});
