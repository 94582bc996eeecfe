import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { otherProviderId, providerId, volumeId } from '../kit/fake-protection.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.app.close());

const list = async (query = '') => (await api.call('GET', `/v1/p1/providers${query}`)).json();
const ids = async (query: string) => (await list(query)).providers.map((provider: { id: string }) => provider.id);

describe('providers', () => {
  test('one is shown with what its plugins take', async () => {
    const response = await api.call('GET', `/v1/p1/providers/${providerId}`);
    const options = {
      title: 'Options',
      type: 'object',
      properties: { exclude: { type: 'string' }, keep: { type: 'string' } },
      required: [],
    };
    expect([response.statusCode, response.json()]).toEqual([
      200,
      {
        provider: {
          id: providerId,
          name: 'north',
          description: 'bank 0',
          extended_info_schema: {
            options_schema: { 'Host::Directory': options },
            restore_schema: { 'Host::Directory': { ...options, properties: { restore_name: { type: 'string' } } } },
            saved_info_schema: {},
            verify_schema: {},
          },
        },
      },
    ]);
  });

  test('what is no id is 400, an unknown one 404', async () => {
    expect((await api.call('GET', '/v1/p1/providers/north')).json()).toEqual({
      badRequest: { code: 400, message: 'provider_id must be a UUID.' },
    });
    expect((await api.call('GET', `/v1/p1/providers/${volumeId}`)).json()).toEqual({
      itemNotFound: { code: 404, message: `Provider ${volumeId} could not be found.` },
    });
  });

  test.each<[string, string[]]>([
    ['', [providerId, otherProviderId]],
    ['?sort=color:desc', [providerId, otherProviderId]],
    ['?limit=1', [providerId]],
    [`?marker=${providerId}`, [otherProviderId]],
    [`?marker=${otherProviderId}`, []],
    [`?marker=${volumeId}`, [providerId, otherProviderId]],
    ['?name=south', [otherProviderId]],
    ['?name=sout', []],
    ['?description=bank%200', [providerId]],
    ['?color=red', [providerId, otherProviderId]],
  ])('the list with %s', async (query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  test.each(['?sort=name:up', '?limit=0', '?sort=name&sort_dir=asc'])('the list with %s is refused', async (query) => {
    expect((await api.call('GET', `/v1/p1/providers${query}`)).statusCode).toBe(400);
  });

  test('a full page has a link', async () => {
    expect((await list('?limit=2')).providers_links).toEqual([
      { rel: 'next', href: `http://localhost:80/v1/p1/providers?limit=2&marker=${otherProviderId}` },
    ]);
    expect(await list('?limit=3')).not.toHaveProperty('providers_links');
  });
});
