import { afterAll, beforeAll, expect, test } from 'vitest';
import { createServiceStore, type ServiceStore } from '../../src/db/service-store.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

let database: TestDatabase;
let services: ServiceStore;
beforeAll(async () => {
  database = await createTestDatabase();
  services = createServiceStore(database.knex);
  await services.beat({ binary: 'karbor-protection', host: 'one', seat: 'one:/var' });
  await services.beat({ binary: 'karbor-operationengine', host: 'one', seat: 'one:/var' });
  await services.beat({ binary: 'karbor-protection', host: 'two', seat: 'two:/var' });
});
afterAll(() => database.drop());

test('services are found by host and binary, exactly', async () => {
  const found = async (query: Parameters<ServiceStore['list']>[0]) =>
    (await services.list(query)).map(({ host, binary }) => `${host} ${binary}`);
  expect(await found({})).toEqual(['one karbor-protection', 'one karbor-operationengine', 'two karbor-protection']);
  expect(await found({ binary: 'karbor-operationengine' })).toEqual(['one karbor-operationengine']);
  expect(await found({ host: 'one', binary: 'karbor-protection' })).toEqual(['one karbor-protection']);
  expect(await found({ host: 'on' })).toEqual([]);
});

test('a second beat is no second service', async () => {
  const [first] = await services.list({ host: 'two' });
  await services.setStatus(first?.id ?? 0, 'disabled', 'a test');
  expect(await services.beat({ binary: 'karbor-protection', host: 'renamed', seat: 'two:/var' })).toBe('disabled');
  expect(await services.list({ host: 'renamed' })).toMatchObject([{ id: first?.id, state: 'up', disabledReason: 'a test' }]);
});
