import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Extent, Fault, sleep, throwIfAborted, type VolumeReader } from 'karri/plugin';
import { hasCode } from '../../protectables/host/paths.ts';
import { NbdClient } from './nbd-client.ts';

/** qemu-img and qemu-nbd, for images that nothing else has open. Both take qemu's own locks: while one works, no guest can start on the image. */
const environment = { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
const maxOutputBytes = 64 * 1024 * 1024;
const damagedExit = 2;
const leaksExit = 3;
const exportName = 'karri';
const allocation = 'base:allocation';
const zeroFlag = 2;
const dirtyFlag = 1;
const connectDelayMs = 10;
const connectAttempts = 1000;

export interface Bitmap {
  readonly name: string;
  /** `auto`: it records; `in-use`: whoever had the image open died, and the bitmap is worth nothing. */
  readonly flags: readonly string[];
}

/** The guest's disk in an image. */
export interface GuestDisk extends VolumeReader {
  /** What the bitmap that it was opened with has recorded, in order. */
  listDirty(): Promise<Extent[]>;
}

/**
 * Whether the image is whole. qemu reads what lies behind the end of a file that was cut off as zeros, without a word.
 * Reads the tables alone, 128 MiB a TiB.
 * @throws {Fault} corrupt `host.image_damaged`
 */
export async function checkImage(path: string, signal: AbortSignal): Promise<void> {
  try {
    await runQemuImg(path, ['check', '-q', '-f', 'qcow2', path], signal);
  } catch (error) {
    const cause = error instanceof Fault ? error.cause : undefined;
    if (hasExit(cause, leaksExit)) return; // room that is lost, not data
    if (!hasExit(cause, damagedExit, 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')) throw error;
    throw new Fault('corrupt', 'host.image_damaged', `The image ${path} contradicts itself, so what is in it cannot be told.`, {
      details: { path },
      help: 'Ask qemu-img check what is wrong, repair it or restore an earlier checkpoint; as the file it is (qcow2: file) it can still be protected.',
    });
  }
}

export async function listBitmaps(path: string, signal: AbortSignal): Promise<Bitmap[]> {
  const text = await runQemuImg(path, ['info', '--output=json', '-f', 'qcow2', path], signal);
  const info = JSON.parse(text) as { 'format-specific'?: { data?: { bitmaps?: Bitmap[] } } };
  return info['format-specific']?.data?.bitmaps ?? [];
}

/** Makes a bitmap that records from now on; `merge` names one whose content it begins with. */
export async function addBitmap(path: string, name: string, merge: string | undefined, signal: AbortSignal): Promise<void> {
  const merging = merge === undefined ? [] : ['--merge', merge];
  await runQemuImg(path, ['bitmap', '--add', '-g', '65536', ...merging, '-f', 'qcow2', path, name], signal);
}

export async function removeBitmap(path: string, name: string, signal: AbortSignal): Promise<void> {
  await runQemuImg(path, ['bitmap', '--remove', '-f', 'qcow2', path, name], signal);
}

/** Opens the disk for reading while `work` runs; ends with the server gone, and its lock. */
export async function withGuestDisk<T>(
  path: string,
  bitmap: string | undefined,
  signal: AbortSignal,
  work: (disk: GuestDisk) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'karri-nbd-'));
  const socketPath = join(folder, 'socket');
  const serving = ['--read-only', '--format=qcow2', `--export-name=${exportName}`, `--socket=${socketPath}`];
  const server = spawn('qemu-nbd', [...serving, ...(bitmap === undefined ? [] : [`--bitmap=${bitmap}`]), '--', path], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < 4096) complaint += text;
  });
  const exited = once(server, 'close').catch((error: unknown) => error);
  try {
    const context = bitmap === undefined ? undefined : `qemu:dirty-bitmap:${bitmap}`;
    const contexts = context === undefined ? [allocation] : [allocation, context];
    const client = await connectTo(server, socketPath, contexts, signal).catch(async (error: unknown) => {
      server.kill();
      const failure = await exited;
      throwIfAborted(signal);
      throw failure instanceof Error || complaint !== '' ? qemuFault(path, failure, complaint) : error;
    });
    const onAbort = (): void => client.close();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await work(diskOf(client, context));
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      client.close();
    }
  } finally {
    await exited; // it ends with its last client
    await rm(folder, { recursive: true, force: true });
  }
}

function diskOf(client: NbdClient, context: string | undefined): GuestDisk {
  const { sizeBytes } = client;
  return {
    sizeBytes,
    read: (bytes, offset) => client.read(bytes, offset),
    async isZero(offset, length) {
      for await (const { flags } of client.status(allocation, offset, length)) if ((flags & zeroFlag) === 0) return false;
      return true;
    },
    async listDirty() {
      const dirty: Extent[] = [];
      if (context === undefined) return dirty;
      for await (const { offset, length, flags } of client.status(context, 0, sizeBytes))
        if ((flags & dirtyFlag) !== 0) dirty.push({ offset, length });
      return dirty;
    },
  };
}

async function connectTo(
  server: ChildProcess,
  socketPath: string,
  contexts: readonly string[],
  signal: AbortSignal,
): Promise<NbdClient> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await NbdClient.open(socketPath, exportName, contexts);
    } catch (error) {
      // Not there yet, or not listening yet; or gone already, which its complaint explains.
      const early = hasCode(error, 'ENOENT', 'ECONNREFUSED');
      if (!early || server.exitCode !== null || server.pid === undefined || attempt === connectAttempts) throw error;
    }
    await sleep(connectDelayMs, signal);
  }
}

async function runQemuImg(path: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('qemu-img', args, { env: environment, maxBuffer: maxOutputBytes, signal });
    return stdout;
  } catch (error) {
    throwIfAborted(signal);
    throw qemuFault(path, error, error instanceof Error && 'stderr' in error ? String(error.stderr) : '');
  }
}

function hasExit(error: unknown, ...codes: readonly (number | string)[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

function qemuFault(path: string, error: unknown, complaint: string): Fault {
  if (hasCode(error, 'ENOENT', 'EACCES')) {
    return new Fault('unsupported', 'host.no_qemu', `What is in the image ${path} can only be read with qemu-img and qemu-nbd.`, {
      cause: error,
      details: { path },
      help: 'Install them (Debian: qemu-utils), or protect the image as the file it is (qcow2: file).',
    });
  }
  if (/Failed to get .*lock/.test(complaint)) {
    return new Fault('conflict', 'host.image_in_use', `The image ${path} is in use by another process.`, {
      retry: 'never',
      cause: error,
      details: { path },
      help: 'Have the plan stop the guest with its pre hook and start it with the post hook.',
    });
  }
  const why = complaint.trim() || (error instanceof Error ? error.message : String(error));
  return new Fault('unavailable', 'host.qemu_failed', `qemu cannot work with the image ${path}: ${why}`, {
    retry: 'never',
    cause: error,
    details: { path },
    help: 'Look whether the image is whole (qemu-img check); images of version 2 (compat 0.10) cannot keep bitmaps.',
  });
}
