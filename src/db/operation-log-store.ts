import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { OperationLog, OperationType } from '../model/operation-log.ts';
import type { Page, PageQuery } from '../model/page.ts';
import { type ListShape, listRows } from './paging.ts';

export interface OperationLogEnd {
  readonly status: string;
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
  readonly errorInfo: string | null;
  readonly extraInfo: OperationLog['extraInfo'];
}

export interface OperationLogStore {
  create(log: OperationLog, trx?: Knex.Transaction): Promise<void>;
  /** While it is open; a log that is closed stays as it is. */
  setStatus(id: string, status: string): Promise<void>;
  /** Repeatable: the first end stands. @throws not-found `operation_log.unknown` */
  close(id: string, end: OperationLogEnd, trx?: Knex.Transaction): Promise<void>;
  /** @throws not-found `operation_log.unknown` */
  get(id: string, trx?: Knex.Transaction): Promise<OperationLog>;
  /** Filters match exactly; one on what is no column matches nothing. */
  list(query: PageQuery): Promise<Page<OperationLog>>;
}

interface OperationLogRow {
  id: string;
  project_id: string;
  operation_type: OperationType;
  checkpoint_id: string | null;
  plan_id: string | null;
  provider_id: string | null;
  restore_id: string | null;
  scheduled_operation_id: string | null;
  status: string;
  started_at: Date;
  ended_at: Date | null;
  error_info: string | null;
  extra_info: OperationLog['extraInfo'];
}

const shape: ListShape = {
  table: 'operation_logs',
  noun: 'operation log',
  softDeleted: false,
  unknownFilter: 'nothing',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    operation_type: { column: 'operation_type', kind: 'text' },
    checkpoint_id: { column: 'checkpoint_id', kind: 'uuid', nullable: true },
    plan_id: { column: 'plan_id', kind: 'uuid', nullable: true },
    provider_id: { column: 'provider_id', kind: 'uuid', nullable: true },
    restore_id: { column: 'restore_id', kind: 'uuid', nullable: true },
    scheduled_operation_id: { column: 'scheduled_operation_id', kind: 'uuid', nullable: true },
    status: { column: 'status', kind: 'text' },
    // A log is made when its operation starts: the default sort key of all lists is the same instant.
    created_at: { column: 'started_at', kind: 'time' },
    started_at: { column: 'started_at', kind: 'time' },
    ended_at: { column: 'ended_at', kind: 'time', nullable: true },
    error_info: { column: 'error_info', kind: 'text', nullable: true },
  },
};

export function createOperationLogStore(knex: Knex): OperationLogStore {
  const get = async (id: string, trx?: Knex.Transaction): Promise<OperationLog> => {
    const row: OperationLogRow | undefined = await (trx ?? knex)('operation_logs').where({ id }).first();
    if (row === undefined) throw new Fault('not-found', 'operation_log.unknown', `Operation log ${id} could not be found.`);
    return fromRow(row);
  };

  return {
    get,

    async create(log, trx) {
      await (trx ?? knex)('operation_logs').insert({
        id: log.id,
        project_id: log.projectId,
        operation_type: log.operationType,
        checkpoint_id: log.checkpointId,
        plan_id: log.planId,
        provider_id: log.providerId,
        restore_id: log.restoreId,
        scheduled_operation_id: log.scheduledOperationId,
        status: log.status,
        started_at: new Date(log.startedAt),
        ended_at: log.endedAt === null ? null : new Date(log.endedAt),
        error_info: log.errorInfo,
        extra_info: log.extraInfo === null ? null : JSON.stringify(log.extraInfo),
      });
    },

    async setStatus(id, status) {
      await knex('operation_logs').where({ id }).whereNull('ended_at').update({ status });
    },

    async close(id, { status, endedAt, errorInfo, extraInfo }, trx) {
      const closed = await (trx ?? knex)('operation_logs')
        .where({ id })
        .whereNull('ended_at')
        .update({
          status,
          ended_at: new Date(endedAt),
          error_info: errorInfo,
          extra_info: extraInfo === null ? null : JSON.stringify(extraInfo),
        });
      if (closed === 0) await get(id, trx);
    },

    async list(query) {
      return { items: (await listRows<OperationLogRow>(knex, shape, query)).map(fromRow) };
    },
  };
}

function fromRow(row: OperationLogRow): OperationLog {
  return {
    id: row.id,
    projectId: row.project_id,
    operationType: row.operation_type,
    checkpointId: row.checkpoint_id,
    planId: row.plan_id,
    providerId: row.provider_id,
    restoreId: row.restore_id,
    scheduledOperationId: row.scheduled_operation_id,
    status: row.status,
    startedAt: row.started_at.getTime(),
    endedAt: row.ended_at?.getTime() ?? null,
    errorInfo: row.error_info,
    extraInfo: row.extra_info,
  };
}
