import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/app/log.ts';
import { newId } from '../../src/base/ids.ts';
import { listOperations } from '../kit/operations.ts';
import { openTokenHouse, type TokenHouse } from '../kit/token-house.ts';

/**
 * Secrets go in through every door, in good and bad requests, beside a whole protect and restore. Afterwards everything
 * the service has written is searched for them: log, answers, every row of the database, every byte of the banks.
 */
const project = '5b0a7c21e9d84f3f8a6be2c4d1907f36';
const secrets = { type: 'password', username: 'dr', password: 'canary-password', token: 'canary-token' };
/** Their beginnings: an excerpt is a leak too. */
const canaries = ['canary-p', 'canary-t'];

let house: TokenHouse;
let log = '';
let token: string;
const answers: string[] = [];

beforeAll(async () => {
  house = await openTokenHouse(createLog({ level: 'debug', format: 'json', output: { write: (line) => (log += line) } }));
  token = await house.makeToken(project, ['admin']);
  canaries.push(token, token.slice(6));
  canaries.push(readFileSync(join(house.folder, 'providers.d/default.key'), 'utf8').trim());
}, 60_000);
afterAll(() => house.close());

async function send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, given = token): Promise<unknown> {
  const response = await house.call(method, `/v1/${project}${path}`, given, body);
  answers.push(JSON.stringify(response.headers), response.payload);
  return response.payload.startsWith('{') ? response.json() : {};
}

async function makeId(path: string, body: unknown): Promise<string> {
  const [made] = Object.values((await send('POST', path, body)) as Record<string, { id: string }>);
  if (made?.id === undefined) throw new Error(`POST ${path}: ${answers.at(-1)}`);
  return made.id;
}

/** Where a canary stands, with what is around it. */
function findCanaries(place: string, text: string): string[] {
  return canaries.flatMap((canary) => {
    const at = text.indexOf(canary);
    return at < 0 ? [] : [`${place}: …${text.slice(Math.max(0, at - 80), at + 80)}…`];
  });
}

describe('secrets', () => {
  test('go in by every route', async () => {
    const { id: provider_id } = ((await send('GET', '/providers?name=default')) as { providers: { id: string }[] })
      .providers[0] ?? { id: '' };
    const { instances } = (await send('GET', '/protectables/Host::Directory/instances')) as { instances: { id: string }[] };
    const resources = [{ id: instances[0]?.id, type: 'Host::Directory', name: 'notes' }];
    const plan_id = await makeId('/plans', { plan: { name: 'p', provider_id, resources, parameters: {} } });
    const checkpoint_id = await makeId(`/providers/${provider_id}/checkpoints`, { checkpoint: { plan_id } });
    const base = `/v1/${project}`;
    await house.waitWhile(`${base}/providers/${provider_id}/checkpoints/${checkpoint_id}`, token, 'protecting');

    const restore = { provider_id, checkpoint_id, restore_auth: secrets };
    const wanted = { 'Host::Directory': { restore_name: newId() } };
    const done = await makeId('/restores', { restore: { ...restore, parameters: wanted } });
    await house.waitWhile(`${base}/restores/${done}`, token, 'in_progress');
    // Refused in each way there is: by the engine, by the schema, by the parser, by the type, by the policy, by the token.
    await send('POST', '/restores', { restore: { ...restore, parameters: wanted, restore_target: 'https://x.test/v3' } });
    await send('POST', '/restores', { restore: { ...restore, parameters: { 'Host::Directory': { nonsense: 'x' } } } });
    await send('POST', '/restores', { restore: { ...restore, checkpoint_id: newId(), parameters: {} } });
    await send('POST', '/restores', {
      restore: { ...restore, restore_auth: { ...secrets, inner: { password: 'canary-password' } } },
    });
    await send('POST', '/restores', { restore: { ...restore, parameters: {}, restore_auth: 'canary-password' } });
    await send('POST', '/restores', { restore: { ...restore, parameters: {}, restore_auth: ['canary-password'] } });
    const text = JSON.stringify({ restore: { ...restore, parameters: {} } });
    for (const broken of [text.slice(0, -3), `${text}}`, text.replace('"canary-password"', 'canary-password')])
      await send('POST', '/restores', broken);
    await send('POST', '/restores', { restore }, await house.makeToken(project, ['reader']));
    await send('POST', '/restores', { restore }, 'canary-token');

    // As a body that no route wants, with an authentic token, a bad one and none.
    for (const operation of listOperations(house.house.server)) {
      const path = operation.path.replace('/v1/{project_id}', '').replaceAll(/\{\w+\}/g, newId());
      const body = operation.body && { ...Object(operation.body), restore_auth: secrets };
      await send(operation.method, path, body);
      await send(operation.method, path, body && { restore_auth: secrets });
      await send(operation.method, path, body && 'canary-password', 'canary-token');
    }
    expect(answers.length).toBeGreaterThan(100);
  });

  test('are told to nobody, and a restore went well with them', () => {
    expect(answers.flatMap((answer) => findCanaries('answer', answer))).toEqual([]);
    expect(answers.filter((answer) => answer.includes('"status":"fail"')).length).toBeGreaterThanOrEqual(3);
  });

  test('are not in the log, which is there', () => {
    expect(log.length).toBeGreaterThan(100);
    expect(findCanaries('log', log)).toEqual([]);
  });

  test('are in no row of the database, nor is a token', async () => {
    const { knex } = house.database;
    const query =
      "select table_schema as schema, table_name as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')";
    const { rows: tables }: { rows: { schema: string; name: string }[] } = await knex.raw(query);
    let rowCount = 0;
    for (const { schema, name } of tables) {
      const { rows }: { rows: { text: string }[] } = await knex.raw('select t::text as text from ??.?? t', [schema, name]);
      rowCount += rows.length;
      expect(rows.flatMap(({ text }) => findCanaries(`${schema}.${name}`, text))).toEqual([]);
    }
    expect(tables.map(({ name }) => name)).toContain('restores');
    expect(rowCount).toBeGreaterThan(20);
  });

  test('are in no object of the banks, and in no file but those that are secret', () => {
    const files = readdirSync(house.folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(house.folder, name)).isFile(),
    );
    expect(files.filter((name) => name.startsWith('bank/')).length).toBeGreaterThan(3);
    const found = files.flatMap((name) =>
      name.endsWith('.key') ? [] : findCanaries(name, readFileSync(join(house.folder, name), 'latin1')),
    );
    expect(found).toEqual([]);
  });
});
