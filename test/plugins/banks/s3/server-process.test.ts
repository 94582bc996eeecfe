import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openTestS3 } from '../../../kit/banks.ts';
import { storeKeys } from '../../../kit/store-keys.ts';

const folder = await mkdtemp(join(tmpdir(), 'karri-s3-process-'));
const script = join(import.meta.dirname, '../../../kit/s3-server.ts');
let child: ChildProcess | undefined;
afterAll(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

async function start(): Promise<{ endpoint: string; credentials: { accessKey: string; secretKey: string } }> {
  const started = spawn(process.execPath, [script, '--folder', folder, '--access-key', 'a:b', '--secret-key', 'c'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  const [line] = (await once(started.stdout, 'data')) as [Buffer];
  const { endpoint } = JSON.parse(line.toString()) as { endpoint: string };
  return { endpoint, credentials: { accessKey: 'a:b', secretKey: 'c' } };
}

test('the S3 server of the kit runs as a program, keeps its folder over a kill, and ends with SIGTERM', async () => {
  const first = await openTestS3(await start());
  await first.put('a/b', Buffer.from('kept'));
  await first.put('a/c.d', Buffer.from('gone'));
  await first.delete(['a/c.d']);
  const killed = once(child!, 'exit');
  child?.kill('SIGKILL');
  await killed;
  await first.close();

  const second = await openTestS3(await start(), { create_bucket: false });
  expect(await storeKeys(second)).toEqual(['a/b']);
  expect((await second.get('a/b')).toString()).toBe('kept');
  await second.close();
  const ended = once(child!, 'exit');
  child?.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
