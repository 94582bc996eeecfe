import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import { sleep } from '../../src/base/clock.ts';
import { newId } from '../../src/base/ids.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { type CallOptions, createTestApi, type TestApi } from '../kit/api.ts';
import { openTestCloud, otherProviderId, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';

/** The service's own server on real repositories in two banks: what only works together with the bytes. */
const north = createMemoryStore();
const south = createMemoryStore();
const random = createSeeded('api/real-banks');
const member = 'member:demo';

let host: TestHost;
let cloud: TestCloud;
let api: TestApi;
let plan: { id: string };

beforeAll(async () => {
  host = await makeTestHost();
  mkdirSync(join(host.first, 'tree', 'below'), { recursive: true });
  writeFileSync(join(host.first, 'tree', 'below', 'precious'), random.bytes(900_000));
  writeFileSync(join(host.first, 'disk.img'), random.bytes(10_000));
  cloud = await openTestCloud({
    bank: north,
    otherBank: south,
    plugins: [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection],
    volumeRoots: [host.first],
  });
  api = await createTestApi({ protection: cloud.protection, operations: cloud.operations });
  plan = await makePlan();
});
afterAll(async () => {
  await api.app.close();
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

type Method = Parameters<TestApi['call']>[0];

/** In the token's own project; as its administrator unless said otherwise. */
function ask(method: Method, path: string, body?: unknown, token = 'admin:demo') {
  const options: CallOptions = body === undefined ? { token } : { token, body };
  return api.call(method, `/v1/${token.split(':')[1]}${path}`, options);
}

async function makePlan(): Promise<{ id: string }> {
  const listed = await Promise.all(
    ['Host::Directory', 'Host::Block'].map((type) => ask('GET', `/protectables/${type}/instances`, undefined, member)),
  );
  const resources = listed.flatMap((response) => response.json().instances as { id: string; type: string; name: string }[]);
  const made = await ask(
    'POST',
    '/plans',
    {
      plan: {
        name: 'nightly',
        provider_id: providerId,
        resources: resources.map(({ id, type, name }) => ({ id, type, name })),
        parameters: {},
      },
    },
    member,
  );
  return made.json().plan;
}

async function protect(): Promise<string> {
  const made = await ask('POST', `/providers/${providerId}/checkpoints`, { checkpoint: { plan_id: plan.id } }, member);
  const { id } = made.json().checkpoint;
  expect((await cloud.settled(id)).status).toBe('available');
  return id;
}

const newVerification = (checkpoint_id: string, parameters: object = {}, token = member) =>
  ask('POST', '/verifications', { verification: { provider_id: providerId, checkpoint_id, parameters } }, token);

async function verify(checkpointId: string, parameters: object = {}) {
  const begun = await newVerification(checkpointId, parameters);
  expect([begun.statusCode, begun.json().verification.status]).toEqual([200, 'in_progress']);
  return over(`/verifications/${begun.json().verification.id}`, 'verification');
}

async function over(path: string, wrapper: string) {
  for (;;) {
    const shown = (await ask('GET', path)).json()[wrapper];
    if (shown.status !== 'in_progress') return shown;
    await sleep(20);
  }
}

const badRequest = (message: string) => ({ badRequest: { code: 400, message: expect.stringContaining(message) } });

describe('verifications', () => {
  test('say what was read of each resource', async () => {
    const checkpointId = await protect();
    const verification = await verify(checkpointId, { 'Host::Block': { percent: 100 } });
    expect(verification).toMatchObject({
      project_id: 'demo',
      provider_id: providerId,
      checkpoint_id: checkpointId,
      parameters: { 'Host::Block': { percent: '100' } },
      status: 'success',
      progress: null,
    });
    expect(Object.values(verification.resources_status)).toEqual(['available', 'available']);
    expect(Object.values(verification.resources_reason)).toEqual(['', '']);
    expect(verification.resources).toHaveLength(2);
    for (const one of verification.resources) {
      expect(one).toMatchObject({ outcome: 'sound', percent: 100, algorithm: 'blake3-keyed', damages: [], damage_count: 0 });
      expect(one.digest).toMatch(/^[0-9a-f]{64}$/);
      expect(one.read_bytes).toBeGreaterThanOrEqual(10_000);
    }
  });

  test('find a flipped bit, name object and path; the next protect heals it, and then all is sound', async () => {
    const checkpointId = await protect();
    const sizes: { key: string; sizeBytes: number }[] = [];
    for await (const { key, sizeBytes } of north.list('repositories/demo/packs/')) sizes.push({ key, sizeBytes });
    const { key } = sizes.reduce((a, b) => (a.sizeBytes > b.sizeBytes ? a : b));
    const bytes = Buffer.from(await north.get(key, { maxBytes: 64 << 20 }));
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await north.delete([key]);
    await north.put(key, bytes);

    const damaged = await verify(checkpointId);
    expect(damaged.status).toBe('fail');
    const hit = damaged.resources.filter((one: { outcome: string }) => one.outcome === 'damaged');
    expect(hit).toHaveLength(1);
    expect(hit[0]).toMatchObject({ type: 'Host::Directory', digest: null, damage_count: 1 });
    expect(hit[0].damages[0]).toContain(key.slice(key.indexOf('packs/')));
    expect(hit[0].damages[0]).toContain('below/precious');
    expect(damaged.resources_status[`${hit[0].type}#${hit[0].id}`]).toBe('error');
    expect(damaged.resources_reason[`${hit[0].type}#${hit[0].id}`]).not.toBe('');

    const next = await protect();
    expect((await verify(next)).status).toBe('success');
    // Chunks are shared, so the damaged one is whole again too.
    expect((await verify(checkpointId)).status).toBe('success');
  });

  test('that are refused are records that say so; a foreign checkpoint is 403', async () => {
    const checkpointId = await protect();
    const unknown = await newVerification(newId());
    expect([unknown.statusCode, unknown.json().verification.status]).toEqual([200, 'fail']);
    const badOption = await verify(checkpointId, { 'Host::Block': { percent: 0 } });
    expect(badOption.status).toBe('fail');
    expect(Object.values(badOption.resources_reason).join()).toContain('percent');
    const foreign = await newVerification(checkpointId, {}, 'member:stranger');
    expect([foreign.statusCode, Object.keys(foreign.json())]).toEqual([403, ['forbidden']]);
  });

  test.each<[object, string]>([
    [{ provider_id: undefined }, 'verification.provider_id is required'],
    [{ provider_id: 'x' }, 'verification.provider_id must be a UUID'],
    [{ checkpoint_id: undefined }, 'verification.checkpoint_id is required'],
    [{ checkpoint_id: 7 }, 'verification.checkpoint_id must be a string'],
    [{ parameters: { 'Host::Block': null } }, 'verification.parameters["Host::Block"] must be an object'],
    [{ status: 'success' }, 'verification has unknown members: status'],
  ])('refuse %j: %s', async (members, message) => {
    const good = { provider_id: providerId, checkpoint_id: newId(), parameters: {} };
    const refused = await ask('POST', '/verifications', { verification: { ...good, ...members } }, member);
    expect([refused.statusCode, refused.json()]).toEqual([400, badRequest(message)]);
  });

  test('are listed newest first, a page at a time, by status; strangers see none of them', async () => {
    const all = (await ask('GET', '/verifications', undefined, member)).json().verifications as { id: string; status: string }[];
    expect(all.length).toBeGreaterThan(4);
    const failed = all.filter(({ status }) => status === 'fail').map(({ id }) => id);
    expect(failed.length).toBeGreaterThan(1);
    const seen: string[] = [];
    for (let path: string | undefined = '/verifications?status=fail&limit=1'; path !== undefined; ) {
      const page: { verifications: { id: string }[]; verifications_links?: { rel: string; href: string }[] } = (
        await ask('GET', path, undefined, member)
      ).json();
      seen.push(...page.verifications.map(({ id }) => id));
      path = page.verifications_links?.[0]?.href.replace(/^.*\/v1\/demo/, '');
    }
    expect(seen).toEqual(failed);
    const ascending = (await ask('GET', '/verifications?sort=created_at:asc', undefined, member)).json().verifications;
    expect(ascending.map(({ id }: { id: string }) => id)).toEqual(all.map(({ id }) => id).toReversed());
    expect((await ask('GET', '/verifications?sort=name', undefined, member)).statusCode).toBe(400);
    expect((await ask('GET', '/verifications', undefined, 'member:nobody')).json()).toEqual({ verifications: [] });
    // Of his own: the one that was refused.
    const strangers = (await ask('GET', '/verifications', undefined, 'member:stranger')).json().verifications;
    expect(strangers).toMatchObject([{ project_id: 'stranger', status: 'fail', resources: [] }]);
    expect((await ask('GET', `/verifications/${all[0]?.id}`, undefined, 'member:stranger')).statusCode).toBe(404);
    expect((await ask('GET', '/verifications/x', undefined, member)).statusCode).toBe(400);
    expect((await ask('GET', `/verifications/${newId()}`, undefined, member)).statusCode).toBe(404);
  });
});

describe('copies', () => {
  const path = `/providers/${providerId}/checkpoints/action`;
  const target = (name: string) => ({ 'Host::Block': { target: name } });
  const copy = (body: object, token = member) => ask('POST', path, { copy: body }, token);

  test('are checkpoints of the other provider, each beside its original', async () => {
    const begun = await copy({ plan_id: plan.id, parameters: target('south') });
    expect(begun.statusCode).toBe(200);
    const { copy: made } = begun.json();
    expect(made).toEqual({
      project_id: 'demo',
      provider_id: providerId,
      plan_id: plan.id,
      parameters: target('south'),
      checkpoint_id: expect.any(Array),
    });
    const originals = (await ask('GET', `/providers/${providerId}/checkpoints`, undefined, member)).json().checkpoints;
    expect(made.checkpoint_id.map((pair: { checkpoint_protect_id: string }) => pair.checkpoint_protect_id)).toEqual(
      originals.map(({ id }: { id: string }) => id).toReversed(),
    );
    for (const { checkpoint_protect_id, checkpoint_copy_id } of made.checkpoint_id) {
      await cloud.settled(checkpoint_copy_id);
      const shown = await ask('GET', `/providers/${otherProviderId}/checkpoints/${checkpoint_copy_id}`, undefined, member);
      const { status, extra_info } = shown.json().checkpoint;
      expect([status, JSON.parse(extra_info)]).toMatchObject([
        'available',
        { copy_status: 'finished', copied_from_provider: providerId, copied_from_checkpoint: checkpoint_protect_id },
      ]);
    }
  });

  test('of nobody else, and to nowhere, are not made', async () => {
    const known = await storeKeys(south, '');
    expect((await copy({ plan_id: plan.id, parameters: target('south') }, 'member:stranger')).statusCode).toBe(404);
    expect((await copy({ plan_id: newId(), parameters: target('south') })).statusCode).toBe(404);
    for (const [body, message] of [
      [{ parameters: {} }, 'copy.plan_id is required'],
      [{ plan_id: 'x' }, 'copy.plan_id must be a UUID'],
      [{ plan_id: plan.id, parameters: [] }, 'copy.parameters must be an object'],
      [{ plan_id: plan.id, to: 'south' }, 'copy has unknown members: to'],
      [{ plan_id: plan.id }, 'Nothing says where'],
      [{ plan_id: plan.id, parameters: target('west') }, 'There is no provider west'],
      [{ plan_id: plan.id, parameters: target('north') }, 'north'],
    ] as const) {
      const refused = await copy(body);
      expect([refused.statusCode, refused.json()]).toEqual([400, badRequest(message)]);
    }
    expect(await storeKeys(south, '')).toEqual(known);
  });
});

describe('garbage collections', () => {
  const path = `/providers/${providerId}/gc`;

  test('say what they found of each project, and a look changes nothing', async () => {
    const before = await storeKeys(north, '');
    const begun = await ask('POST', path, { gc: { dry_run: true } });
    expect([begun.statusCode, begun.json().gc]).toMatchObject([
      200,
      { provider_id: providerId, dry_run: true, status: 'in_progress', repositories: [], ended_at: null },
    ]);
    const look = await over(`${path}/${begun.json().gc.id}`, 'gc');
    expect(look).toMatchObject({ status: 'success', ended_at: expect.any(String), progress: null });
    expect(await storeKeys(north, '')).toEqual(before);
    const done = await over(`${path}/${(await ask('POST', path, { gc: {} })).json().gc.id}`, 'gc');
    expect(done).toMatchObject({ dry_run: false, repositories: [{ project_id: 'demo', reason: '', generation: 1 }] });
    expect(done.repositories).toEqual(look.repositories);
    expect(done.repositories[0].kept.packs).toBeGreaterThan(0);
  });

  test('are listed newest first and a page at a time, of their own provider', async () => {
    const { gcs } = (await ask('GET', path)).json();
    expect(gcs.map(({ dry_run }: { dry_run: boolean }) => dry_run)).toEqual([false, true]);
    const page = (await ask('GET', `${path}?limit=1`)).json();
    expect(page.gcs).toEqual([gcs[0]]);
    expect(page.gcs_links).toMatchObject([{ rel: 'next', href: expect.stringContaining(`marker=${gcs[0].id}`) }]);
    expect((await ask('GET', `${path}?limit=1&marker=${gcs[0].id}`)).json().gcs).toEqual([gcs[1]]);
    expect((await ask('GET', `${path}?sort=name`)).statusCode).toBe(400);
    expect((await ask('GET', `/providers/${otherProviderId}/gc`)).json()).toEqual({ gcs: [] });
    expect((await ask('GET', `/providers/${otherProviderId}/gc/${gcs[0].id}`)).statusCode).toBe(404);
  });

  test('are for administrators, of providers that are there', async () => {
    for (const [method, body] of [
      ['POST', { gc: {} }],
      ['GET', undefined],
    ] as const) {
      expect((await ask(method, path, body, member)).statusCode).toBe(403);
      expect((await ask(method, `/providers/${newId()}/gc`, body)).statusCode).toBe(404);
    }
    for (const [gc, message] of [
      [{ dry_run: 'maybe' }, 'gc.dry_run must be a boolean'],
      [{ force: true }, 'gc has unknown members: force'],
    ] as const) {
      const refused = await ask('POST', path, { gc });
      expect([refused.statusCode, refused.json()]).toEqual([400, badRequest(message)]);
    }
  });
});
