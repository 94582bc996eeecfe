import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { volumeId } from '../kit/fake-protection.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());

const get = async (path: string) => {
  const response = await api.call('GET', `/v1/p1/protectables${path}`);
  return [response.statusCode, response.json()];
};
const server = '19be2a70-4d1c-4c55-9d38-0a7efb6f2c84';
const badRequest = { badRequest: { code: 400, message: expect.any(String) } };

describe('types', () => {
  test('are a list of names', async () => {
    expect(await get('')).toEqual([200, { protectable_type: ['Host::Directory', 'OS::Nova::Server'] }]);
  });

  test('one has its dependents, with or without percent signs in the path', async () => {
    const expected = [
      200,
      { protectable_type: { name: 'OS::Nova::Server', dependent_types: ['OS::Cinder::Volume', 'OS::Glance::Image'] } },
    ];
    expect(await get('/OS::Nova::Server')).toEqual(expected);
    expect(await get('/OS%3A%3ANova%3A%3AServer')).toEqual(expected);
  });

  test.each(['/My::Type', '/My::Type/instances', `/My::Type/instances/${server}`])('%s is 400', async (path) => {
    expect(await get(path)).toEqual([400, badRequest]);
  });
});

describe('instances', () => {
  const names = async (query: string) => {
    const [, body] = await get(`/Host::Directory/instances${query}`);
    return body.instances.map((instance: { name: string }) => instance.name);
  };

  test('one, with what hangs under it', async () => {
    const instance = {
      id: server,
      type: 'OS::Nova::Server',
      name: 'db-1',
      extra_info: null,
      dependent_resources: [
        { type: 'OS::Cinder::Volume', id: volumeId, name: 'db-data', extra_info: { availability_zone: 'nova' } },
      ],
    };
    expect(await get(`/OS::Nova::Server/instances/${server}`)).toEqual([200, { instance }]);
    expect(await get('/OS::Nova::Server/instances')).toEqual([200, { instances: [instance] }]);
    expect(await get(`/OS::Nova::Server/instances/${volumeId}`)).toEqual([
      404,
      { itemNotFound: { code: 404, message: expect.any(String) } },
    ]);
  });

  test('are paged, with the full path in the link', async () => {
    expect(await names('')).toEqual(['dir-a', 'dir-b', 'dir-c']);
    const [, page] = await get('/Host::Directory/instances?limit=2');
    const second = 'bbbbbbbb-0000-5000-8000-000000000000';
    expect(page.instances).toHaveLength(2);
    expect(page.instances_links).toEqual([
      { rel: 'next', href: `http://localhost:80/v1/p1/protectables/Host::Directory/instances?limit=2&marker=${second}` },
    ]);
    expect(await names(`?limit=2&marker=${second}`)).toEqual(['dir-c']);
  });

  test('go on after a marker whose resource is gone', async () => {
    expect(await names('?marker=aaaaaaaa-ffff-5000-8000-000000000000')).toEqual(['dir-b', 'dir-c']);
  });

  test.each(['', `/${'a'.repeat(8)}-0000-5000-8000-000000000000`])(
    'hand parameters of instances%s to the plugin',
    async (path) => {
      const url = `/Host::Directory/instances${path}`;
      expect((await get(`${url}?parameters=${encodeURIComponent("{'namespace': 'default'}")}`))[0]).toBe(200);
      expect(api.protection.seen.parameters).toEqual({ namespace: 'default' });
      for (const text of ['x', '[]', '5', "{'a'", 'None'])
        expect(await get(`${url}?parameters=${encodeURIComponent(text)}`)).toEqual([400, badRequest]);
    },
  );

  test.each(['?limit=0', '?sort=id:up'])('%s is 400', async (query) => {
    expect(await get(`/Host::Directory/instances${query}`)).toEqual([400, badRequest]);
  });
});
