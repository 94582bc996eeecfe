import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Tells one process from a later one that was given the same number. `/proc` where there is one (Linux), else `ps`.
 * Undefined: no such process, or only its exit status is left (a zombie).
 */
export function findProcessIdentity(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(pid, 'lstart=');
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The command stands in parentheses and may hold anything; field 3 (state) comes after the last one, field 22 is the start in ticks since boot.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = readProc('/proc/sys/kernel/random/boot_id')?.trim() ?? 'boot';
  return `${boot}:${fields[19]}`;
}

/** The command line of a live process, arguments joined by spaces. */
export function findCommandLine(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(pid, 'command=');
  const line = readProc(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
  return line === '' ? undefined : line;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // The process is gone: that is the answer.
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', column, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return line === '' ? undefined : line;
  } catch {
    return undefined; // ps exits 1 for a process that is not there.
  }
}
