import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import type { ContentsEntry } from '../../src/model/contents.ts';
import { createTestApi, type TestApi } from '../kit/api.ts';
import { fakePieceBytes } from '../kit/fake-contents.ts';
import { providerId, volumeId } from '../kit/fake-protection.ts';
import { createSeeded } from '../kit/seeded.ts';

let api: TestApi;
let base: string;
let path: string;
const unknown = '00000000-0000-4000-8000-000000000000';
const bytes = createSeeded('contents').bytes(20 * fakePieceBytes + 123);

const entry = (name: string, more: Partial<ContentsEntry> = {}): ContentsEntry => ({
  name,
  path: `a/${name}`,
  type: 'file',
  sizeBytes: bytes.length,
  attributes: { mode: 0o4644, uid: 0, gid: 5, mtimeNs: 1_600_000_000_000_000_001n },
  target: null,
  ...more,
});

beforeAll(async () => {
  api = await createTestApi();
  base = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api.app.close());
beforeEach(async () => {
  api.protection.reset();
  api.errors.length = 0;
  const resources = [{ id: volumeId, type: 'OS::Cinder::Volume', name: 'db-data' }];
  const body = { plan: { name: 'nightly db', provider_id: providerId, resources, parameters: {} } };
  const planId = (await api.call('POST', '/v1/p1/plans', { body })).json().plan.id;
  const checkpoints = `/v1/p1/providers/${providerId}/checkpoints`;
  const { id } = (await api.call('POST', checkpoints, { body: { checkpoint: { plan_id: planId } } })).json().checkpoint;
  path = `${checkpoints}/${id}/resources/${volumeId}`;
  api.protection.contents.entries = [entry('one'), entry('zwei ä'), entry('t%2541%FF')];
  api.protection.contents.bytes = bytes;
});

const refused = (status: number, name: string) => [status, { [name]: { code: status, message: expect.any(String) } }];

describe('entries', () => {
  test('are shown as JSON', async () => {
    api.protection.contents.entries = [
      entry('file'),
      entry('link', { type: 'symlink', sizeBytes: 0, target: '../x' }),
      entry('again', { type: 'hardlink', sizeBytes: 0, attributes: null, target: 'a/file' }),
      entry('old', { attributes: { mode: 0, uid: 1, gid: 2, mtimeNs: -1n } }),
      entry('older', { attributes: { mode: 0, uid: 1, gid: 2, mtimeNs: -(2n ** 90n) } }),
      entry('latest', { attributes: { mode: 0, uid: 1, gid: 2, mtimeNs: 253_402_300_799_999_999_999n } }),
    ];
    const response = await api.call('GET', `${path}/entries?path=a`);
    expect(response.statusCode).toBe(200);
    const { entries } = response.json();
    expect(entries[0]).toEqual({
      name: 'file',
      path: 'a/file',
      type: 'file',
      size: bytes.length,
      mode: '4644',
      uid: 0,
      gid: 5,
      mtime: '2020-09-13T12:26:40.000000001Z',
      target: null,
    });
    expect(entries[1]).toMatchObject({ type: 'symlink', target: '../x' });
    expect(entries[2]).toMatchObject({ type: 'hardlink', target: 'a/file', mode: null, uid: null, gid: null, mtime: null });
    expect(entries.slice(3).map(({ mtime }: { mtime: unknown }) => mtime)).toEqual([
      '1969-12-31T23:59:59.999999999Z',
      null,
      '9999-12-31T23:59:59.999999999Z',
    ]);
    expect(api.protection.contents.seen).toMatchObject({ path: 'a', of: { providerId, resourceId: volumeId } });
  });

  test('are paged by their paths, whatever these hold', async () => {
    const names: string[] = [];
    let url: string | undefined = `${path}/entries?limit=1`;
    while (url !== undefined) {
      const page: { entries: { name: string }[]; entries_links?: { href: string }[] } = (await api.call('GET', url)).json();
      names.push(...page.entries.map(({ name }) => name));
      url = page.entries_links?.[0]?.href.replace(/^http:..[^/]*/, '');
    }
    expect(names).toEqual(['one', 'zwei ä', 't%2541%FF']);
  });

  test.each<[string, number]>([
    ['limit=0', 400],
    ['recursive=perhaps', 400],
  ])('with %s are %i', async (query, status) => {
    const response = await api.call('GET', `${path}/entries?${query}`);
    expect([response.statusCode, response.json()]).toEqual(refused(status, 'badRequest'));
  });

  test.each<[string, string]>([
    ['a%20b', 'a b'],
    ['a+b', 'a b'],
    ['%C3%A4', 'ä'],
    ['a%25FF', 'a%FF'],
    // No UTF-8: it arrives as it was sent, and means the same.
    ['a%FFb%20c', 'a%FFb%20c'],
  ])('of path=%s are those of %s', async (sent, arrives) => {
    await api.call('GET', `${path}/entries?path=${sent}`);
    expect(api.protection.contents.seen.path).toBe(arrives);
  });
});

describe.each(['entries', 'file?path=a/one', 'raw', 'tar'])('%s', (what) => {
  test('has malformed, unknown and foreign ids', async () => {
    const status = async (url: string, token = 'admin:p1') => (await api.call('GET', `${url}/${what}`, { token })).statusCode;
    expect(await status(path)).toBe(200);
    expect(await status(path.replace(providerId, 'x'))).toBe(400);
    expect(await status(path.replace(providerId, unknown))).toBe(404);
    expect(await status(path.replace(/checkpoints\/[^/]+/, 'checkpoints/x'))).toBe(400);
    expect(await status(path.replace(/checkpoints\/[^/]+/, `checkpoints/${unknown}`))).toBe(404);
    expect(await status(path.replace(volumeId, 'x'))).toBe(404);
    expect(await status(path.replace('p1', 'p2'), 'member:p2')).toBe(403);
    expect((await api.call('GET', `${path}/${what}`, { token: null })).statusCode).toBe(204);
  });
});

describe.each(['file?path=a/one', 'raw'])('%s', (what) => {
  const get = (headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    api.call(method, `${path}/${what}`, { headers });

  test('comes whole', async () => {
    const response = await get();
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(bytes)).toBe(true);
    expect(response.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      etag: `"id-${bytes.length}"`,
      'content-disposition': expect.stringContaining('attachment; filename="'),
      'x-openstack-request-id': expect.stringMatching(/^req-/),
    });
  });

  test.each<[string, number, number]>([
    ['bytes=0-0', 0, 1],
    ['bytes=5-1999', 5, 2000],
    ['bytes=100-', 100, bytes.length],
    ['bytes=-7', bytes.length - 7, bytes.length],
    ['bytes=-999999999', 0, bytes.length],
    ['bytes=1-999999999', 1, bytes.length],
    ['Bytes=3-4', 3, 5],
  ])('comes in parts: %s', async (range, from, to) => {
    const response = await get({ range });
    expect(response.statusCode).toBe(206);
    expect(response.rawPayload.equals(bytes.subarray(from, to))).toBe(true);
    expect(response.headers).toMatchObject({
      'content-length': String(to - from),
      'content-range': `bytes ${from}-${to - 1}/${bytes.length}`,
    });
  });

  test.each(['bytes=20123-', 'bytes=99999-99999', 'bytes=-0'])('has no part %s', async (range) => {
    const response = await get({ range });
    expect([response.statusCode, response.json()]).toEqual(refused(416, 'rangeNotSatisfiable'));
    expect(response.headers).toMatchObject({ 'content-range': `bytes */${bytes.length}` });
    expect(response.headers.etag).toBeUndefined();
  });

  test.each(['bytes=4-3', 'bytes=-', 'bytes=0-1,5-6', 'lines=1-2', 'x'])('takes %s for nothing', async (range) => {
    expect((await get({ range })).statusCode).toBe(200);
  });

  test('is not sent to who has it, and whole to who has something else', async () => {
    const tag = `"id-${bytes.length}"`;
    const known = await get({ 'if-none-match': `"other", ${tag}` });
    expect([known.statusCode, known.payload, known.headers.etag]).toEqual([304, '', tag]);
    expect((await get({ 'if-none-match': '"other"' })).statusCode).toBe(200);
    expect((await get({ range: 'bytes=0-1', 'if-range': tag })).statusCode).toBe(206);
    expect((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).statusCode).toBe(200);
  });

  test('answers HEAD without reading anything', async () => {
    api.protection.contents.breakAt = { bytes: 0, fault: new Fault('internal', 'test.read', 'It was read.') };
    const response = await get({}, 'HEAD');
    expect([response.statusCode, response.payload]).toEqual([200, '']);
    expect(response.headers).toMatchObject({ 'content-length': String(bytes.length), etag: expect.any(String) });
    expect((await get({ range: 'bytes=5-9' }, 'HEAD')).headers).toMatchObject({ 'content-length': '5' });
  });

  test('of nothing is empty', async () => {
    api.protection.contents.bytes = Buffer.alloc(0);
    const response = await get();
    expect([response.statusCode, response.payload, response.headers['content-length']]).toEqual([200, '', '0']);
    expect((await get({ range: 'bytes=0-' })).statusCode).toBe(416);
  });

  test('that is damaged from its beginning is a fault', async () => {
    api.protection.contents.breakAt = { bytes: 0, fault: new Fault('corrupt', 'test.damaged', 'Pack x is damaged.') };
    const response = await get({ range: 'bytes=5-' });
    expect([response.statusCode, response.json()]).toEqual(refused(503, 'serviceUnavailable'));
    expect(response.headers).not.toMatchObject({ 'content-range': expect.anything() });
    expect(response.headers.etag).toBeUndefined();
  });
});

