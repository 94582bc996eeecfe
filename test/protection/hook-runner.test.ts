import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import { createHookRunner, type HookCommand, type HookRun } from '../../src/protection/hook-runner.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'karri-hook-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const script = (text: string, timeoutMs = 20_000): HookCommand => ({ command: [process.execPath, '-e', text], timeoutMs });

function runner(allowList: Record<string, HookCommand>, killAfterMs = 5000) {
  return createHookRunner(allowList, { environment: { BASE: 'given', HERE: folder }, killAfterMs });
}

function run(signal: AbortSignal = new AbortController().signal): HookRun {
  return { operationId: 'o1', checkpointId: 'c1', planId: 'p1', phase: 'pre', signal, log: silentLog };
}

/** Waits until the file has been written, and gives its text. */
async function textOf(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    await sleep(10);
  }
}

async function waitUntilDead(pid: number): Promise<void> {
  for (;;) {
    // A zombie that nobody has reaped is dead as well.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat === '' || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return;
    await sleep(10);
  }
}

describe('a command of the list', () => {
  test('is known by its name, and by no name that every object has', () => {
    const hooks = runner({ stop: script('') });
    expect(hooks.has('stop')).toBe(true);
    expect(hooks.has('start')).toBe(false);
    expect(hooks.has('constructor')).toBe(false);
  });

  test('finds the given environment and the three ids in it, and nothing else', async () => {
    const text = `require('fs').writeFileSync(process.env.HERE + '/env', JSON.stringify(process.env))`;
    await runner({ stop: script(text) }).run('stop', run());
    const environment = JSON.parse(await readFile(join(folder, 'env'), 'utf8'));
    expect(environment).toEqual({
      BASE: 'given',
      HERE: folder,
      KARRI_HOOK_PHASE: 'pre',
      KARRI_CHECKPOINT_ID: 'c1',
      KARRI_PLAN_ID: 'p1',
    });
  });

  test('is no shell line', async () => {
    const text = `require('fs').writeFileSync(process.env.HERE + '/args', JSON.stringify(process.argv.slice(1)))`;
    const command = [process.execPath, '-e', text, '--', '$(touch gone)', '; exit 3', 'a b'];
    await runner({ stop: { command, timeoutMs: 20_000 } }).run('stop', run());
    expect(JSON.parse(await readFile(join(folder, 'args'), 'utf8'))).toEqual(['$(touch gone)', '; exit 3', 'a b']);
  });

  test('reads an empty input', async () => {
    await runner({ stop: script(`process.exit(require('fs').readFileSync(0).length)`) }).run('stop', run());
  });

  test('may leave a daemon that holds its output open', async () => {
    const text = `
      const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: ['ignore', 1, 2] });
      require('fs').writeFileSync(process.env.HERE + '/pid', child.pid + '\\n');
      process.exit(0);`;
    await runner({ start: script(text) }).run('start', run());
    process.kill(Number(await textOf(join(folder, 'pid'))), 'SIGKILL');
  });
});

describe('a command that fails', () => {
  const faultOf = async (allowList: Record<string, HookCommand>, name = 'stop', signal?: AbortSignal): Promise<Fault> => {
    const error = await runner(allowList, 300)
      .run(name, run(signal))
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error).toBeInstanceOf(Fault);
    return error as Fault;
  };

  test('names itself, its exit code and its output', async () => {
    const fault = await faultOf({
      stop: script(`console.log('server is busy'); console.error('giving up'); process.exitCode = 7`),
    });
    expect(fault).toMatchObject({ code: 'hook.failed', retry: 'never', details: { hook: 'stop', exit_code: 7 } });
    expect(fault.message).toMatch(/pre hook stop ended with exit code 7/);
    expect(fault.message).toContain('server is busy');
    expect(fault.message).toContain('giving up');
  });

  test('tells the last 4 KiB of a long output', async () => {
    const fault = await faultOf({ stop: script(`console.log('first' + 'x'.repeat(1e6) + 'last'); process.exitCode = 1`) });
    expect(fault.message).toContain('last');
    expect(fault.message).not.toContain('first');
    expect(fault.message.length).toBeLessThan(4400);
  });

  test('that was ended by a signal says which', async () => {
    const fault = await faultOf({ stop: script(`process.kill(process.pid, 'SIGKILL')`) });
    expect(fault.message).toContain('was ended by SIGKILL');
  });

  test('that is not there says so', async () => {
    const fault = await faultOf({ stop: { command: [join(folder, 'absent')], timeoutMs: 1000 } });
    expect(fault).toMatchObject({ code: 'hook.failed' });
    expect(fault.message).toMatch(/could not be started.*ENOENT/);
  });

  test('that is not on the list is refused with what is on it', async () => {
    const fault = await faultOf({ stop: script('') }, 'rm -rf');
    expect(fault).toMatchObject({ code: 'hook.unknown', kind: 'invalid', help: 'It has: stop.' });
  });

  test('that takes too long is killed with all it started, even when both ignore being told', async () => {
    const stubborn = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`;
    const text = `
      const child = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(stubborn)}], { stdio: 'ignore' });
      require('fs').writeFileSync(process.env.HERE + '/pid', child.pid + '\\n');
      console.log('still here');
      ${stubborn}`;
    const fault = await faultOf({ stop: script(text, 2000) });
    expect(fault).toMatchObject({ code: 'hook.timed_out', kind: 'timeout', retry: 'never' });
    expect(fault.message).toContain('killed after 2 s');
    await waitUntilDead(Number(await textOf(join(folder, 'pid'))));
  });

  test('that is cancelled ends with the reason of the cancel', async () => {
    const stop = new AbortController();
    const text = `require('fs').writeFileSync(process.env.HERE + '/pid', process.pid + '\\n'); setInterval(() => {}, 1000)`;
    const failing = faultOf({ stop: script(text) }, 'stop', stop.signal);
    const pid = Number(await textOf(join(folder, 'pid')));
    stop.abort(new Fault('cancelled', 'test.cancelled', 'enough'));
    expect(await failing).toMatchObject({ code: 'test.cancelled' });
    await waitUntilDead(pid);
  });

  test('is not started once the signal has fired', async () => {
    const text = `require('fs').writeFileSync(process.env.HERE + '/ran', '')`;
    expect(await faultOf({ stop: script(text) }, 'stop', AbortSignal.abort())).toMatchObject({ kind: 'cancelled' });
    await expect(readFile(join(folder, 'ran'))).rejects.toThrow('ENOENT');
  });
});
