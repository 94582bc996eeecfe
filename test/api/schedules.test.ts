import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { otherProviderId, providerId } from '../kit/fake-protection.ts';

let api: TestApi;
let planId: string;
beforeAll(async () => {
  api = await createTestApi();
  const resources = [{ id: 'aaaaaaaa-0000-5000-8000-000000000000', type: 'Host::Directory', name: 'dir-a' }];
  const plan = { name: 'nightly', provider_id: providerId, resources, parameters: {} };
  planId = (await api.call('POST', '/v1/p1/plans', { body: { plan } })).json().plan.id;
});
afterAll(() => api.app.close());

const properties = {
  format: 'calendar',
  pattern: 'BEGIN:VEVENT\nRRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=0;\nEND:VEVENT',
  start_time: '2041-03-01 02:00:00',
};
const create = (change: object = {}, token = 'member:p1') =>
  api.call('POST', '/v1/p1/triggers', {
    token,
    body: { trigger_info: { name: 'every night', type: 'time', properties: { ...properties, ...change } } },
  });
const schedule = (trigger_id: string, operation_definition: unknown, change: object = {}) =>
  api.call('POST', '/v1/p1/scheduled_operations', {
    body: { scheduled_operation: { name: 'keep', operation_type: 'protect', trigger_id, operation_definition, ...change } },
  });

describe('triggers', () => {
  test('are answered with every property as text, and their next runs', async () => {
    const made = await create({ end_time: '2041-03-03 02:00:00', window: 1200, timezone: 'UTC', jitter: 30, missed: 'one' });
    const { trigger_info: trigger } = made.json();
    expect([made.statusCode, trigger.properties]).toEqual([
      200,
      { ...properties, end_time: '2041-03-03 02:00:00', window: '1200', timezone: 'UTC', jitter: '30', missed: 'one' },
    ]);
    expect(trigger.next_runs).toEqual(['2041-03-01T02:00:00.000Z', '2041-03-02T02:00:00.000Z', '2041-03-03T02:00:00.000Z']);
    expect((await api.call('GET', `/v1/p1/triggers/${trigger.id}`)).json()).toEqual({ trigger_info: trigger });
    expect((await api.call('GET', '/v1/p1/triggers')).json().triggers).toContainEqual(trigger);
  });

  test('get their start now when they have none', async () => {
    const { trigger_info: trigger } = (await create({ start_time: undefined, format: 'crontab', pattern: '0 2 * * *' })).json();
    expect(trigger.properties.start_time).toMatch(/^2031-02-27 \d\d:\d\d:\d\d$/);
  });

  test.each([
    ['format', 'sundial'],
    ['pattern', 'no event'],
    ['start_time', '2041-03-01T02:00:00'],
    ['start_time', '2041-02-30 02:00:00'],
    ['end_time', '2041-03-01 02:00:00'],
    ['window', '900'],
    ['window', 60],
    ['timezone', 'Mars/Olympus'],
    ['nonsense', 1],
    ['pattern', 'BEGIN:VEVENT\nRRULE:FREQ=MINUTELY\nEND:VEVENT'],
  ])('with %s %j are refused, and the member is named', async (member, value) => {
    const refused = await create({ [member]: value });
    expect([refused.statusCode, refused.json().badRequest.message]).toEqual([400, expect.stringContaining(member)]);
  });

  test('are changed: a name alone, or all properties', async () => {
    const { trigger_info: trigger } = (await create()).json();
    const put = (trigger_info: object) => api.call('PUT', `/v1/p1/triggers/${trigger.id}`, { body: { trigger_info } });
    expect((await put({})).json().trigger_info).toEqual(trigger);
    expect((await put({ name: 'mornings', type: 'time' })).json().trigger_info).toEqual({ ...trigger, name: 'mornings' });
    const { start_time: _, ...incomplete } = properties;
    expect((await put({ properties: incomplete })).statusCode).toBe(400);
    expect((await put({ properties: { ...properties, end_time: '2041-03-01 02:00:01' } })).statusCode).toBe(200);
    const past = { format: 'crontab', pattern: '0 2 * * *', start_time: '2001-01-01 00:00:00', end_time: '2002-01-01 00:00:00' };
    expect((await put({ properties: past })).statusCode).toBe(400);
  });

  test('of others are forbidden', async () => {
    const { trigger_info: trigger } = (await create()).json();
    expect((await api.call('GET', `/v1/p2/triggers/${trigger.id}`, { token: 'member:p2' })).statusCode).toBe(403);
    expect((await api.call('GET', '/v1/p1/triggers/none')).statusCode).toBe(400);
    expect((await api.call('GET', `/v1/p1/triggers/${planId}`)).statusCode).toBe(404);
    expect((await api.call('GET', '/v1/p1/triggers?all_tenants=perhaps', { token: 'member:p1' })).statusCode).toBe(400);
  });

  test('in use stay: 424', async () => {
    const { trigger_info: trigger } = (await create({}, 'admin:p1')).json();
    const made = await schedule(trigger.id, { provider_id: providerId, plan_id: planId });
    const refused = await api.call('DELETE', `/v1/p1/triggers/${trigger.id}`);
    expect([refused.statusCode, refused.json()]).toEqual([424, { computeFault: expect.objectContaining({ code: 424 }) }]);
    const gone = await api.call('DELETE', `/v1/p1/scheduled_operations/${made.json().scheduled_operation.id}`);
    expect([gone.statusCode, gone.body]).toEqual([200, '']);
    expect((await api.call('DELETE', `/v1/p1/triggers/${trigger.id}`)).body).toBe('');
  });
});