test('a file that is not there is 404, one that is not named 400', async () => {
  const absent = await api.call('GET', `${path}/file?path=nowhere`);
  expect([absent.statusCode, absent.json()]).toEqual(refused(404, 'itemNotFound'));
  const none = await api.call('GET', `${path}/file`);
  expect([none.statusCode, none.json()]).toEqual(refused(400, 'badRequest'));
});

test('the name of a file is told in every form', async () => {
  const response = await api.call('GET', `${path}/file?path=${encodeURIComponent('a/zwei ä')}`);
  expect(response.headers['content-disposition']).toBe(`attachment; filename="zwei _"; filename*=UTF-8''zwei%20%C3%A4`);
});

test('the type of a resource is handed on', async () => {
  await api.call('GET', `${path}/raw?type=OS::Cinder::Volume`);
  expect(api.protection.contents.seen.of).toMatchObject({ type: 'OS::Cinder::Volume' });
});

test('a tar has no length to tell', async () => {
  const response = await api.call('GET', `${path}/tar?path=a`);
  expect(response.statusCode).toBe(200);
  expect(response.rawPayload.equals(bytes)).toBe(true);
  expect(response.headers).toMatchObject({
    'content-type': 'application/x-tar',
    'content-disposition': expect.stringContaining('filename="db-data.tar"'),
  });
  expect(response.headers['content-length']).toBeUndefined();
});

