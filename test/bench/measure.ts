import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KiB } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';

export interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
}

export interface Measured {
  readonly wallSeconds: number;
  /** User and system, all threads. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** What the program wrote on standard output. */
  readonly output: string;
}

/** Debian's package `time`; the shell's own `time` tells no memory. */
export const gnuTime = '/usr/bin/time';
/** Read from /proc every so often, the last moments of a program go unseen. */
const pollMs = 10;
const ticksPerSecond = 100;

/** How CPU and memory are told on this machine. */
export function describeMeasuring(): string {
  return existsSync(gnuTime) ? gnuTime : `/proc, every ${pollMs} ms`;
}

/** Runs a program to its end and says what it took. @throws when it fails, with what it said */
export async function measure(call: Call): Promise<Measured> {
  // What the one before left to be written is not the next one's work.
  await runQuietly({ program: 'sync', args: [] });
  const folder = mkdtempSync(join(tmpdir(), 'karri-measure-'));
  const report = join(folder, 'time');
  try {
    if (!existsSync(gnuTime)) return await runPolled(call);
    const began = systemClock.monotonic();
    const timed = { ...call, program: gnuTime, args: ['-o', report, '-f', '%U %S %M', call.program, ...call.args] };
    const output = await runQuietly(timed);
    const wallSeconds = (systemClock.monotonic() - began) / 1000;
    const [user = 0, system = 0, peakKiB = 0] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
    return { wallSeconds, cpuSeconds: user + system, peakBytes: peakKiB * KiB, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Standard output of a program that succeeded. @throws when it fails, with the end of what it said */
export async function runQuietly(call: Call, onStart: (pid: number) => void = () => undefined): Promise<string> {
  const environment: Record<string, string | undefined> = { ...process.env, ...call.environment };
  // Some peers refuse to start with it, and nothing here speaks TLS.
  delete environment.AWS_CA_BUNDLE;
  const child = spawn(call.program, call.args, { env: environment, cwd: call.folder, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) onStart(child.pid);
  let output = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject).once('close', (status, signal) => resolve(status ?? signal));
  });
  if (code !== 0) throw new Error(`${call.program} ${call.args.join(' ')} ended with ${code}: ${complaint || output}`);
  return output;
}

async function runPolled(call: Call): Promise<Measured> {
  let seen = { cpuSeconds: 0, peakBytes: 0 };
  let timer: NodeJS.Timeout | undefined;
  const began = systemClock.monotonic();
  const output = await runQuietly(call, (pid) => {
    timer = setInterval(() => {
      seen = readProcess(pid) ?? seen;
    }, pollMs);
  }).finally(() => clearInterval(timer));
  return { wallSeconds: (systemClock.monotonic() - began) / 1000, ...seen, output };
}

function readProcess(pid: number): { cpuSeconds: number; peakBytes: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (peak === undefined) return undefined;
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, peakBytes: Number(peak) * KiB };
  } catch {
    return undefined; // it has just ended
  }
}
