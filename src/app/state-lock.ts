import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import { findProcessIdentity } from './process-identity.ts';

export interface StateLock {
  release(): void;
}

/**
 * One Karri process per state folder. The lock file names its owner by number and start time, so what a killed process
 * left behind is taken over without asking; it never has to be removed by hand.
 * @throws conflict `state.in_use`
 */
export function lockStateFolder(stateDir: string): StateLock {
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  const file = join(stateDir, 'karri.lock');
  const mine = `${JSON.stringify({ pid: process.pid, started: findProcessIdentity(process.pid) })}\n`;
  const draft = join(stateDir, `.karri.lock.${newId()}`);
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    // link(2) makes the file with its content in one act: nobody ever reads an empty lock.
    for (let attempt = 0; !tryLink(draft, file); attempt++) {
      const text = readLock(file);
      const owner = findOwner(text);
      if (owner !== undefined || attempt === 5) throw inUse(stateDir, owner);
      if (text !== undefined) dropStale(file, text);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    release: () => {
      if (readLock(file) === mine) rmSync(file, { force: true });
    },
  };
}

/** Two starters may find the same stale lock: whoever then moved the other's new lock away puts it back. */
function dropStale(file: string, staleText: string): void {
  const aside = `${file}.${newId()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== staleText) tryLink(aside, file);
  rmSync(aside, { force: true });
}

/** The live process the text names. */
function findOwner(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    const { pid, started } = JSON.parse(text) as { pid: number; started: string };
    return findProcessIdentity(pid) === started ? pid : undefined;
  } catch {
    return undefined; // Cut short by a crash of the machine: no process from before it is alive.
  }
}

function readLock(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function inUse(stateDir: string, pid: number | undefined): Fault {
  const who = pid === undefined ? 'another Karri process that is starting' : `a running Karri (process ${pid})`;
  return new Fault('conflict', 'state.in_use', `The state folder ${stateDir} is in use by ${who}.`, {
    help: 'Stop that one, or give this one its own KARRI_STATE_DIR.',
    ...(pid === undefined ? {} : { details: { pid } }),
  });
}
