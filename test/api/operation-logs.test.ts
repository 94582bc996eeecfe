import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { providerId } from '../kit/fake-protection.ts';

let api: TestApi;
const id = '63c0d9f4-1b27-4c8e-95aa-0e7d6f5b4c3a';
const shown = {
  id,
  operation_type: 'protect',
  checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
  plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
  provider_id: providerId,
  restore_id: null,
  scheduled_operation_id: null,
  status: 'available',
  started_at: '2031-03-09T02:00:03.512000',
  ended_at: '2031-03-09T02:07:41.090000',
  error_info: null,
  extra_info: '{"warnings":["a file vanished"]}',
};

beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());
beforeEach(() => {
  api.protection.reset();
  api.protection.store.logs.push({
    id,
    projectId: 'p1',
    operationType: 'protect',
    checkpointId: shown.checkpoint_id,
    planId: shown.plan_id,
    providerId,
    restoreId: null,
    scheduledOperationId: null,
    status: 'available',
    startedAt: Date.UTC(2031, 2, 9, 2, 0, 3, 512),
    endedAt: Date.UTC(2031, 2, 9, 2, 7, 41, 90),
    errorInfo: null,
    extraInfo: { warnings: ['a file vanished'] },
  });
});

describe('operation logs', () => {
  test('one is shown in full', async () => {
    expect((await api.call('GET', `/v1/p1/operation_logs/${id}`)).json()).toEqual({ operation_log: shown });
  });

  test('one that runs has no end', async () => {
    const [log] = api.protection.store.logs;
    api.protection.store.logs[0] = { ...log!, status: 'protecting', endedAt: null, extraInfo: null };
    const { operation_log } = (await api.call('GET', `/v1/p1/operation_logs/${id}`)).json();
    expect(operation_log).toEqual({ ...shown, status: 'protecting', ended_at: null, extra_info: null });
  });

  test('are listed by when they started', async () => {
    expect((await api.call('GET', '/v1/p1/operation_logs?limit=1')).json()).toEqual({
      operation_logs: [shown],
      operation_logs_links: [{ rel: 'next', href: `http://localhost:80/v1/p1/operation_logs?limit=1&marker=${id}` }],
    });
    expect(api.protection.seen.page?.sort[0]).toEqual({ key: 'created_at', direction: 'desc' });
  });

  test('members filter by four members, administrators by any', async () => {
    const query = '?checkpoint_id=a&plan_id=b&restore_id=c&status=d&operation_type=restore';
    await api.call('GET', `/v1/p1/operation_logs${query}`, { token: 'member:p1' });
    expect(api.protection.seen.page?.filters).toEqual({ checkpoint_id: 'a', plan_id: 'b', restore_id: 'c', status: 'd' });
    await api.call('GET', `/v1/p1/operation_logs${query}`);
    expect(api.protection.seen.page?.filters).toMatchObject({ operation_type: 'restore' });
  });

  test.each<[string, string, number]>([
    ['what is no id', '/x', 400],
    ['an unknown id', `/${providerId}`, 404],
    ['an unknown sort key', '?sort=size', 400],
    ['an unknown marker', `?marker=${providerId}`, 404],
  ])('%s', async (_name, rest, status) => {
    expect((await api.call('GET', `/v1/p1/operation_logs${rest}`)).statusCode).toBe(status);
  });

  test("another project's is 404", async () => {
    expect((await api.call('GET', `/v1/p2/operation_logs/${id}`, { token: 'member:p2' })).statusCode).toBe(404);
  });
});
