import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseCredentials } from '../../../../plugins/banks/s3/credentials.ts';
import s3 from '../../../../plugins/banks/s3/index.ts';
import { systemClock } from '../../../../src/base/clock.ts';
import { probeBank } from '../../../../src/plugin/conformance/bank-probe.ts';
import { openTestS3, testContext } from '../../../kit/banks.ts';
import { startS3Server } from '../../../kit/s3-server.ts';
import { storeKeys } from '../../../kit/store-keys.ts';

const folder = await mkdtemp(join(tmpdir(), 'karri-s3-open-'));
const server = await startS3Server();
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

describe('keys', () => {
  test('come from a file of two lines; colons, comments and empty lines are fine', () => {
    expect(parseCredentials('# the north bank\n\naccess_key: bank:admin\nsecret_key:  a b:c#d \r\n', 'x')).toEqual({
      accessKeyId: 'bank:admin',
      secretAccessKey: 'a b:c#d',
    });
  });

  test.each(['access_key: a', 'access_key: a\nsecret_key:', 'access_key=a\nsecret_key=b', ''])(
    '%j is refused without being shown',
    (text) => {
      expect(() => parseCredentials(text, 'north.keys')).toThrow(/north\.keys/);
      expect(() => parseCredentials('s3cr3t', 'north.keys')).not.toThrow(/s3cr3t/);
    },
  );

  test('in a file that everybody may read are refused, with the command that mends it', async () => {
    const path = join(folder, 'north.keys');
    await writeFile(path, `access_key: ${server.credentials.accessKey}\nsecret_key: ${server.credentials.secretKey}\n`);
    await chmod(path, 0o644);
    const config = { endpoint: server.endpoint, bucket: 'karri', create_bucket: true, credentials_file: path };
    await expect(s3.open(config, testContext())).rejects.toMatchObject({
      code: 's3.credentials',
      help: `Run: chmod 600 ${path}`,
    });
    await chmod(path, 0o640);
    const store = await s3.open(config, testContext());
    await store.put('a', Buffer.from('x'));
    await store.close();
  });

  test('that are missing are named', async () => {
    const config = { endpoint: server.endpoint, bucket: 'karri' };
    await expect(s3.open(config, testContext())).rejects.toMatchObject({ code: 's3.credentials' });
    const named = { ...config, access_key_env: 'A', secret_key_env: 'B' };
    await expect(s3.open(named, testContext({ A: 'x' }))).rejects.toThrow('environment variable B');
  });

  test('that are wrong are told apart', async () => {
    const wrongKey = { ...server, credentials: { ...server.credentials, accessKey: 'nobody' } };
    await expect(openTestS3(wrongKey)).rejects.toMatchObject({
      code: 'storage.refused',
      help: expect.stringContaining('access_key'),
    });
    const wrongSecret = { ...server, credentials: { ...server.credentials, secretKey: 'wrong' } };
    await expect(openTestS3(wrongSecret)).rejects.toMatchObject({
      code: 'storage.refused',
      help: expect.stringContaining('secret_key'),
    });
  });
});

describe('opening', () => {
  test('makes a bucket only when told to', async () => {
    const config = { bucket: 'elsewhere' };
    await expect(openTestS3(server, { ...config, create_bucket: false })).rejects.toMatchObject({ code: 'storage.no_bank' });
    await (await openTestS3(server, config)).close();
    await (await openTestS3(server, { ...config, create_bucket: false })).close();
  });

  test('of an endpoint where nobody listens says so', async () => {
    await expect(openTestS3({ ...server, endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'storage.unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('learns whether conditional put is there, and writes for that only once in the life of a bank', async () => {
    const puts = () =>
      server.requests.filter((request) => request.method === 'PUT' && request.bucket === 'fresh' && request.key !== '').length;
    const first = await openTestS3(server, { bucket: 'fresh' });
    expect([first.abilities.conditionalPut, puts()]).toEqual([true, 5]);
    const second = await openTestS3(server, { bucket: 'fresh' });
    expect([second.abilities.conditionalPut, puts()]).toEqual([true, 6]);
    expect(await storeKeys(second)).toEqual([]);
  });

  test('with keys that may only read opens a bank to read from', async () => {
    server.setFaults((request) =>
      request.operation === 'put' ? { kind: 'status', status: 403, code: 'AccessDenied' } : undefined,
    );
    const store = await openTestS3(server);
    server.setFaults(undefined);
    expect((await store.get('a')).toString()).toBe('x');
  });

  test('a bank whose clock is ten years ahead is used by its own clock', async () => {
    const tenYearsMs = 10 * 365 * 86_400_000;
    const ahead = await startS3Server({ clock: { ...systemClock, now: () => systemClock.now() + tenYearsMs } });
    const store = await openTestS3(ahead);
    await store.put('a', Buffer.from('x'));
    expect((await store.get('a')).toString()).toBe('x');
    const report = await probeBank(store, { objects: 5 });
    expect(report.findings.find((finding) => finding.name.includes('clock'))).toMatchObject({
      outcome: 'no',
      seen: expect.stringContaining('ahead'),
    });
    await store.close();
    await ahead.close();
  });

  test('body digests are signed where the way to the bank is not trusted', async () => {
    const digests = () =>
      server.requests.filter((request) => request.key === 'signed').map((request) => request.headers['x-amz-content-sha256']);
    await (await openTestS3(server)).put('signed', Buffer.from('x'));
    await (await openTestS3(server, { payload_signing: 'signed' })).put('signed', Buffer.from('x'));
    expect(digests()).toEqual(['UNSIGNED-PAYLOAD', expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  test('a put is one body of known length: no chunks, no trailer, no checksum, no waiting for a go-ahead', async () => {
    await (await openTestS3(server)).put('plain', [Buffer.alloc(3 * 1024 * 1024), Buffer.from('x')], { ifAbsent: true });
    const names = Object.keys(server.requests.find((request) => request.key === 'plain')?.headers ?? {});
    expect(names).toContain('content-length');
    expect(names.filter((name) => /transfer-encoding|trailer|checksum|content-md5|content-encoding|expect/.test(name))).toEqual(
      [],
    );
  });
});
