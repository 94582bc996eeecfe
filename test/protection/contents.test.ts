import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import type { Api } from '../../src/api/declare.ts';
import { createNoauthIdentity } from '../../src/api/identity/noauth.ts';
import { createServer } from '../../src/api/server.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { ContentsEntryJson } from '../../src/model/contents.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { caller, openTestCloud, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { createTrailPlugins } from '../kit/trail-plugins.ts';
import { describeTree, differences } from '../kit/tree-compare.ts';
import { makeSampleTree, makeSparse } from '../kit/tree-sample.ts';

const { plugins: trailPlugins, trail } = createTrailPlugins();
const hostPlugins = [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection];

let host: TestHost;
let cloud: TestCloud;
let api: Api;
let base: string;
let checkpoint: ShownCheckpoint;
const at = (name: string): string => join(host.first, name);

beforeAll(async () => {
  host = await makeTestHost();
  makeSampleTree(at('tree'));
  makeSparse(at('disk.img'));
  // Holes of 200 MiB say no more than these do, and take a while to send.
  truncateSync(at('tree/sparse'), 6 << 20);
  truncateSync(at('disk.img'), 24 << 20);
  cloud = await openTestCloud({
    bank: createMemoryStore(),
    plugins: [...hostPlugins, ...trailPlugins],
    volumeRoots: [host.first],
  });
  api = await createServer({
    protection: cloud.protection,
    operations: cloud.operations,
    identity: createNoauthIdentity(),
    log: silentLog,
    readiness: async () => ({ ready: true, checks: {} }),
  });
  base = await api.listen({ host: '127.0.0.1', port: 0 });
  checkpoint = await protect(await listed('Host::Directory', 'tree'), await listed('Host::Block', 'disk.img'));
});
afterAll(async () => {
  await api.close();
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

interface Volume {
  readonly type: string;
  readonly id: string;
  readonly name: string;
}

async function listed(type: string, name: string): Promise<Volume> {
  const found = (await cloud.protection.protectables.listInstances(caller, type)).find((one) => one.name === name);
  if (!found) throw new Error(`no ${type} ${name} is listed`);
  return { type, id: found.id, name };
}

async function protect(...resources: Volume[]): Promise<ShownCheckpoint> {
  const plan = await cloud.protection.plans.create(caller, {
    name: 'nightly',
    description: null,
    providerId,
    resources,
    parameters: {},
    hooks: null,
  });
  return cloud.settled((await cloud.protection.checkpoints.create(caller, providerId, plan.id, null)).id);
}

async function get(name: string, what: string, headers: Record<string, string> = {}, from = checkpoint): Promise<Response> {
  const id = from.resources.find((resource) => resource.name === name)?.id;
  const path = `/v1/demo/providers/${providerId}/checkpoints/${from.id}/resources/${id}`;
  return fetch(`${base}${path}/${what}`, { headers: { 'x-auth-token': 'me:demo', ...headers } });
}

async function entries(query: string): Promise<ContentsEntryJson[]> {
  const response = await get('tree', `entries?${query}`);
  return ((await response.json()) as { entries: ContentsEntryJson[] }).entries;
}

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const fault = async (response: Response) => [response.status, Object.values((await response.json()) as object)[0]];

describe('a directory', () => {
  test('is listed, down to names that are no text', async () => {
    const root = await entries('');
    expect(root.map(({ name }) => name)).toEqual(expect.arrayContaining(['a', 'grüße-日本', 'not-utf8-%FF%C3(', 'folder-%FE']));
    expect(root).toHaveLength(readdirSync(at('tree'), { encoding: 'buffer' }).length);
    const [inIt] = await entries(`path=${encodeURIComponent('folder-%FE')}`);
    expect(inIt).toMatchObject({ name: 'in it', path: 'folder-%FE/in it', type: 'file', size: 1 });
    expect(await entries('path=folder-%FE')).toEqual([inIt]);
    expect((await entries('path=a&limit=2')).map(({ path }) => path)).toEqual(['a/b', 'a/file'].sort());
    expect((await entries('recursive=true')).length).toBeGreaterThan(350);
  });

  test('gives any file it lists, whole and in part', async () => {
    const files = (await entries('recursive=true')).filter(({ type, path }) => type === 'file' && !path.includes('many-'));
    expect(files.length).toBeGreaterThan(15);
    for (const { path, size } of files) {
      const response = await get('tree', `file?path=${encodeURIComponent(path)}`);
      expect([path, response.status, (await bytesOf(response)).length]).toEqual([path, 200, size]);
    }
    const raw = await get('tree', 'file?path=not-utf8-%FF%C3(');
    expect(await raw.text()).toBe('raw bytes');
    const part = await get('tree', `file?path=${encodeURIComponent('nine MiB')}`, { range: 'bytes=5000000-5000999' });
    expect(part.status).toBe(206);
    expect((await bytesOf(part)).equals(readFileSync(at('tree/nine MiB')).subarray(5_000_000, 5_001_000))).toBe(true);
    const hole = await get('tree', 'file?path=sparse', { range: `bytes=${(4 << 20) - 1}-${4 << 20}` });
    expect([...(await bytesOf(hole))]).toEqual([...readFileSync(at('tree/sparse')).subarray((4 << 20) - 1, (4 << 20) + 1)]);
  });

  test('says what a path is that is no file, or no directory', async () => {
    expect(await fault(await get('tree', 'file?path=link'))).toEqual([
      400,
      { code: 400, message: expect.stringContaining('link is a symlink to a/file') },
    ]);
    expect(await fault(await get('tree', 'file?path=a/nowhere'))).toMatchObject([404, { code: 404 }]);
    expect(await fault(await get('tree', 'entries?path=empty'))).toMatchObject([400, { code: 400 }]);
    expect(await fault(await get('tree', 'raw'))).toMatchObject([400, { message: expect.stringContaining('is a directory') }]);
  });

  const isGnu = execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar');
  test.skipIf(!isGnu)('comes as a tar from which GNU tar makes the same tree, in every attribute', async () => {
    for (const [path, of] of [
      ['', 'tree'],
      ['?path=a/b', 'tree/a/b'],
    ] as const) {
      const target = join(host.outside, `extracted ${of.replaceAll('/', ' ')}`);
      mkdirSync(target);
      const response = await get('tree', `tar${path}`);
      expect(response.status).toBe(200);
      const tar = spawn(
        'tar',
        ['-x', '-p', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--warning=no-timestamp', '-C', target, '-f', '-'],
        {
          stdio: ['pipe', 'ignore', 'pipe'],
        },
      );
      const said: Buffer[] = [];
      tar.stderr.on('data', (data: Buffer) => said.push(data));
      const ended = new Promise((resolve) => tar.on('close', resolve));
      await pipeline(Readable.fromWeb(response.body!), tar.stdin);
      expect([await ended, Buffer.concat(said).toString()]).toEqual([0, '']);
      // Holes are written out, and a part of the tree has fewer names for a file.
      const plain = (line: string): string => line.replace(/ sparse=\w+/, '').replace(path === '' ? /$^/ : / links=\d+/, '');
      expect(differences(describeTree(at(of)).map(plain), describeTree(target).map(plain))).toEqual([]);
    }
  });
});

describe('a volume', () => {
  test('gives its bytes, whole and in part', async () => {
    const bytes = readFileSync(at('disk.img'));
    const whole = await get('disk.img', 'raw');
    expect(whole.headers.get('content-length')).toBe(String(bytes.length));
    expect((await bytesOf(whole)).equals(bytes)).toBe(true);
    const part = await get('disk.img', 'raw', { range: `bytes=${(4 << 20) - 10}-${(4 << 20) + 9}` });
    expect((await bytesOf(part)).equals(bytes.subarray((4 << 20) - 10, (4 << 20) + 10))).toBe(true);
    const tag = whole.headers.get('etag') ?? '';
    expect((await get('disk.img', 'raw', { 'if-none-match': tag })).status).toBe(304);
  });

  test.each(['entries', 'file?path=x', 'tar'])('has no %s', async (what) => {
    expect(await fault(await get('disk.img', what))).toMatchObject([400, { message: expect.stringContaining('is a volume') }]);
  });
});

describe('a checkpoint', () => {
  const of = { providerId, checkpointId: '', resourceId: '' };
  const never = new AbortController().signal;

  test('of another project is forbidden', async () => {
    const other = { ...caller, projectId: 'other' };
    const resourceId = checkpoint.resources[0]?.id ?? '';
    const asked = cloud.protection.contents.getVolume(other, { ...of, checkpointId: checkpoint.id, resourceId }, never);
    await expect(asked).rejects.toMatchObject({ code: 'checkpoint.foreign', kind: 'forbidden' });
  });

  test('that failed gives what it holds whole, and nothing else', async () => {
    renameSync(at('tree'), join(host.outside, 'tree'));
    const failed = await protect(
      { ...checkpoint.resources.find(({ name }) => name === 'tree')! },
      await listed('Host::Block', 'disk.img'),
    );
    renameSync(join(host.outside, 'tree'), at('tree'));
    expect(failed.status).toBe('error');
    expect((await get('disk.img', 'raw', { range: 'bytes=0-9' }, failed)).status).toBe(206);
    expect(await fault(await get('tree', 'entries', {}, failed))).toMatchObject([
      400,
      { message: expect.stringContaining('nothing of') },
    ]);
  });

  test('that is deleted gives nothing', async () => {
    const gone = await protect(await listed('Host::Block', 'disk.img'));
    await cloud.protection.checkpoints.delete(caller, providerId, gone.id);
    await cloud.settled(gone.id);
    expect(await fault(await get('disk.img', 'raw', {}, gone))).toMatchObject([
      400,
      { message: expect.stringContaining('is deleted') },
    ]);
  });

  test('of a plugin that tells no snapshots cannot be looked into, and a type parts resources of one id', async () => {
    trail.contents.set('Test::Disk vm', Buffer.from('a disk of the same name'));
    const { id: checkpointId } = await protect({ type: 'Test::Machine', id: 'vm', name: 'vm' });
    const look = (more: object) =>
      cloud.protection.contents.getVolume(caller, { ...of, checkpointId, resourceId: 'vm', ...more }, never);
    await expect(look({})).rejects.toMatchObject({ code: 'contents.ambiguous_resource' });
    await expect(look({ type: 'Test::Machine' })).rejects.toMatchObject({ code: 'contents.closed', kind: 'unsupported' });
    await expect(look({ resourceId: 'nobody' })).rejects.toMatchObject({ code: 'contents.unknown_resource', kind: 'not-found' });
  });
});
