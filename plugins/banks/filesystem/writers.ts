import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { newId } from 'karri/plugin';

/**
 * Who writes a temporary file, so that a later opening can tell the leftovers of the dead from the work of the living
 * without a clock: machine, boot, pid namespace, pid, and when that pid began (in ticks since boot, so a number that was
 * used again is not taken for its first owner). Written `machine.boot.namespace.pid.began`.
 */
export interface Writer {
  readonly machine: string;
  readonly boot: string;
  readonly namespace: string;
  readonly pid: number;
  readonly began: string;
}

export async function thisWriter(): Promise<Writer> {
  // What a platform does not tell is `0`: then the pid alone decides.
  const machine = (await textOf('/etc/machine-id')) ?? hostname();
  const boot = (await textOf('/proc/sys/kernel/random/boot_id')) ?? '0';
  const namespace = (await readlink('/proc/self/ns/pid').catch(() => undefined)) ?? '0';
  return {
    machine: shortDigest(machine),
    boot: shortDigest(boot),
    namespace: /\d+/.exec(namespace)?.[0] ?? '0',
    pid: process.pid,
    began: (await beginningOf(process.pid)) ?? '0',
  };
}

export function temporaryName(writer: Writer): string {
  return [writer.machine, writer.boot, writer.namespace, writer.pid, writer.began, newId()].join('.');
}

/**
 * Whether the writer of this temporary file is certainly gone. On another machine, or in another container of this one, a
 * pid says nothing: such files are left to their own side.
 */
export async function isLeftover(name: string, self: Writer): Promise<boolean> {
  const [machine, boot, namespace, pidText, began] = name.split('.');
  const pid = Number(pidText);
  if (machine !== self.machine || !Number.isSafeInteger(pid) || pid <= 0) return false;
  if (boot !== self.boot) return true;
  if (namespace !== self.namespace) return false;
  return !isAlive(pid) || (await beginningOf(pid)) !== (began === '0' ? undefined : began);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat; the command name before it may hold spaces and brackets, so count from its end. */
async function beginningOf(pid: number): Promise<string | undefined> {
  const stat = await textOf(join('/proc', String(pid), 'stat'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim() || undefined;
  } catch {
    return undefined;
  }
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
