import { type ChildProcess, spawn } from 'node:child_process';
import { throwIfAborted } from '../base/abort.ts';
import { sleep } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';

/** A command on the operator's allow-list. It is started as it stands: no shell, nothing of a request in it. */
export interface HookCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

export interface HookRun {
  readonly operationId: string;
  readonly checkpointId: string;
  readonly planId: string;
  readonly phase: 'pre' | 'post';
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface HookRunner {
  has(name: string): boolean;
  /**
   * Runs the command and returns when it has ended well. A step that runs one is repeated after a crash of this service, so
   * commands must bear being run twice.
   *
   * @throws {Fault} invalid `hook.unknown`; unavailable `hook.failed` with exit code and the end of the output; timeout
   *   `hook.timed_out`; the signal's reason. The command's whole process group is dead by then.
   */
  run(name: string, run: HookRun): Promise<void>;
}

export interface HookRunnerOptions {
  /** All that a command finds in its environment beside `KARRI_HOOK_PHASE`, `KARRI_CHECKPOINT_ID` and `KARRI_PLAN_ID`. */
  readonly environment: Readonly<Record<string, string>>;
  /** How long a command that was told to end may take before it is killed. */
  readonly killAfterMs?: number;
}

const keptOutputBytes = 4096;
const defaultKillAfterMs = 5000;
/** A daemon that a command started may hold its output open for ever: what is not read by then is left. */
const outputGraceMs = 200;

export function createHookRunner(allowList: Readonly<Record<string, HookCommand>>, options: HookRunnerOptions): HookRunner {
  const commands = new Map(Object.entries(allowList));
  const killAfterMs = options.killAfterMs ?? defaultKillAfterMs;
  return {
    has: (name) => commands.has(name),
    run: async (name, run) => {
      throwIfAborted(run.signal);
      const { command, timeoutMs } = getCommand(commands, name);
      const [program = '', ...args] = command;
      run.log.info('A hook command starts.', { hook: name, phase: run.phase });
      const child = spawn(program, args, {
        // Its own process group, so that what it started ends with it.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...options.environment,
          KARRI_HOOK_PHASE: run.phase,
          KARRI_CHECKPOINT_ID: run.checkpointId,
          KARRI_PLAN_ID: run.planId,
        },
      });
      const output = keepOutput(child);
      const end = await waitForEnd(child, timeoutMs, run.signal, killAfterMs);
      await output.settle();
      if (end.why === 'aborted') throwIfAborted(run.signal);
      const fault = faultOf(name, run, end, timeoutMs, output.text());
      if (fault !== undefined) throw fault;
      run.log.info('A hook command has ended.', { hook: name, phase: run.phase });
    },
  };
}

function getCommand(commands: ReadonlyMap<string, HookCommand>, name: string): HookCommand {
  const command = commands.get(name);
  if (command !== undefined) return command;
  throw new Fault('invalid', 'hook.unknown', `The operator's list has no hook named ${name}.`, {
    details: { hook: name },
    help: commands.size === 0 ? 'The list is empty.' : `It has: ${[...commands.keys()].sort().join(', ')}.`,
  });
}

type End =
  | { readonly why: 'exited'; readonly code: number | null; readonly killedBy: string | null }
  | { readonly why: 'not-started'; readonly cause: Error }
  | { readonly why: 'timed-out' }
  | { readonly why: 'aborted' };

/** Returns when the command is over; beyond its time, or once the signal fires, it and all it started are ended. */
async function waitForEnd(child: ChildProcess, timeoutMs: number, signal: AbortSignal, killAfterMs: number): Promise<End> {
  const ended = new Promise<End>((resolve) => {
    child.once('exit', (code, killedBy) => resolve({ why: 'exited', code, killedBy }));
    child.once('error', (cause) => resolve({ why: 'not-started', cause }));
  });
  const over = new AbortController();
  const interrupted = sleep(timeoutMs, AbortSignal.any([signal, over.signal])).then(
    (): End => ({ why: 'timed-out' }),
    (): End => ({ why: 'aborted' }),
  );
  const first = await Promise.race([ended, interrupted]);
  if (first.why === 'timed-out' || first.why === 'aborted') {
    killGroup(child, 'SIGTERM');
    await Promise.race([ended, sleep(killAfterMs, over.signal).catch(() => undefined)]);
    killGroup(child, 'SIGKILL');
    await ended;
  }
  over.abort();
  return first;
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: nobody of the group is left, which is what was wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Keeps the last bytes of both outputs, in the order they came. */
function keepOutput(child: ChildProcess): { text(): string; settle(): Promise<void> } {
  let kept = Buffer.alloc(0);
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of streams) {
    stream.on('data', (bytes: Buffer) => {
      kept = Buffer.concat([kept, bytes]).subarray(-keptOutputBytes);
    });
  }
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    text: () => kept.toString('utf8').trim(),
    settle: async () => {
      const done = new AbortController();
      await Promise.race([closed, sleep(outputGraceMs, done.signal).catch(() => undefined)]);
      done.abort();
      for (const stream of streams) stream.destroy();
    },
  };
}

function faultOf(hook: string, run: HookRun, end: End, timeoutMs: number, output: string): Fault | undefined {
  if (end.why === 'exited' && end.code === 0) return undefined;
  const said = output === '' ? 'It printed nothing.' : `Its output ends with: ${output}`;
  const help = "See to the command on the operator's list of hooks.";
  const details = { hook, phase: run.phase };
  if (end.why === 'timed-out' || end.why === 'aborted') {
    const message = `The ${run.phase} hook ${hook} was killed after ${timeoutMs / 1000} s. ${said}`;
    return new Fault('timeout', 'hook.timed_out', message, { retry: 'never', details, help });
  }
  if (end.why === 'not-started') {
    const message = `The ${run.phase} hook ${hook} could not be started: ${end.cause.message}.`;
    return new Fault('unavailable', 'hook.failed', message, { retry: 'never', cause: end.cause, details, help });
  }
  const how = end.code === null ? `was ended by ${end.killedBy}` : `ended with exit code ${end.code}`;
  const message = `The ${run.phase} hook ${hook} ${how}. ${said}`;
  return new Fault('unavailable', 'hook.failed', message, { retry: 'never', details: { ...details, exit_code: end.code }, help });
}
