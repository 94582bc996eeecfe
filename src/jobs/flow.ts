import type { Knex } from 'knex';
import type { Json } from '../base/canonical-json.ts';
import type { Log } from '../base/log.ts';
import type { OperationRecord, StepRecord } from '../db/operation-store.ts';

/** What one kind of operation does. Steps were drawn when the operation was created; here they are carried out. */
export interface Flow {
  readonly kind: string;
  /** Carries out one step. Repeatable: after a crash it is called again with the same id. What it returns is kept as the step's outcome. */
  runStep(step: StepRecord, run: StepRun): Promise<Json | undefined>;
  /**
   * Brings the outside to the operation's end state, then gives the writes that belong to the same moment in the database.
   * Repeatable too: it is called again when the worker dies before they are committed. A fault that says `never` makes a
   * good end a bad one: then it is called with the state `failed`, and should not fail for the same reason.
   */
  finish(ending: Ending): Promise<(trx: Knex.Transaction) => Promise<void>>;
}

export interface OperationRun {
  readonly operation: OperationRecord;
  readonly log: Log;
  /** Fires when the claim is lost, the operation is cancelled or the worker stops. */
  readonly signal: AbortSignal;
  /** Is this worker still the one? Ask right before a write that the database cannot fence. @throws cancelled `jobs.claim_lost` */
  checkHeld(): Promise<void>;
}

export interface StepRun extends OperationRun {
  /** `<operation id>/<step number>`: the same on every retry. */
  readonly stepId: string;
  /** Every step of the operation as it stands now, by number. */
  readonly steps: ReadonlyMap<number, StepRecord>;
  /** Keeps the newest report per step and writes their sum to the operation now and then. */
  report(progress: StepProgress): void;
}

export interface StepProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly storedBytes: number;
  readonly reusedBytes: number;
  /** A word for people: `writing`, `comparing`. */
  readonly phase: string;
}

export interface Ending extends OperationRun {
  readonly state: 'succeeded' | 'failed';
  readonly error: string | null;
  readonly steps: readonly StepRecord[];
  /** What the steps have reported to have stored, as far as this process has carried them out. */
  readonly storedBytes: number;
}
