import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTokenIdentity } from '../../src/api/identity/token.ts';
import { newId } from '../../src/base/ids.ts';
import { createTokenStore, type TokenStore } from '../../src/db/token-store.ts';
import { type AccessToken, hashToken, newTokenText } from '../../src/model/access-token.ts';
import { createTestApi } from '../kit/api.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

let database: TestDatabase;
let tokens: TokenStore;
beforeAll(async () => {
  database = await createTestDatabase();
  tokens = createTokenStore(database.knex);
});
afterAll(() => database.drop());

const day = Date.UTC(2031, 2, 9);

async function create(members: Partial<AccessToken> = {}): Promise<{ token: AccessToken; text: string }> {
  const text = newTokenText();
  const token = {
    id: newId(),
    name: 'ci',
    userId: 'u1',
    projectId: 'p1',
    roles: ['reader', 'member'],
    createdAt: day,
    expiresAt: null,
    ...members,
  };
  await tokens.create(token, hashToken(text));
  return { token, text };
}

test('a token is found by its hash alone, as it was made', async () => {
  const { token, text } = await create({ expiresAt: day + 5 });
  expect(text).toMatch(/^karri_[\w-]{43}$/);
  expect(await tokens.find(hashToken(text))).toEqual(token);
  expect(await tokens.find(hashToken(`${text}x`))).toBeUndefined();
  const rows = JSON.stringify((await database.knex.raw('select t::text from tokens t')).rows);
  expect(rows).toContain(token.id);
  expect(rows).not.toContain(text.slice(6, 30));
});

test('tokens are listed oldest first and deleted by id', async () => {
  const { token } = await create({ createdAt: day - 1 });
  expect((await tokens.list())[0]).toEqual(token);
  await tokens.delete(token.id);
  expect((await tokens.list()).map(({ id }) => id)).not.toContain(token.id);
  await expect(tokens.delete(token.id)).rejects.toMatchObject({ code: 'token.unknown', kind: 'not-found' });
});

test('it lets its user into its project, with its roles, until it expires or is revoked', async () => {
  let now = day;
  const clock = { now: () => now, monotonic: () => now };
  const api = await createTestApi({
    identity: createTokenIdentity({ find: (hash) => tokens.find(hash), maxAgeMs: 60_000, clock }),
  });
  const status = async (token: string | null, url = '/v1/p1/plans') => (await api.call('GET', url, { token })).statusCode;
  const { token, text } = await create();
  const { text: reader } = await create({ roles: ['reader'], expiresAt: day + 1000 });
  expect([await status(text), await status(text, '/v1/p2/plans'), await status(null), await status('karri_x')]).toEqual([
    200, 400, 401, 401,
  ]);
  expect((await api.call('POST', '/v1/p1/plans', { token: reader, body: {} })).statusCode).toBe(403);
  now += 1000;
  expect(await status(reader)).toBe(401);
  await tokens.delete(token.id);
  now += 59_000;
  expect(await status(text)).toBe(401);
  const refused = await api.call('GET', '/v1/p1/plans', { token: text });
  expect(refused.headers['www-authenticate']).toBe('Token realm="karri"');
  await api.app.close();
});
