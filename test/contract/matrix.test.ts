import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { listOperations, type Operation } from '../kit/operations.ts';
import { openTokenHouse, type TokenHouse } from '../kit/token-house.ts';

/**
 * Every operation of the document × every way to ask without the right to. It is made from the document, so a new route
 * is in it by itself; a new kind of id has to be said whose it is (`shared`, or a thing that `makeThings` makes).
 */
const roles = ['admin', 'manager', 'member', 'reader', 'nobody knows it'];
const mine = '5b0a7c21e9d84f3f8a6be2c4d1907f36';
const theirs = '6c1b8d32f0e95a409b7cf3d5e2a18047';
/** In the name of everything of theirs that has one. */
const canary = 'foreign-canary';

/** Ids that belong to no project, and one that is there. */
const shared: Record<string, string> = {
  provider_id: '',
  protectable_type: 'Host::Directory',
  instance_id: '',
  resource_id: '',
  service_id: '999999',
  // Of a whole bank; for administrators.
  gc_id: newId(),
  name: 'matrix',
  path: 'hello.txt',
};
/** What everybody may see of any project. */
const harmless = ['getQuotaDefaults'];

/** Ids of what one project has, by the names that paths, queries and bodies call them. */
type Things = Readonly<Record<string, string>>;

interface Hole {
  readonly operation: Operation;
  readonly what: string;
}

let house: TokenHouse;
let operations: Operation[];
let own: Things;
let foreign: Things;
const tokens = new Map<string, string>();
const counts = new Map<string, Map<string, number>>();
const holes: Hole[] = [];

beforeAll(async () => {
  house = await openTokenHouse(silentLog);
  operations = listOperations(house.house.server);
  for (const role of roles) tokens.set(role, await house.makeToken(mine, [role]));
  tokens.set('them', await house.makeToken(theirs, ['member']));
  shared['provider_id'] = await findId(mine, 'providers?name=default');
  shared['instance_id'] = await findId(mine, 'protectables/Host::Directory/instances');
  shared['resource_id'] = shared['instance_id'];
  own = await makeThings(mine, tokenOf('member'), 'own');
  foreign = await makeThings(theirs, tokenOf('them'), canary);
}, 120_000);
afterAll(() => house.close());

function tokenOf(who: string): string {
  const token = tokens.get(who);
  if (token === undefined) throw new Error(`There is no token for ${who}.`);
  return token;
}

/** The id of the first of a list. */
async function findId(project: string, path: string): Promise<string> {
  const response = await house.call('GET', `/v1/${project}/${path}`, tokenOf(project === mine ? 'member' : 'them'));
  const [list] = Object.values(response.json<Record<string, { id: string }[]>>());
  if (list?.[0] === undefined) throw new Error(`${path}: ${response.payload}`);
  return list[0].id;
}

async function makeThings(project: string, token: string, name: string): Promise<Things> {
  const base = `/v1/${project}`;
  const make = async (path: string, body: unknown): Promise<string> => {
    const response = await house.call('POST', `${base}/${path}`, token, body);
    const [made] = Object.values(response.json<Record<string, { id?: string }>>());
    if (response.statusCode !== 200 || made?.id === undefined) throw new Error(`POST ${path}: ${response.payload}`);
    return made.id;
  };
  const provider_id = shared['provider_id'];
  const resources = [{ id: shared['instance_id'], type: 'Host::Directory', name: 'notes' }];
  const plan_id = await make('plans', { plan: { name, provider_id, resources, parameters: {} } });
  const checkpoints = `providers/${provider_id}/checkpoints`;
  const checkpoint_id = await make(checkpoints, { checkpoint: { plan_id, 'extra-info': { note: name } } });
  await house.waitWhile(`${base}/${checkpoints}/${checkpoint_id}`, token, 'protecting');
  const parameters = { 'Host::Directory': { restore_name: newId() } };
  const restore_id = await make('restores', { restore: { provider_id, checkpoint_id, parameters } });
  const verification_id = await make('verifications', { verification: { provider_id, checkpoint_id, parameters: {} } });
  await house.waitWhile(`${base}/restores/${restore_id}`, token, 'in_progress');
  await house.waitWhile(`${base}/verifications/${verification_id}`, token, 'in_progress');
  const properties = { format: 'crontab', pattern: '0 2 * * *' };
  const trigger_id = await make('triggers', { trigger_info: { name, type: 'time', properties } });
  const operation_definition = { provider_id, plan_id };
  const scheduled_operation_id = await make('scheduled_operations', {
    scheduled_operation: { name, operation_type: 'protect', trigger_id, operation_definition },
  });
  const operation_log_id = await findId(project, 'operation_logs');
  return {
    quota_project_id: project,
    plan_id,
    checkpoint_id,
    restore_id,
    verification_id,
    trigger_id,
    scheduled_operation_id,
    operation_log_id,
  };
}

