import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProcessIdentity } from '../../src/app/process-identity.ts';
import { lockStateFolder } from '../../src/app/state-lock.ts';

describe('lock of the state folder', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-lock-'));
    file = join(folder, 'karri.lock');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('one holder at a time, and nothing left behind', () => {
    const lock = lockStateFolder(folder);
    expect(() => lockStateFolder(folder)).toThrow(
      expect.objectContaining({
        kind: 'conflict',
        code: 'state.in_use',
        message: expect.stringContaining(`process ${process.pid}`),
      }),
    );
    lock.release();
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
    lockStateFolder(folder).release();
  });

  test.each([
    ['a number that is somebody else by now', JSON.stringify({ pid: process.pid, started: 'another boot:1' })],
    ['a process that is gone', JSON.stringify({ pid: 2 ** 22 + 1, started: 'x' })],
    ['a file cut short', '{"pid":'],
    ['an empty file', ''],
  ])('%s holds nothing', (_, text) => {
    writeFileSync(file, text);
    lockStateFolder(folder).release();
    expect(existsSync(file)).toBe(false);
  });

  test('the lock of a living process is respected, that of a killed one is taken over', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    writeFileSync(file, JSON.stringify({ pid: child.pid, started: findProcessIdentity(child.pid ?? 0) }));
    expect(() => lockStateFolder(folder)).toThrow(expect.objectContaining({ details: { pid: child.pid } }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockStateFolder(folder).release();
  });

  test('a lock taken over by somebody else is not released', () => {
    const lock = lockStateFolder(folder);
    writeFileSync(file, 'theirs');
    lock.release();
    expect(existsSync(file)).toBe(true);
  });
});
