import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Credentials } from './s3-signature.ts';

const run = promisify(execFile);

export interface RealServer {
  readonly endpoint: string;
  readonly credentials: Credentials;
  stop(): Promise<void>;
}

/** Why the server of this script cannot be had on this machine; undefined: its packages are installed. */
export async function findObstacle(script: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  const release = readRelease();
  if (!/^ID=debian$/m.test(release) || !/^VERSION_ID="12"$/m.test(release)) return 'needs Debian 12';
  try {
    await run('bash', [script, 'install'], { timeout: 600_000 });
    return undefined;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : String(error);
    return `its packages cannot be installed (${said})`;
  }
}

/** Starts a server by its script of `test/real`; it installs what is missing and keeps everything below the folder. */
export async function startRealServer(script: string, folder: string, port: number): Promise<RealServer> {
  const { stdout } = await run('bash', [script, 'start', folder, String(port)], { timeout: 600_000 });
  const variable = (name: string): string => new RegExp(`^export ${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
  return {
    endpoint: variable('S3_ENDPOINT'),
    credentials: { accessKey: variable('AWS_ACCESS_KEY_ID'), secretKey: variable('AWS_SECRET_ACCESS_KEY') },
    stop: async () => void (await run('bash', [script, 'stop', folder])),
  };
}

function readRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
