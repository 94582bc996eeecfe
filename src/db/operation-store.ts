import type { Knex } from 'knex';
import type { Json } from '../base/canonical-json.ts';
import type { OperationProgress } from '../model/progress.ts';

export type OperationState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type StepState = 'waiting' | 'done' | 'failed' | 'dropped';

export interface OperationRecord {
  readonly id: string;
  readonly kind: string;
  /** What it is about, `checkpoint:<id>`. */
  readonly subject: string;
  readonly input: unknown;
  readonly state: OperationState;
  readonly owner: string | null;
  readonly fence: number;
  /** Somebody wants it to end; whoever carries it out sees to that. */
  readonly cancelled: boolean;
  readonly error: string | null;
}

export interface StepRecord {
  readonly number: number;
  readonly name: string;
  readonly input: unknown;
  /** Steps that must be over first: done, or for an `always` step in any end state. */
  readonly after: readonly number[];
  /** Runs whatever happened to the others. */
  readonly always: boolean;
  readonly state: StepState;
  readonly attempts: number;
  readonly outcome: Json | null;
  readonly error: string | null;
}

export type StepEnd = Pick<StepRecord, 'state' | 'outcome' | 'error'>;
export type NewStep = Pick<StepRecord, 'number' | 'name' | 'input' | 'after' | 'always'>;

/** One worker's right to carry an operation on. */
export type Claim = Pick<OperationRecord, 'id' | 'fence'>;

export interface OperationStore {
  create(
    operation: { id: string; kind: string; subject: string; input: unknown; steps: readonly NewStep[] },
    trx: Knex.Transaction,
  ): Promise<void>;
  get(id: string): Promise<OperationRecord | undefined>;
  /** How far the operations on these subjects have got that are not over; by subject. */
  findProgress(subjects: readonly string[]): Promise<ReadonlyMap<string, OperationProgress>>;
  listSteps(id: string): Promise<StepRecord[]>;
  /** Takes an operation that is queued or whose owner is gone; undefined when there is nothing to take. */
  claim(id: string, worker: string): Promise<OperationRecord | undefined>;
  /** Gives back unfinished what the worker owns, except the operations it names. */
  releaseAllBut(ids: readonly string[], worker: string): Promise<void>;
  /** Queued or running operations that nobody owns. */
  listOrphans(): Promise<string[]>;
  beginStep(claim: Claim, number: number): Promise<boolean>;
  endStep(claim: Claim, number: number, end: StepEnd): Promise<boolean>;
  /** Tells at the same time whether the claim is still ours and the work still wanted. */
  reportProgress(claim: Claim, progress: OperationProgress): Promise<'wanted' | 'cancelled' | 'lost'>;
  /** Ends the operation inside the caller's transaction; false when the claim was no longer ours, and then the caller must roll back. */
  end(
    claim: Claim,
    end: { state: 'succeeded' | 'failed' | 'cancelled'; error: string | null },
    trx: Knex.Transaction,
  ): Promise<boolean>;
  /** Is the claim still ours? Ask before a write that the database cannot fence. */
  holds(claim: Claim): Promise<boolean>;
  /** Wants what is not over of the subject's operations to end. */
  cancel(subject: string, trx: Knex.Transaction): Promise<void>;
  /** Operations of the kind that are not over, oldest first. */
  listOpen(kind: string, trx?: Knex.Transaction): Promise<OperationRecord[]>;
}

interface OperationRow {
  id: string;
  kind: string;
  subject: string;
  input: unknown;
  state: OperationState;
  owner: string | null;
  fence: string;
  cancelled: boolean;
  error: string | null;
}

const columns = ['id', 'kind', 'subject', 'input', 'state', 'owner', 'fence', 'cancelled', 'error'] as const;
// Worded as the index of what is not over is, which stays small however much is.
const isOpen = "state in ('queued', 'running')";

function fromRow(row: OperationRow): OperationRecord {
  return { ...row, fence: Number(row.fence) };
}