describe('over a connection', () => {
  /** What came of an answer, and whether it ended as it should. */
  function receive(what: string, onData: (received: number, destroy: () => void) => void = () => undefined) {
    return new Promise<{ bytes: number; whole: boolean }>((resolve) => {
      const request = httpRequest(`${base}${path}/${what}`, { headers: { 'x-auth-token': 'admin:p1' } }, (response) => {
        let received = 0;
        response.on('data', (data: Buffer) => {
          received += data.length;
          onData(received, () => request.destroy());
        });
        response.on('error', () => undefined);
        response.on('close', () => resolve({ bytes: received, whole: response.complete }));
      });
      request.on('error', () => undefined);
      request.end();
    });
  }

  test.each(['raw', 'tar'])('%s that is damaged in the middle breaks off, and is logged', async (what) => {
    const fault = new Fault('corrupt', 'test.damaged', 'Pack x is damaged.');
    api.protection.contents.breakAt = { bytes: 5 * fakePieceBytes, fault };
    const received = await receive(what);
    expect(received.whole).toBe(false);
    expect(received.bytes).toBeLessThan(bytes.length);
    expect(api.errors).toEqual([{ requestId: expect.stringMatching(/^req-/), error: fault }]);
    expect(api.protection.contents.open).toBe(0);
  });

  test.each(['raw', 'tar'])('%s ends with the client', async (what) => {
    api.protection.contents.hangAt = 5 * fakePieceBytes;
    await receive(what, (_received, destroy) => destroy());
    await vi.waitFor(() => expect(api.protection.contents.seen.signal?.aborted).toBe(true));
    await vi.waitFor(() => expect(api.protection.contents.open).toBe(0));
    expect(api.errors).toEqual([]);
  });

  test('nothing is left on its way when all has gone well', async () => {
    expect(await receive('raw')).toEqual({ bytes: bytes.length, whole: true });
    expect(api.protection.contents.open).toBe(0);
  });

  test.each([
    ['reads nothing', Buffer.alloc(24 << 20), undefined],
    ['waits for more', bytes, fakePieceBytes],
  ])('a service that stops does not wait for a client that %s', async (_name, content, hangAt) => {
    const other = await createTestApi();
    Object.assign(other.protection.contents, { bytes: content, hangAt });
    other.protection.store.checkpoints.push(...api.protection.store.checkpoints);
    const address = await other.app.listen({ host: '127.0.0.1', port: 0 });
    const response = await fetch(`${address}${path}/raw`, { headers: { 'x-auth-token': 'admin:p1' } });
    await other.app.close();
    await expect(response.arrayBuffer()).rejects.toThrow();
    await vi.waitFor(() => expect(other.protection.contents.open).toBe(0));
  });
});
