import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeystoneIdentity } from '../../src/api/identity/keystone.ts';
import { createKeystoneClient } from '../../src/api/identity/keystone-client.ts';
import { runCommand } from '../../src/app/cli/run.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createTestApi } from '../kit/api.ts';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { findObstacle } from '../kit/real-server.ts';

const run = promisify(execFile);
const script = join(import.meta.dirname, 'keystone.sh');
const port = 25_480;
const url = `http://127.0.0.1:${port}/v3`;
const cacheSeconds = 3;
const password = 'keystone-canary';

interface Login {
  readonly user: string;
  readonly password: string;
  /** By name; undefined: a token of nothing. */
  readonly project?: string;
}

interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** The body is believed to be what the caller says. */
async function ask<Body>(method: string, address: string, token: string | undefined, body?: unknown): Promise<Answer<Body>> {
  const response = await fetch(address, {
    method,
    headers: { ...(token !== undefined && { 'x-auth-token': token }), 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

async function login({
  user,
  password: secret,
  project,
}: Login): Promise<{ text: string; catalogue: string; expiresAt: number }> {
  const domain = { id: 'default' };
  const scope = project === undefined ? 'unscoped' : { project: { name: project, domain } };
  const auth = { identity: { methods: ['password'], password: { user: { name: user, domain, password: secret } } }, scope };
  const { status, headers, body } = await ask<{ token: { catalog?: unknown; expires_at: string } }>(
    'POST',
    `${url}/auth/tokens`,
    undefined,
    { auth },
  );
  expect(status).toBe(201);
  const { catalog, expires_at: end } = body.token;
  return { text: headers.get('x-subject-token') ?? '', catalogue: JSON.stringify(catalog), expiresAt: Date.parse(end) };
}

const obstacle = await findObstacle(script);
if (obstacle === undefined) describe('a real Keystone', testKeystone);
else test.skip(`Keystone: ${obstacle}`, () => undefined);

function testKeystone(): void {
  let folder: string;
  let karri: KarriProcess;
  let projectId: string;
  let adminToken: string;
  const alice = { user: 'alice', password: 'alice-canary', project: 'one' };
  const rita = { user: 'rita', password: 'rita-canary', project: 'one' };
  const admin = { user: 'admin', password: 'secret', project: 'admin' };

  const start = (tokenSeconds = 3600) =>
    run('bash', [script, 'start', folder, String(port)], {
      timeout: 300_000,
      env: { ...process.env, KEYSTONE_TOKEN_SECONDS: String(tokenSeconds) },
    });
  const stop = () => run('bash', [script, 'stop', folder]);
  const plans = async (token: string, project = projectId) =>
    (await ask('GET', `${karri.url}/v1/${project}/plans`, token)).status;
  const createPlan = async (token: string) =>
    (await ask('POST', `${karri.url}/v1/${projectId}/plans`, token, { plan: { name: 'x' } })).status;
  /** Asks until the answer is that, and says how long it took. */
  const until = async (wanted: number, token: string): Promise<number> => {
    const from = systemClock.monotonic();
    for (;;) {
      const status = await plans(token);
      const tookMs = systemClock.monotonic() - from;
      if (status === wanted) return tookMs;
      expect(tookMs, `the answer is still ${status}`).toBeLessThan(60_000);
      await sleep(100);
    }
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'karri-keystone-'));
    await start();
    adminToken = (await login(admin)).text;
    const make = async (noun: string, body: Record<string, unknown>): Promise<string> => {
      const answer = await ask<Record<string, { id: string }>>('POST', `${url}/${noun}s`, adminToken, { [noun]: body });
      expect(answer.status).toBe(201);
      return answer.body[noun]?.id ?? '';
    };
    const { body } = await ask<{ roles: { id: string; name: string }[] }>('GET', `${url}/roles`, adminToken);
    const known = (body['roles'] as unknown as { id: string; name: string }[]).map(({ id, name }) => [name, id] as const);
    const roles = new Map(known);
    if (!roles.has('service')) roles.set('service', await make('role', { name: 'service' }));
    const services = await make('project', { name: 'service' });
    projectId = await make('project', { name: 'one' });
    const grant = async (user: string, project: string, role: string) =>
      expect((await ask('PUT', `${url}/projects/${project}/users/${user}/roles/${roles.get(role)}`, adminToken)).status).toBe(
        204,
      );
    await grant(await make('user', { name: 'karri', password }), services, 'service');
    await grant(await make('user', { name: alice.user, password: alice.password }), projectId, 'member');
    await grant(await make('user', { name: rita.user, password: rita.password }), projectId, 'reader');
    karri = await createKarriProcess({
      stateDir: join(folder, 'karri'),
      settings: {
        KARRI_AUTH: 'keystone',
        KARRI_KEYSTONE_URL: url,
        KARRI_KEYSTONE_USER: 'karri',
        KARRI_KEYSTONE_PASSWORD: password,
        KARRI_KEYSTONE_TIMEOUT_SECONDS: '60',
        KARRI_TOKEN_CACHE_SECONDS: String(cacheSeconds),
      },
    });
    await karri.start();
  });
  afterAll(async () => {
    await karri?.dispose();
    await stop();
    await rm(folder, { recursive: true });
  });

  test('has the service in its catalogue once, however often it is registered', async () => {
    const register = async (...args: string[]): Promise<string> => {
      let written = '';
      const out = { write: (text: string) => (written += text) };
      const environment = {
        KARRI_STATE_DIR: folder,
        KARRI_KEYSTONE_TIMEOUT_SECONDS: '60',
        OS_AUTH_URL: url,
        OS_USERNAME: admin.user,
        OS_PASSWORD: admin.password,
        OS_PROJECT_NAME: admin.project,
      };
      const code = await runCommand(['keystone', 'register', ...args], { out, err: out, environment });
      expect(code, written).toBe(0);
      return written;
    };
    expect(await register('--url', karri.url)).toMatch(/made the service data-protect.*\n(made the \w+ endpoint.*\n){3}$/);
    expect(await register('--url', karri.url)).toMatch(/already/);
    expect(await register('--url', 'https://dp.example.test')).toMatch(/^(changed the \w+ endpoint.*\n){3}$/);
    expect(await register('--url', karri.url, '--region', 'South')).toMatch(/^(made the \w+ endpoint of South.*\n){3}$/);
    await register('--url', karri.url);
    const { catalogue } = await login(alice);
    expect(catalogue).toContain('"type":"data-protect"');
    expect(catalogue).toContain(`"url":"${karri.url}/v1/${projectId}"`);
    expect(catalogue.split('data-protect')).toHaveLength(2);
  });

  test('says who may do what in which project', async () => {
    const [member, reader, stranger, nothing] = await Promise.all([
      login(alice),
      login(rita),
      login(admin),
      login({ user: admin.user, password: admin.password }),
    ]);
    expect([await plans(member.text), await plans(reader.text)]).toEqual([200, 200]);
    expect([await createPlan(member.text), await createPlan(reader.text)]).toEqual([400, 403]);
    expect([await plans(stranger.text), await plans(nothing.text), await plans(member.text, 'admin')]).toEqual([400, 400, 400]);
    expect((await ask('GET', `${karri.url}/v1/${projectId}/os-services`, member.text)).status).toBe(403);
    const refused = await ask('GET', `${karri.url}/v1/${projectId}/plans`, 'gAAAA-nonsense');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, `Keystone uri="${url}"`]);
  });

  test('is asked with the token itself where the service has no user', async () => {
    const client = createKeystoneClient({ url, timeoutMs: 60_000, clock: systemClock, account: undefined });
    const identity = createKeystoneIdentity({ client, publicUrl: url, maxAgeMs: 0, clock: systemClock });
    const api = await createTestApi({ identity });
    const { text } = await login(alice);
    const status = async (token: string) => (await api.call('GET', `/v1/${projectId}/plans`, { token })).statusCode;
    expect([await status(text), await status('gAAAA-nonsense')]).toEqual([200, 401]);
    await api.app.close();
  });

  test('takes a token back, and the service follows', async () => {
    const { text } = await login(alice);
    expect(await plans(text)).toBe(200);
    const response = await fetch(`${url}/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': adminToken, 'x-subject-token': text },
    });
    expect(response.status).toBe(204);
    const tookMs = await until(401, text);
    process.stdout.write(
      `\na revoked token is refused after ${(tookMs / 1000).toFixed(1)} s; the setting is ${cacheSeconds} s\n`,
    );
  });

  test('that is stopped lets nobody in; started again it does', async () => {
    const [used, fresh] = await Promise.all([login(alice), login(alice)]);
    expect(await plans(used.text)).toBe(200);
    await stop();
    expect(await plans(fresh.text)).toBe(503);
    await until(503, used.text);
    await start(15);
    expect([await plans(fresh.text), await plans(used.text)]).toEqual([200, 200]);
  });

  test('gives tokens that end, and the service knows their end', async () => {
    // Since the start before this test a token lives for 15 seconds.
    const { text, expiresAt } = await login(alice);
    expect(await plans(text)).toBe(200);
    await sleep(Math.max(0, expiresAt - systemClock.now()));
    expect(await plans(text)).toBe(401);
  });

  test('leaves no token and no password in the log', async () => {
    const { text } = await login(alice);
    await plans(text);
    const log = await readFile(karri.logFile, 'utf8');
    expect(log).toContain('Keystone');
    for (const secret of [password, alice.password, text, text.slice(10, 60)]) expect(log).not.toContain(secret);
  });
}
