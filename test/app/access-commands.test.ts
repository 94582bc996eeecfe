import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runCommand } from '../../src/app/cli/run.ts';
import { createTokenStore } from '../../src/db/token-store.ts';
import { hashToken } from '../../src/model/access-token.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'karri-access-'));
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function karri(...args: string[]) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const environment = { KARRI_STATE_DIR: folder, DATABASE_URL: database.url };
  const code = await runCommand(args, { out: stream('out'), err: stream('err'), environment });
  return { code, ...written };
}

test('a token is made, shown once, listed without its text, and revoked', async () => {
  const made = await karri(
    'token',
    'create',
    '--user',
    'alice',
    '--project',
    'p1',
    '--role',
    'reader',
    '--role',
    'auditor',
    '--days',
    '2',
  );
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^karri_[\w-]{43}\n$/) });
  const token = await createTokenStore(database.knex).find(hashToken(made.out.trim()));
  expect(token).toMatchObject({ userId: 'alice', projectId: 'p1', roles: ['reader', 'auditor'], name: '' });
  expect((token?.expiresAt ?? 0) - (token?.createdAt ?? 0)).toBe(2 * 86_400_000);
  await karri('token', 'create', '--user', 'bob', '--project', 'p1', '--name', 'ci of bob');
  const listed = await karri('token', 'list');
  expect(listed.out).toMatch(
    /^\S{36} {2}alice {2}p1 {2}reader,auditor {2}until .*\n\S{36} {2}bob {2}p1 {2}member {2}no end {2}ci of bob\n$/,
  );
  expect(listed.out).not.toContain(made.out.trim().slice(6, 20));
  expect(await karri('token', 'revoke', token?.id ?? '')).toEqual({ code: 0, out: '', err: '' });
  expect((await karri('token', 'list')).out).not.toContain('alice');
  expect(await karri('token', 'revoke', token?.id ?? '')).toMatchObject({ code: 1, err: expect.stringContaining('token list') });
});

test.each([
  [['token', 'create', '--user', 'alice'], '--project is missing'],
  [['token', 'create', '--user', 'a/b', '--project', 'p'], '--user is "a/b"'],
  [['token', 'create', '--user', 'a', '--project', 'p', '--role', ''], '--role is ""'],
  [['token', 'create', '--user', 'a', '--project', 'p', '--days', '0'], '--days is "0"'],
  [['token', 'revoke'], 'which token'],
  [['keystone', 'register', '--url', 'nowhere'], '--url is "nowhere"'],
])('karri %j is a wrong call', async (args, part) => {
  expect(await karri(...args)).toMatchObject({ code: 2, err: expect.stringContaining(part) });
});

test('the policy is shown as a policy file would say it, with what the operator changed', async () => {
  writeFileSync(join(folder, 'policy.yaml'), "'plan:delete': 'rule:manager'\n");
  const { code, out } = await karri('policy', 'show');
  expect([code, parse(out)]).toEqual([
    0,
    expect.objectContaining({ 'plan:delete': 'rule:manager', context_is_admin: 'role:admin' }),
  ]);
  expect(out.match(/# .*policy\.yaml$/gm)).toHaveLength(1);
  writeFileSync(join(folder, 'policy.yaml'), "'plan:remove': '@'\n");
  expect(await karri('policy', 'show')).toMatchObject({ code: 1, err: expect.stringContaining('plan:remove') });
  rmSync(join(folder, 'policy.yaml'));
});
