/**
 * The S3 path by hand: `node test/bench/s3-path.ts [MiB]` puts and gets packs of 16 MiB through the S3 bank plugin and prints MB/s
 * and the CPU this process spent. The server is the kit's own in a process of its own, or that of `S3_ENDPOINT` with the keys
 * of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, in the bucket `karri-bench`. Figures, no verdicts.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLimit } from '../../src/base/limit.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { openTestS3 } from '../kit/banks.ts';

// As bin/karri.mjs does.
setFlagsFromString('--external-memory-accounted-in-global-limit');
const packBytes = 16 * MiB;
const packs = Math.max(4, Math.round(Number(process.argv[2] ?? 512) / 16));
const rounds = 3;

interface Server {
  readonly endpoint: string;
  readonly credentials: { readonly accessKey: string; readonly secretKey: string };
  stop(): void;
}

const server = process.env.S3_ENDPOINT === undefined ? await startOwnServer() : namedServer(process.env.S3_ENDPOINT);
try {
  const store = await openTestS3(server, { bucket: 'karri-bench', prefix: 's3-path' });
  const keys = Array.from({ length: packs }, (_, index) => `pack-${index}`);
  const pack = randomBytes(packBytes);
  const ranges = (length: number) =>
    keys.flatMap((key) => Array.from({ length: 4 }, (_, part) => ({ key, range: { offset: part * 4 * MiB + 12_345, length } })));
  console.log(`${packs} packs of 16 MiB at ${store.description}; median of ${rounds}`);
  await Promise.all(keys.slice(0, 2).map((key) => store.put(key, pack)));
  for (const width of [1, 4]) {
    await measure(`PUT 16 MiB, ${width} at a time`, packBytes, width, keys, (key) => store.put(key, pack));
  }
  for (const width of [1, 4]) {
    await measure(`GET 16 MiB, ${width} at a time`, packBytes, width, keys, (key) => expectLength(store, key, packBytes));
  }
  for (const length of [4 * MiB - 12_345, 256 * KiB]) {
    for (const width of [1, 4]) {
      const name = `GET range of ${(length / KiB).toFixed(0)} KiB, ${width} at a time`;
      await measure(name, length, width, ranges(length), ({ key, range }) => expectLength(store, key, length, range));
    }
  }
  await measure('HEAD, 4 at a time', 0, 4, ranges(1), ({ key }) => store.stat(key));
  await store.delete(keys);
  await store.close();
} finally {
  server.stop();
}

async function expectLength(
  store: ObjectStore,
  key: string,
  length: number,
  range?: { readonly offset: number; readonly length: number },
): Promise<void> {
  const bytes = await store.get(key, range && { range });
  if (bytes.length !== length) throw new Error(`${key}: ${bytes.length} bytes came`);
}

/** Runs the call for every item, so many at a time, and prints the median of several rounds. */
async function measure<T>(
  name: string,
  bytesEach: number,
  width: number,
  items: readonly T[],
  call: (item: T) => Promise<unknown>,
): Promise<void> {
  const seen: { seconds: number; cpuMs: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const limit = createLimit(width);
    const cpu = process.cpuUsage();
    const began = systemClock.monotonic();
    await Promise.all(items.map((item) => limit(() => call(item))));
    const { user, system } = process.cpuUsage(cpu);
    seen.push({ seconds: (systemClock.monotonic() - began) / 1000, cpuMs: (user + system) / 1000 });
  }
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const seconds = median(seen.map((round) => round.seconds));
  const cpuMs = median(seen.map((round) => round.cpuMs));
  const bytes = bytesEach * items.length;
  const figures = [
    bytes === 0 ? '' : `${(bytes / 1e6 / seconds).toFixed(0)} MB/s`,
    bytes === 0 ? '' : `${((cpuMs * MiB) / bytes).toFixed(2)} CPU ms/MiB`,
    `${(cpuMs / items.length).toFixed(2)} CPU ms a call`,
  ];
  console.log(`${name.padEnd(34)} ${figures.map((figure) => figure.padStart(16)).join('  ')}`);
}

async function startOwnServer(): Promise<Server> {
  const credentials = { accessKey: 'bench', secretKey: 'bench-secret' };
  const script = join(import.meta.dirname, '../kit/s3-server.ts');
  const keys = ['--access-key', credentials.accessKey, '--secret-key', credentials.secretKey];
  const child = spawn(process.execPath, [script, ...keys], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { endpoint } = JSON.parse(line.toString()) as { endpoint: string };
  return { endpoint, credentials, stop: () => void child.kill() };
}

function namedServer(endpoint: string): Server {
  const { AWS_ACCESS_KEY_ID: accessKey = '', AWS_SECRET_ACCESS_KEY: secretKey = '' } = process.env;
  return { endpoint, credentials: { accessKey, secretKey }, stop: () => undefined };
}
