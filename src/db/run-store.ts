import type { Knex } from 'knex';
import type { Page, PageQuery } from '../model/page.ts';
import type { RunState, ScheduledRun } from '../model/scheduled-operation.ts';
import { type ListShape, listRows } from './paging.ts';

export type NewRun = Pick<ScheduledRun, 'id' | 'scheduledOperationId' | 'expectedAt' | 'triggeredAt' | 'state' | 'reason'> & {
  readonly projectId: string;
};

export interface RunStore {
  /** Adds those of which there is none yet for that operation and time. */
  add(runs: readonly NewRun[], trx: Knex.Transaction): Promise<void>;
  /** Runs that are not over, the longest due first. */
  listOpen(limit: number): Promise<ScheduledRun[]>;
  list(scheduledOperationId: string, query: PageQuery): Promise<Page<ScheduledRun>>;
  /** Is another run of the same operation under way? */
  isBusy(run: ScheduledRun): Promise<boolean>;
  /** Moves a run on from the state it was seen in; false when somebody else has. */
  move(
    run: ScheduledRun,
    to: RunState,
    change: Partial<Pick<ScheduledRun, 'startedAt' | 'endedAt' | 'checkpointId' | 'reason' | 'deletedCheckpoints'>>,
  ): Promise<boolean>;
  /** Lets go of the oldest ended runs of an operation. */
  prune(scheduledOperationId: string, keep: number): Promise<void>;
}

interface RunRow {
  id: string;
  scheduled_operation_id: string;
  expected_at: Date;
  triggered_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  state: RunState;
  checkpoint_id: string | null;
  reason: string | null;
  deleted_checkpoints: string[];
}

const open = ['triggered', 'in_progress'];
const rowsAtOnce = 1000;

const shape: ListShape = {
  table: 'scheduled_runs',
  noun: 'run',
  softDeleted: false,
  unknownFilter: 'ignored',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    created_at: { column: 'expected_at', kind: 'time' },
    state: { column: 'state', kind: 'text' },
  },
};

export function createRunStore(knex: Knex): RunStore {
  return {
    async add(runs, trx) {
      const rows = runs.map((run) => ({
        id: run.id,
        scheduled_operation_id: run.scheduledOperationId,
        project_id: run.projectId,
        expected_at: new Date(run.expectedAt),
        triggered_at: new Date(run.triggeredAt),
        state: run.state,
        ended_at: open.includes(run.state) ? null : new Date(run.triggeredAt),
        reason: run.reason,
      }));
      for (let start = 0; start < rows.length; start += rowsAtOnce) {
        await trx('scheduled_runs')
          .insert(rows.slice(start, start + rowsAtOnce))
          .onConflict(['scheduled_operation_id', 'expected_at'])
          .ignore();
      }
    },

    async listOpen(limit) {
      const rows: RunRow[] = await knex('scheduled_runs')
        .whereRaw("state in ('triggered', 'in_progress')")
        .orderBy('expected_at')
        .limit(limit);
      return rows.map(fromRow);
    },

    async list(scheduledOperationId, query) {
      const condition = { sql: 'scheduled_operation_id = ?', values: [scheduledOperationId] };
      return { items: (await listRows<RunRow>(knex, shape, query, [condition])).map(fromRow) };
    },

    async isBusy({ id, scheduledOperationId }) {
      const other: RunRow | undefined = await knex('scheduled_runs')
        .where({ scheduled_operation_id: scheduledOperationId, state: 'in_progress' })
        .whereNot({ id })
        .first();
      return other !== undefined;
    },

    async move(run, to, { startedAt, endedAt, checkpointId, reason, deletedCheckpoints }) {
      const moved = await knex('scheduled_runs')
        .where({ id: run.id, state: run.state })
        .update({
          state: to,
          ...(startedAt != null && { started_at: new Date(startedAt) }),
          ...(endedAt != null && { ended_at: new Date(endedAt) }),
          ...(checkpointId !== undefined && { checkpoint_id: checkpointId }),
          ...(reason !== undefined && { reason }),
          ...(deletedCheckpoints !== undefined && { deleted_checkpoints: JSON.stringify(deletedCheckpoints) }),
        });
      return moved > 0;
    },

    async prune(scheduledOperationId, keep) {
      const oldest = knex('scheduled_runs')
        .where({ scheduled_operation_id: scheduledOperationId })
        .whereNotIn('state', open)
        .orderBy('expected_at', 'desc')
        .offset(keep)
        .select('id');
      await knex('scheduled_runs').whereIn('id', oldest).delete();
    },
  };
}

function fromRow(row: RunRow): ScheduledRun {
  return {
    id: row.id,
    scheduledOperationId: row.scheduled_operation_id,
    expectedAt: row.expected_at.getTime(),
    triggeredAt: row.triggered_at.getTime(),
    startedAt: row.started_at?.getTime() ?? null,
    endedAt: row.ended_at?.getTime() ?? null,
    state: row.state,
    checkpointId: row.checkpoint_id,
    reason: row.reason,
    deletedCheckpoints: row.deleted_checkpoints,
  };
}