describe('scheduled operations', () => {
  let triggerId: string;
  beforeAll(async () => {
    triggerId = (await create({}, 'admin:p1')).json().trigger_info.id;
  });

  test('keep their definition as text, and are listed as operations', async () => {
    const definition = { provider_id: providerId, plan_id: planId, max_backups: 7, retention_duration: '30' };
    const made = await schedule(triggerId, definition, { operation_type: 'retention_protect', description: 'nightly' });
    const { scheduled_operation: operation } = made.json();
    expect(operation).toMatchObject({
      description: 'nightly',
      operation_type: 'retention_protect',
      operation_definition: { ...definition, max_backups: '7' },
      enabled: true,
    });
    expect((await api.call('GET', '/v1/p1/scheduled_operations')).json().operations).toContainEqual(operation);
    expect((await api.call('GET', `/v1/p1/scheduled_operations/${operation.id}/runs`)).json()).toEqual({ runs: [] });
  });

  test('take the text that OpenStackClient sends', async () => {
    const made = await schedule(triggerId, `plan_id=${planId},provider_id=${providerId}`);
    expect(made.json().scheduled_operation.operation_definition).toEqual({ plan_id: planId, provider_id: providerId });
  });

  test.each([
    ['no plan', { provider_id: providerId }, 400],
    ['an unknown plan', { provider_id: providerId, plan_id: otherProviderId }, 404],
    ['another provider', () => ({ provider_id: otherProviderId, plan_id: planId }), 400],
    ['a limit that is no number', () => ({ provider_id: providerId, plan_id: planId, max_backups: 'many' }), 400],
    ['text that is no list', 'nonsense', 400],
    ['null', null, 400],
  ])('with %s are refused', async (_, definition, status) => {
    expect((await schedule(triggerId, typeof definition === 'function' ? definition() : definition)).statusCode).toBe(status);
  });

  test('are refused with an unknown trigger, type or member', async () => {
    const definition = { provider_id: providerId, plan_id: planId };
    expect((await schedule(planId, definition)).statusCode).toBe(404);
    expect((await schedule(triggerId, definition, { operation_type: 'dance' })).statusCode).toBe(400);
    expect((await schedule(triggerId, definition, { enabled: true })).statusCode).toBe(400);
  });
});