export function createOperationStore(knex: Knex): OperationStore {
  const claimed = (claim: Claim) => ({ id: claim.id, fence: claim.fence, state: 'running' });
  // The row lock of the operation orders a commit against a take-over: one of the two comes first, never both.
  const stillHeld = (db: Knex, claim: Claim) => db('operations').where(claimed(claim)).forUpdate().first('id');

  return {
    async create({ steps, ...operation }, trx) {
      await trx('operations').insert({ ...operation, input: JSON.stringify(operation.input), state: 'queued' });
      if (steps.length === 0) return;
      await trx('steps').insert(
        steps.map(({ after, input, ...step }) => ({
          ...step,
          operation_id: operation.id,
          input: JSON.stringify(input),
          after: [...after],
          state: 'waiting',
        })),
      );
    },

    async get(id) {
      const row: OperationRow | undefined = await knex('operations')
        .where({ id })
        .first([...columns]);
      return row && fromRow(row);
    },

    async findProgress(subjects) {
      if (subjects.length === 0) return new Map();
      const rows: { subject: string; progress: OperationProgress }[] = await knex('operations')
        .whereRaw(isOpen)
        .whereIn('subject', [...subjects])
        .whereNotNull('progress')
        .select('subject', 'progress');
      return new Map(rows.map(({ subject, progress }) => [subject, progress]));
    },

    async listSteps(id) {
      const rows = await knex('steps').where({ operation_id: id }).orderBy('number');
      return rows.map(({ number, name, input, after, always, state, attempts, outcome, error }) => ({
        number,
        name,
        input,
        after,
        always,
        state,
        attempts,
        outcome,
        error,
      }));
    },

    async claim(id, worker) {
      const rows: OperationRow[] = await knex('operations')
        .where({ id })
        .whereIn('state', ['queued', 'running'])
        .whereNull('owner')
        .update({
          state: 'running',
          owner: worker,
          fence: knex.raw('fence + 1'),
          started_at: knex.raw('coalesce(started_at, now())'),
        })
        .returning([...columns]);
      const row = rows[0];
      return row && fromRow(row);
    },

    async releaseAllBut(ids, worker) {
      await knex('operations')
        .where({ owner: worker })
        .whereRaw(isOpen)
        .whereNotIn('id', [...ids])
        .update({ owner: null });
    },

    async listOrphans() {
      const rows = await knex('operations')
        .whereIn('state', ['queued', 'running'])
        .whereNull('owner')
        .orderBy('created_at')
        .select('id');
      return rows.map((row) => row.id);
    },

    beginStep(claim, number) {
      return knex.transaction(async (trx) => {
        if (!(await stillHeld(trx, claim))) return false;
        await trx('steps')
          .where({ operation_id: claim.id, number })
          .update({ attempts: trx.raw('attempts + 1'), started_at: trx.raw('coalesce(started_at, now())') });
        return true;
      });
    },

    endStep(claim, number, { state, outcome, error }) {
      return knex.transaction(async (trx) => {
        if (!(await stillHeld(trx, claim))) return false;
        await trx('steps')
          .where({ operation_id: claim.id, number })
          .update({ state, outcome: outcome === null ? null : JSON.stringify(outcome), error, ended_at: trx.fn.now() });
        return true;
      });
    },

    async reportProgress(claim, progress) {
      const rows: { cancelled: boolean }[] = await knex('operations')
        .where(claimed(claim))
        .update({ progress: JSON.stringify(progress) })
        .returning('cancelled');
      if (rows[0] === undefined) return 'lost';
      return rows[0].cancelled ? 'cancelled' : 'wanted';
    },

    async end(claim, { state, error }, trx) {
      const changed = await trx('operations').where(claimed(claim)).update({ state, error, owner: null, ended_at: trx.fn.now() });
      return changed > 0;
    },

    async holds(claim) {
      return (await knex('operations').where(claimed(claim)).first('id')) !== undefined;
    },

    async cancel(subject, trx) {
      await trx('operations').whereRaw(isOpen).where({ subject }).update({ cancelled: true });
    },

    async listOpen(kind, trx) {
      const rows: OperationRow[] = await (trx ?? knex)('operations')
        .whereRaw(isOpen)
        .where({ kind })
        .orderBy('created_at')
        .select([...columns]);
      return rows.map(fromRow);
    },
  };
}