function pathOf({ path, requiredQuery }: Operation, project: string, things: Things): string {
  const givenFor = (name: string): string => {
    const value = name === 'project_id' ? project : (things[name] ?? shared[name]);
    if (value === undefined) throw new Error(`Whose is "${name}" of ${path}? Say it in this file.`);
    return encodeURIComponent(value);
  };
  const query = requiredQuery.map((name) => `${name}=${givenFor(name)}`).join('&');
  return path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => givenFor(name)) + (query === '' ? '' : `?${query}`);
}

/** The same with ids of nothing in place of those of things. */
function pathOfNothing(operation: Operation): string {
  const nothing = Object.fromEntries(Object.keys(own).map((name) => [name, newId()]));
  return pathOf(operation, mine, operation.method === 'GET' ? own : nothing);
}

/** A body with the ids of things wherever their names stand, however deep. There are only directories here. */
function withIds(body: unknown, things: Things): unknown {
  if (Array.isArray(body)) return body.map((item) => withIds(item, things));
  if (typeof body !== 'object' || body === null) return body;
  const members = Object.entries(body).map(([key, value]) => [
    key.replace('Host::Block', 'Host::Directory'),
    things[key] ?? (key.endsWith('_id') ? shared[key] : undefined) ?? withIds(value, things),
  ]);
  return Object.fromEntries(members);
}

const idsIn = (body: unknown): string[] => Object.keys(own).filter((name) => JSON.stringify(body ?? {}).includes(`"${name}":`));
const owned = (operation: Operation): string[] => operation.pathParameters.filter((name) => name in own);

/** Counts a case, and a hole unless the answer is as it has to be. */
function check(operation: Operation, kind: string, what: string, response: LightMyRequestResponse, isRight: boolean): void {
  const perKind = counts.get(operation.id) ?? new Map<string, number>();
  counts.set(operation.id, perKind.set(kind, (perKind.get(kind) ?? 0) + 1));
  if (!isRight) holes.push({ operation, what: `${kind}: ${what}: ${response.statusCode} ${response.payload.slice(0, 300)}` });
}

/** Whether an answer tells of their things anything but what the request itself named. */
function tells(response: LightMyRequestResponse, ...named: string[]): boolean {
  const secrets = [canary, ...Object.values(foreign)].filter((secret) => !named.some((text) => text.includes(secret)));
  return secrets.some((secret) => response.payload.includes(secret));
}

/** Holes of one kind, as text: none. */
function expectNone(kind: string): void {
  const found = holes.filter(({ what }) => what.startsWith(`${kind}:`));
  expect(found.map(({ operation, what }) => `${operation.method} ${operation.path} ${what}`)).toEqual([]);
}

/** Written down once more, so that a slip in the rules of the code shows. */
function mayCall(role: string, { rule }: Operation): boolean {
  if (/^(quota:(update|delete)|quota_class:update|service:\w+|provider:gc_\w+)$/.test(rule)) return role === 'admin';
  return role !== 'reader' || /:(\w+_)?(get|list)(_all|_default)?$/.test(rule);
}

