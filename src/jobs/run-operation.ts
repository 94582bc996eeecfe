import type { Knex } from 'knex';
import { type Clock, sleep } from '../base/clock.ts';
import { Fault, faultText, isFault, toFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import { retry } from '../base/retry.ts';
import type { Claim, OperationRecord, OperationStore, StepEnd, StepRecord } from '../db/operation-store.ts';
import type { Flow, OperationRun } from './flow.ts';
import { createProgressMeter, type ProgressMeter } from './progress.ts';

const progressEveryMs = 500;
/** Steps of one operation that run side by side: each holds buffers of its own, and the bank's calls are limited anyway. */
const stepsAtOnce = 4;
/** A step whose fault says "later" is tried again this often before it has failed. */
const stepRetries = { attempts: 4, firstDelayMs: 1000, maxDelayMs: 10_000 };
/** Writing down how a step ended is tried for about a minute: a database that starts again must not cost hours of work. */
const settleRetries = { attempts: 12, firstDelayMs: 250, maxDelayMs: 10_000 };

export interface RunOptions {
  readonly knex: Knex;
  readonly operations: OperationStore;
  readonly flow: Flow;
  readonly clock: Clock;
  readonly log: Log;
  /** Fires when this worker stops: the operation is then left as it stands, for the next one. */
  readonly signal: AbortSignal;
}

/** Thrown when another worker has the operation now; whoever sees it lets go without a trace. */
function claimLost(): Fault {
  return new Fault('cancelled', 'jobs.claim_lost', 'Another worker has taken this operation over.');
}

/** What ends the steps of an operation that somebody wants to end. */
function cancelledFault(): Fault {
  return new Fault('cancelled', 'jobs.cancelled', 'The operation was cancelled by a request.');
}

/**
 * Carries a claimed operation on from its first unfinished step to its end. Steps whose predecessors are over run side by
 * side. What needs a step that failed is dropped; the rest goes on, so that every resource comes to its own result. When the
 * operation is cancelled, what runs fails and what waits is dropped, but for the steps that run always.
 */
export async function runOperation(operation: OperationRecord, options: RunOptions): Promise<void> {
  const { operations, flow, clock, knex } = options;
  const log = options.log.child({ operation: operation.id, kind: operation.kind });
  const lost = new AbortController();
  const cancel = new AbortController();
  if (operation.cancelled) cancel.abort(cancelledFault());
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const held: Held = async (promise) => {
    if (await promise) return;
    lost.abort(claimLost());
    throw claimLost();
  };
  const run: OperationRun = { operation, log, signal, checkHeld: () => held(operations.holds(operation)) };

  const steps = new Map((await operations.listSteps(operation.id)).map((step) => [step.number, step]));
  const doneBefore = [...steps.values()].filter((step) => step.state !== 'waiting').length;
  const meter = createProgressMeter(clock, steps.size, doneBefore);
  const stopReporting = reportWhile(operations, operation, meter, { lost, cancel }, log);
  try {
    await carryOut({ operations, flow, steps, run, cancel: cancel.signal, meter, held });
    const { state, error, commit } = await finish(flow, run, [...steps.values()], meter.read().storedBytes);
    const wasCancelled = state === 'failed' && cancel.signal.aborted;
    await knex.transaction(async (trx) => {
      await held(operations.end(operation, { state: wasCancelled ? 'cancelled' : state, error }, trx));
      await commit(trx);
    });
    if (error === null) log.info('The operation is over.', { state });
    else log.warn('The operation has failed.', { state, error });
  } finally {
    await stopReporting();
  }
}

/** Ends the operation well if every step did and the flow can say so outside; a good end that cannot be told is a bad one. */
async function finish(flow: Flow, run: OperationRun, steps: readonly StepRecord[], storedBytes: number) {
  const error = steps.find((step) => step.error !== null)?.error ?? null;
  if (steps.some((step) => step.state === 'failed')) return finishAs('failed', error);
  // Cancelled before anything of it had begun.
  if (steps.some((step) => step.state === 'dropped')) return finishAs('failed', cancelledFault().message);
  try {
    return await finishAs('succeeded', error);
  } catch (thrown) {
    const fault = toFault(thrown);
    // What may pass by itself is waited for: the operation is handed back and finished again.
    if (fault.retry !== 'never' || fault.kind === 'cancelled' || run.signal.aborted) throw thrown;
    return finishAs('failed', faultText(fault));
  }

  async function finishAs(state: 'succeeded' | 'failed', why: string | null) {
    return { state, error: why, commit: await flow.finish({ ...run, state, error: why, steps, storedBytes }) };
  }
}

/** Throws `jobs.claim_lost`, and ends all else that runs, when what was asked of the database found the claim gone. */
type Held = (promise: Promise<boolean>) => Promise<void>;

interface Course {
  readonly operations: OperationStore;
  readonly flow: Flow;
  /** As they stand; kept up to date. */
  readonly steps: Map<number, StepRecord>;
  readonly run: OperationRun;
  /** Nobody wants the operation any more. */
  readonly cancel: AbortSignal;
  readonly meter: ProgressMeter;
  readonly held: Held;
}

/** Runs steps until none can start any more and none runs. After trouble that is no step's own nothing new starts, and it is thrown at the end. */
async function carryOut(course: Course): Promise<void> {
  const { steps, run } = course;
  const running = new Map<number, Promise<void>>();
  const trouble: unknown[] = [];
  const begin = (step: StepRecord, task: Promise<void>): void => {
    const noted = task.catch((error: unknown) => void trouble.push(error)).finally(() => running.delete(step.number));
    running.set(step.number, noted);
  };

  for (;;) {
    for (const step of steps.values()) {
      if (run.signal.aborted || trouble.length > 0 || running.size >= stepsAtOnce) break;
      if (step.state !== 'waiting' || running.has(step.number)) continue;
      const next = whatNext(step, steps, course.cancel.aborted);
      if (next === 'run') begin(step, runStep(course, step));
      if (next === 'drop') begin(step, settle(course, step, { state: 'dropped', outcome: null, error: null }));
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  // The steps' own errors are only what the signal made of them.
  run.signal.throwIfAborted();
  if (trouble.length > 0) throw trouble[0];
  if ([...steps.values()].every((step) => step.state !== 'waiting')) return;
  throw new Fault('internal', 'jobs.stuck', `Operation ${run.operation.id} has steps that wait for each other.`);
}

/** A step wants all its predecessors done; an `always` step waits until they are over, however they ended. */
function whatNext(step: StepRecord, steps: ReadonlyMap<number, StepRecord>, isCancelled: boolean): 'run' | 'drop' | 'wait' {
  if (isCancelled && !step.always) return 'drop';
  const before = step.after.map((number) => steps.get(number)?.state);
  if (!step.always && before.some((state) => state === 'failed' || state === 'dropped')) return 'drop';
  return before.includes('waiting') ? 'wait' : 'run';
}

async function runStep(course: Course, step: StepRecord): Promise<void> {
  const { operations, flow, steps, run, meter, held } = course;
  const { operation } = run;
  const signal = step.always ? run.signal : AbortSignal.any([run.signal, course.cancel]);
  const log = run.log.child({ step: step.name });
  await held(operations.beginStep(operation, step.number));
  steps.set(step.number, { ...step, attempts: step.attempts + 1 });
  meter.stepBegan(step.name);
  const call = () =>
    flow.runStep(step, {
      ...run,
      log,
      signal,
      stepId: `${operation.id}/${step.number}`,
      steps,
      report: (progress) => meter.report(step.number, step.name, progress),
    });
  const onRetry = (attempt: number, delayMs: number, error: unknown): void =>
    log.warn('The step failed and will be tried again.', { attempt, delayMs: Math.round(delayMs), error: faultText(error) });
  let end: StepEnd;
  try {
    end = { state: 'done', outcome: (await retry(call, { ...stepRetries, signal, onRetry })) ?? null, error: null };
  } catch (error) {
    // Told to stop, or no longer ours: nothing has failed, somebody else goes on at this step.
    if (run.signal.aborted || isFault(error, 'jobs.claim_lost')) throw error;
    // What a step says that was told to end is only what the signal made of it.
    const why = faultText(signal.aborted ? signal.reason : error);
    log.warn('The step has failed.', { error: why, code: toFault(error).code });
    end = { state: 'failed', outcome: null, error: why };
  } finally {
    meter.stepEnded(step.name);
  }
  await settle(course, step, end);
}

async function settle({ operations, steps, run, held }: Course, step: StepRecord, end: StepEnd): Promise<void> {
  const write = () => operations.endStep(run.operation, step.number, end);
  await held(retry(write, { ...settleRetries, signal: run.signal }));
  steps.set(step.number, { ...(steps.get(step.number) ?? step), ...end });
}

function reportWhile(
  operations: OperationStore,
  claim: Claim,
  meter: ProgressMeter,
  { lost, cancel }: { readonly lost: AbortController; readonly cancel: AbortController },
  log: Log,
): () => Promise<void> {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    for (;;) {
      await sleep(progressEveryMs, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      try {
        // The same write tells a worker that woke up late that it no longer owns the operation.
        const standing = await operations.reportProgress(claim, meter.read());
        if (standing === 'lost') lost.abort(claimLost());
        if (standing === 'cancelled') cancel.abort(cancelledFault());
      } catch (error) {
        log.warn('Progress could not be written.', { error: faultText(error) });
      }
    }
  };
  const done = loop();
  return async () => {
    stop.abort();
    await done;
  };
}
