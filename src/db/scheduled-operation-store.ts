import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { OperationDefinition, ScheduledOperation, ScheduledOperationType } from '../model/scheduled-operation.ts';
import { type ListShape, listRows } from './paging.ts';

export interface ScheduledOperationStore {
  create(operation: ScheduledOperation, trx?: Knex.Transaction): Promise<void>;
  /** @throws not-found `scheduled_operation.unknown` */
  get(id: string): Promise<ScheduledOperation>;
  /** Filters: `name`, `operation_definition` by pattern; the other columns exact. */
  list(query: PageQuery): Promise<Page<ScheduledOperation>>;
  listOfTriggers(triggerIds: readonly string[], trx: Knex.Transaction): Promise<ScheduledOperation[]>;
  /** Its runs go with it. @throws not-found `scheduled_operation.unknown` */
  delete(id: string): Promise<void>;
}

interface OperationRow {
  id: string;
  project_id: string;
  user_id: string;
  roles: string[];
  name: string;
  description: string | null;
  operation_type: ScheduledOperationType;
  trigger_id: string;
  operation_definition: string;
  created_at: Date;
}

const shape: ListShape = {
  table: 'scheduled_operations',
  noun: 'scheduled operation',
  softDeleted: false,
  unknownFilter: 'ignored',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    name: { column: 'name', kind: 'text', match: 'pattern' },
    description: { column: 'description', kind: 'text', nullable: true },
    operation_type: { column: 'operation_type', kind: 'text' },
    trigger_id: { column: 'trigger_id', kind: 'uuid' },
    operation_definition: { column: 'operation_definition', kind: 'text', match: 'pattern' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createScheduledOperationStore(knex: Knex): ScheduledOperationStore {
  return {
    async create(operation, trx) {
      await (trx ?? knex)('scheduled_operations').insert({
        id: operation.id,
        project_id: operation.projectId,
        user_id: operation.userId,
        roles: JSON.stringify(operation.roles),
        name: operation.name,
        description: operation.description,
        operation_type: operation.type,
        trigger_id: operation.triggerId,
        operation_definition: JSON.stringify(operation.definition),
        created_at: new Date(operation.createdAt),
      });
    },

    async get(id) {
      const row: OperationRow | undefined = await knex('scheduled_operations').where({ id }).first();
      if (row === undefined) throw unknownOperation(id);
      return fromRow(row);
    },

    async list(query) {
      return { items: (await listRows<OperationRow>(knex, shape, query)).map(fromRow) };
    },

    async listOfTriggers(triggerIds, trx) {
      const rows: OperationRow[] = await trx('scheduled_operations').whereIn('trigger_id', [...triggerIds]);
      return rows.map(fromRow);
    },

    async delete(id) {
      if ((await knex('scheduled_operations').where({ id }).delete()) === 0) throw unknownOperation(id);
    },
  };
}

function fromRow(row: OperationRow): ScheduledOperation {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    roles: row.roles,
    name: row.name,
    description: row.description,
    type: row.operation_type,
    triggerId: row.trigger_id,
    definition: JSON.parse(row.operation_definition) as OperationDefinition,
    createdAt: row.created_at.getTime(),
  };
}

function unknownOperation(id: string): Fault {
  return new Fault('not-found', 'scheduled_operation.unknown', `Scheduled operation ${id} could not be found.`);
}