describe('each operation', () => {
  test('does for each role what the rules say', async () => {
    for (const operation of operations) {
      for (const role of roles) {
        const response = await house.call(operation.method, pathOfNothing(operation), tokenOf(role), operation.body && {});
        const denied = response.payload.includes(`Policy does not allow ${operation.rule} `) && response.statusCode === 403;
        const right = mayCall(role, operation) ? !denied && response.statusCode !== 401 : denied;
        check(operation, 'role', role, response, right);
      }
    }
    expectNone('role');
  });

  test('is closed without a good token', async () => {
    const bad = { none: undefined, unknown: `karri_${'x'.repeat(43)}`, expired: await house.makeToken(mine, ['admin'], true) };
    for (const operation of operations) {
      for (const [what, token] of Object.entries(bad)) {
        const response = await house.call(operation.method, pathOf(operation, mine, own), token, operation.body);
        check(operation, 'token', what, response, response.statusCode === 401 && 'www-authenticate' in response.headers);
      }
    }
    expectNone('token');
  });

  test("is not reached through another project's path, by administrators neither", async () => {
    for (const operation of operations) {
      for (const role of roles) {
        const response = await house.call(operation.method, pathOf(operation, theirs, foreign), tokenOf(role), operation.body);
        const right = response.statusCode === 400 && response.payload.includes('not that of the token');
        check(operation, 'path', role, response, right);
      }
    }
    expectNone('path');
  });

  test('does not know ids of another project in its path; an administrator does', async () => {
    for (const operation of operations) {
      if (owned(operation).length === 0 || harmless.includes(operation.id)) continue;
      const url = pathOf(operation, mine, foreign);
      const body = operation.body && withIds(operation.body, own);
      for (const role of roles.filter((each) => each !== 'admin')) {
        const response = await house.call(operation.method, url, tokenOf(role), body);
        check(operation, 'id', role, response, [403, 404].includes(response.statusCode) && !tells(response, url));
      }
      if (operation.method !== 'GET') continue;
      const forAdmin = await house.call('GET', url, tokenOf('admin'));
      const forOwner = await house.call('GET', pathOf(operation, theirs, foreign), tokenOf('them'));
      check(
        operation,
        'id',
        'admin as owner',
        forAdmin,
        forAdmin.statusCode === forOwner.statusCode && forAdmin.statusCode < 401,
      );
    }
    expectNone('id');
  });

  test('does not know ids of another project in its query', async () => {
    for (const operation of operations) {
      const queries = operation.queryParameters.flatMap((name) => {
        if (name === 'all_tenants') return ['all_tenants=1', `all_tenants=1&project_id=${theirs}`];
        if (name === 'marker') return Object.values(foreign).map((id) => `marker=${id}`);
        if (name === 'project_id') return [`project_id=${theirs}`];
        return name in foreign ? [`${name}=${foreign[name]}`, `all_tenants=1&${name}=${foreign[name]}`] : [];
      });
      for (const query of queries) {
        const path = pathOf(operation, mine, own);
        const url = `${path}${path.includes('?') ? '&' : '?'}${query}`;
        const response = await house.call(operation.method, url, tokenOf('member'));
        check(operation, 'query', query, response, response.statusCode < 500 && !tells(response, url));
      }
    }
    expectNone('query');
    const all = await house.call('GET', `/v1/${mine}/plans?all_tenants=1`, tokenOf('admin'));
    expect(all.payload, 'an administrator sees what the others do not').toContain(canary);
  });

  test('does not know ids of another project in its body', async () => {
    for (const operation of operations) {
      for (const name of idsIn(operation.body)) {
        const url = pathOf(operation, mine, own);
        const body = withIds(operation.body, { ...own, [name]: foreign[name] ?? '' });
        const response = await house.call(operation.method, url, tokenOf('member'), body);
        const right = [400, 403, 404].includes(response.statusCode) && !tells(response, JSON.stringify(body));
        check(operation, 'body', name, response, right);
        const same = await house.call(operation.method, url, tokenOf('member'), withIds(operation.body, own));
        check(operation, 'body', `${name} of one's own`, same, same.statusCode === 200);
      }
    }
    expectNone('body');
  });

  test('that was refused has changed nothing of theirs', async () => {
    for (const operation of operations) {
      if (operation.method !== 'GET' || owned(operation).length === 0) continue;
      const response = await house.call('GET', pathOf(operation, theirs, foreign), tokenOf('them'));
      check(operation, 'owner', 'still there', response, response.statusCode === 200 || operation.id === 'getContentsRaw');
    }
    const plan = await house.call('GET', `/v1/${theirs}/plans/${foreign['plan_id']}`, tokenOf('them'));
    expect(plan.json().plan).toMatchObject({ name: canary, status: 'suspended' });
    const plans = await house.call('GET', `/v1/${theirs}/plans`, tokenOf('them'));
    expect(plans.json().plans).toHaveLength(1);
    expectNone('owner');
  });
});

test('the matrix, in figures', () => {
  const kinds = [...new Set([...counts.values()].flatMap((perKind) => [...perKind.keys()]))];
  const lines = operations.map(({ id, rule }) => {
    const cells = kinds.map((kind) => String(counts.get(id)?.get(kind) ?? '').padStart(6));
    return `${id.padEnd(34)} ${rule.padEnd(34)}${cells.join('')}`;
  });
  const cases = [...counts.values()].flatMap((perKind) => [...perKind.values()]).reduce((sum, count) => sum + count, 0);
  const head = `${'operation'.padEnd(34)} ${'rule'.padEnd(34)}${kinds.map((kind) => kind.padStart(6)).join('')}`;
  console.log(`${[head, ...lines].join('\n')}\n\nroutes ${operations.length}, cases ${cases}, holes ${holes.length}`);
  expect(operations.length).toBeGreaterThan(30);
  expect(cases).toBeGreaterThan(operations.length * 13);
  expect(holes).toHaveLength(0);
});
