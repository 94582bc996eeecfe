import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import s3 from '../../plugins/banks/s3/index.ts';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import { findObstacle, startRealServer } from '../kit/real-server.ts';

/** An S3 server in a process of its own. */
export interface BenchServer {
  /** What it is, for the report. */
  readonly name: string;
  readonly endpoint: string;
  /** The keys, as everybody takes them from the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** A name no one has used; the programs make the bucket. */
  newBucket(owner: string): string;
  /** Of all objects in it; 0 while there is no such bucket. */
  countBytes(bucket: string): Promise<number>;
  stop(): Promise<void>;
}

const radosGateway = fileURLToPath(new URL('../real/ceph-rgw.sh', import.meta.url));
const ownServer = fileURLToPath(new URL('../kit/s3-server.ts', import.meta.url));

/** RadosGW where it can be had, which root on Debian can; else the test kit's server, which peers may not get on with. */
export async function startBenchServer(folder: string, spaceGiB: number): Promise<BenchServer> {
  const obstacle = await findObstacle(radosGateway);
  if (obstacle !== undefined) return startOwnServer(folder, obstacle);
  // What was deleted is given back hours later: there has to be room for everything that is written in a run.
  process.env.CEPH_OSD_GB = String(spaceGiB);
  const { endpoint, credentials, stop } = await startRealServer(radosGateway, join(folder, 'ceph'), await findPort());
  return describeServer('Ceph RadosGW', endpoint, credentials, stop);
}

/** With the nine behind it; another RadosGW on the usual port would answer in the place of ours. */
async function findPort(): Promise<number> {
  for (let port = 17_480; port < 18_480; port += 10) if (await isFree(port)) return port;
  throw new Error('No port from 17480 to 18479 is free.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function startOwnServer(folder: string, obstacle: string): Promise<BenchServer> {
  const child = spawn(process.execPath, [ownServer, '--folder', join(folder, 's3')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('error', reject).once('exit', (code) => reject(new Error(`The S3 server ended with ${code}.`)));
  });
  const { endpoint } = JSON.parse(line) as { endpoint: string };
  const stop = async (): Promise<void> => {
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  };
  const credentials = { accessKey: 'karri', secretKey: 'karri-secret' };
  return describeServer(`the test kit's S3 server (RadosGW: ${obstacle})`, endpoint, credentials, stop);
}

function describeServer(
  name: string,
  endpoint: string,
  { accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string },
  stop: () => Promise<void>,
): BenchServer {
  const environment = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_DEFAULT_REGION: 'us-east-1' };
  let buckets = 0;
  return {
    name,
    endpoint,
    environment,
    newBucket(owner) {
      buckets += 1;
      return `${owner}-${buckets}`;
    },
    async countBytes(bucket) {
      const config = { bucket, endpoint, access_key_env: 'AWS_ACCESS_KEY_ID', secret_key_env: 'AWS_SECRET_ACCESS_KEY' };
      const context = {
        log: silentLog,
        resolvePath: (path: string) => path,
        readEnvironment: (variable: string) => new Map(Object.entries(environment)).get(variable),
        volumeRoots: [],
        namedVolumes: [],
        ownFolders: [],
      };
      let bytes = 0;
      try {
        const store = await s3.open(config, context);
        for await (const entry of store.list('')) bytes += entry.sizeBytes;
        await store.close();
      } catch (error) {
        if (!isFault(error, 'storage.no_bank')) throw error;
      }
      return bytes;
    },
    stop,
  };
}
