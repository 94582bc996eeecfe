import type { Knex } from 'knex';
import type { Json } from '../base/canonical-json.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { Fault, faultText, isFault, toFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import { retry } from '../base/retry.ts';
import type { Claim, OperationRecord, OperationStore, StepRecord, StepState } from '../db/operation-store.ts';
import type { Flow, OperationRun } from './flow.ts';
import { createProgressMeter, type ProgressMeter } from './progress.ts';

const progressEveryMs = 500;
/** A step whose fault says "later" is tried again this often before the operation fails. */
const stepAttempts = 4;

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

/**
 * Carries a claimed operation on from its first unfinished step to its end. Steps whose predecessors are over run side by
 * side. After a failure no new step starts but those marked `always`; what runs is left to finish, so that every
 * resource's own result is known.
 */
export async function runOperation(operation: OperationRecord & Claim, options: RunOptions): Promise<void> {
  const { operations, flow, clock, knex } = options;
  const log = options.log.child({ operation: operation.id, kind: operation.kind });
  const lost = new AbortController();
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const held = async (promise: Promise<boolean>): Promise<void> => {
    if (await promise) return;
    lost.abort(claimLost());
    throw claimLost();
  };
  const run: OperationRun = { operation, log, signal, stillHeld: () => operations.holds(operation) };

  const steps = new Map((await operations.listSteps(operation.id)).map((step) => [step.number, step]));
  const doneBefore = [...steps.values()].filter((step) => step.state !== 'waiting').length;
  const meter = createProgressMeter(clock, steps.size, doneBefore);
  const stopReporting = reportWhile(operations, operation, meter, lost, log);
  try {
    await carryOut({ ...options, log, signal }, operation, steps, run, meter, held);
    signal.throwIfAborted();
    const ended = [...steps.values()];
    const error = ended.find((step) => step.error !== null)?.error ?? null;
    const state = ended.some((step) => step.state === 'failed') ? 'failed' : 'succeeded';
    const commit = await flow.finish({ ...run, state, error, steps: ended });
    const progress = { ...meter.read(), step: '', secondsLeft: null, bytesPerSecond: 0 };
    await knex.transaction(async (trx) => {
      await held(operations.end(operation, { state, error, progress }, trx));
      await commit(trx);
    });
    if (error === null) log.info('The operation is over.', { state });
    else log.warn('The operation has failed.', { state, error });
  } finally {
    await stopReporting();
  }
}

/** Runs steps until none can start any more and none runs. */
async function carryOut(
  options: RunOptions,
  operation: OperationRecord & Claim,
  steps: Map<number, StepRecord>,
  run: OperationRun,
  meter: ProgressMeter,
  held: (promise: Promise<boolean>) => Promise<void>,
): Promise<void> {
  const { operations, flow, signal } = options;
  const running = new Map<number, Promise<void>>();
  const trouble: unknown[] = [];

  const settle = async (step: StepRecord, state: StepState, outcome: Json | null, error: string | null): Promise<void> => {
    await held(operations.endStep(operation, step.number, { state, outcome, error }));
    steps.set(step.number, { ...(steps.get(step.number) ?? step), state, outcome, error });
  };

  const runOne = async (step: StepRecord): Promise<void> => {
    const log = run.log.child({ step: step.name });
    await held(operations.beginStep(operation, step.number));
    steps.set(step.number, { ...step, attempts: step.attempts + 1 });
    meter.stepBegan(step.name);
    try {
      const outcome = await retry(
        () =>
          flow.runStep(step, {
            ...run,
            log,
            stepId: `${operation.id}/${step.number}`,
            steps,
            report: (progress) => meter.report(step.number, step.name, progress),
          }),
        {
          attempts: stepAttempts,
          firstDelayMs: 1000,
          maxDelayMs: 10_000,
          signal,
          onRetry: (attempt, delayMs, error) =>
            log.warn('The step failed and will be tried again.', {
              attempt,
              delayMs: Math.round(delayMs),
              error: faultText(error),
            }),
        },
      );
      await settle(step, 'done', outcome ?? null, null);
    } catch (error) {
      // Told to stop, or no longer ours: nothing has failed, somebody else goes on at this step.
      if (signal.aborted || isFault(error, 'jobs.claim_lost')) throw error;
      log.warn('The step has failed.', { error: faultText(error), code: toFault(error).code });
      await settle(step, 'failed', null, faultText(error));
    } finally {
      meter.stepEnded(step.name);
    }
  };

  for (;;) {
    if (signal.aborted && trouble.length === 0) trouble.push(signal.reason);
    const all = [...steps.values()];
    const failed = all.some((step) => step.state === 'failed');
    for (const step of all) {
      if (step.state !== 'waiting' || running.has(step.number)) continue;
      if (trouble.length > 0) continue;
      if (failed && !step.always) {
        await settle(step, 'dropped', null, null);
        continue;
      }
      if (!isReady(step, steps)) continue;
      const task = runOne(step)
        .catch((error: unknown) => void trouble.push(error))
        .finally(() => running.delete(step.number));
      running.set(step.number, task);
    }
    if (running.size === 0) {
      if (trouble.length > 0) throw trouble[0];
      const waiting = [...steps.values()].filter((step) => step.state === 'waiting');
      if (waiting.length === 0) return;
      // Steps were dropped in this very round, and what waited only for them can start in the next.
      if (waiting.some((step) => isReady(step, steps))) continue;
      throw new Fault('internal', 'jobs.stuck', `Operation ${operation.id} has steps that wait for each other.`);
    }
    await Promise.race(running.values());
  }
}

/** An `always` step waits until its predecessors are over, however they ended; the others want them done. */
function isReady(step: StepRecord, steps: ReadonlyMap<number, StepRecord>): boolean {
  return step.after.every((number) => {
    const state = steps.get(number)?.state;
    return step.always ? state !== 'waiting' : state === 'done';
  });
}

function reportWhile(
  operations: OperationStore,
  claim: Claim,
  meter: ProgressMeter,
  lost: AbortController,
  log: Log,
): () => Promise<void> {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    for (;;) {
      await sleep(progressEveryMs, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      try {
        // The same write tells a worker that woke up late that it no longer owns the operation.
        if (!(await operations.reportProgress(claim, { ...meter.read() }))) lost.abort(claimLost());
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
