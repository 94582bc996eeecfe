import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { Trigger, TriggerProperties } from '../model/trigger.ts';
import { type ListShape, listRows } from './paging.ts';

/** When a trigger strikes next, and when that is acted upon; null: never again. */
export interface NextStrike {
  readonly nextAt: number | null;
  readonly dueAt: number | null;
}

export interface TriggerStore {
  create(trigger: Trigger, next: NextStrike): Promise<void>;
  /** @throws not-found `trigger.unknown` */
  get(id: string, trx?: Knex.Transaction): Promise<Trigger>;
  /** Filters: `name`, `properties` by pattern; the other columns exact. */
  list(query: PageQuery): Promise<Page<Trigger>>;
  update(id: string, change: { name?: string; properties?: TriggerProperties; next?: NextStrike }): Promise<void>;
  /** @throws conflict `trigger.in_use`; not-found `trigger.unknown` */
  delete(id: string): Promise<void>;
  /** Those that are due, the earliest first; no other transaction gets them before this one ends. */
  lockDue(now: number, limit: number, trx: Knex.Transaction): Promise<Trigger[]>;
  setNext(next: readonly (NextStrike & { readonly id: string })[], trx: Knex.Transaction): Promise<void>;
  /** When the next one is due; undefined when none ever is. */
  findNextDue(): Promise<number | undefined>;
}

interface TriggerRow {
  id: string;
  project_id: string;
  name: string;
  type: string;
  properties: string;
  created_at: Date;
  next_at: Date | null;
}

const shape: ListShape = {
  table: 'triggers',
  noun: 'trigger',
  softDeleted: false,
  unknownFilter: 'ignored',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    name: { column: 'name', kind: 'text', match: 'pattern' },
    type: { column: 'type', kind: 'text' },
    properties: { column: 'properties', kind: 'text', match: 'pattern' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createTriggerStore(knex: Knex): TriggerStore {
  return {
    async create(trigger, next) {
      await knex('triggers').insert({
        id: trigger.id,
        project_id: trigger.projectId,
        name: trigger.name,
        type: 'time',
        properties: JSON.stringify(trigger.properties),
        created_at: new Date(trigger.createdAt),
        ...nextColumns(next),
      });
    },

    async get(id, trx) {
      const row: TriggerRow | undefined = await (trx ?? knex)('triggers').where({ id }).first();
      if (row === undefined) throw unknownTrigger(id);
      return fromRow(row);
    },

    async list(query) {
      return { items: (await listRows<TriggerRow>(knex, shape, query)).map(fromRow) };
    },

    async update(id, { name, properties, next }) {
      const change = {
        ...(name !== undefined && { name }),
        ...(properties !== undefined && { properties: JSON.stringify(properties) }),
        ...(next !== undefined && nextColumns(next)),
      };
      if (Object.keys(change).length > 0 && (await knex('triggers').where({ id }).update(change)) === 0) throw unknownTrigger(id);
    },

    delete: (id) =>
      knex.transaction(async (trx) => {
        // Nobody hangs anything on it meanwhile.
        const row: TriggerRow | undefined = await trx('triggers').where({ id }).forUpdate().first();
        if (row === undefined) throw unknownTrigger(id);
        const used: { id: string } | undefined = await trx('scheduled_operations').where({ trigger_id: id }).first('id');
        if (used) {
          throw new Fault('conflict', 'trigger.in_use', `Trigger ${id} is used by scheduled operation ${used.id}.`, {
            help: 'Delete what it triggers first.',
          });
        }
        await trx('triggers').where({ id }).delete();
      }),

    async lockDue(now, limit, trx) {
      const rows: TriggerRow[] = await trx('triggers')
        .where('due_at', '<=', new Date(now))
        .orderBy('due_at')
        .limit(limit)
        .forUpdate()
        .skipLocked();
      return rows.map(fromRow);
    },

    async setNext(next, trx) {
      if (next.length === 0) return;
      const rows = next.map(({ id, ...strike }) => ({ id, ...nextColumns(strike) }));
      await trx.raw(
        `update triggers set next_at = changed.next_at, due_at = changed.due_at
           from jsonb_to_recordset(?::jsonb) as changed (id uuid, next_at timestamptz, due_at timestamptz)
          where triggers.id = changed.id`,
        [JSON.stringify(rows)],
      );
    },

    async findNextDue() {
      const row: { due_at: Date } | undefined = await knex('triggers').whereNotNull('due_at').orderBy('due_at').first('due_at');
      return row?.due_at.getTime();
    },
  };
}

function nextColumns({ nextAt, dueAt }: NextStrike) {
  return { next_at: nextAt === null ? null : new Date(nextAt), due_at: dueAt === null ? null : new Date(dueAt) };
}

function fromRow(row: TriggerRow): Trigger {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    properties: JSON.parse(row.properties) as TriggerProperties,
    createdAt: row.created_at.getTime(),
    nextAt: row.next_at?.getTime() ?? null,
  };
}

function unknownTrigger(id: string): Fault {
  return new Fault('not-found', 'trigger.unknown', `Trigger ${id} could not be found.`);
}
