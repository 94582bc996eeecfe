import type { Knex } from 'knex';
import { type Checkpoint, type CheckpointStatus, type CheckpointWord, wordPrecedence } from '../model/checkpoint.ts';
import type { Page, PageQuery, SortKey } from '../model/page.ts';
import { type Condition, type ListShape, listRows } from './paging.ts';

/** A checkpoint as the catalogue keeps it. */
export interface CatalogueEntry {
  readonly checkpoint: Checkpoint;
  /** Grows with every change of state; `compareWords` says which entry counts. */
  readonly generation: number;
  /** False while the bank has not been told, because it was away when the state came about. */
  readonly published: boolean;
}

/** An entry without its document. */
export interface KnownWord extends CheckpointWord {
  readonly published: boolean;
}

export interface CheckpointListQuery extends PageQuery {
  readonly providerId: string;
  readonly planId?: string;
  /** Milliseconds since the epoch: from, inclusive, and until, exclusive. */
  readonly from?: number;
  readonly until?: number;
}

/** The catalogue of the banks' checkpoints. It can be lost: the banks rebuild it. */
export interface CheckpointStore {
  /** Takes entries over; one whose word counts less than that of what is known is left out. */
  upsert(entries: readonly CatalogueEntry[], trx?: Knex.Transaction): Promise<void>;
  get(id: string): Promise<CatalogueEntry | undefined>;
  /** As `get`, and nobody else changes it before the transaction ends. */
  lock(id: string, trx: Knex.Transaction): Promise<CatalogueEntry | undefined>;
  /**
   * Deleted ones are left out. Sort keys that are no column and `offset` are passed over, as Karbor does it.
   * @throws {Fault} not-found `page.unknown_marker`
   */
  list(query: CheckpointListQuery): Promise<Page<Checkpoint>>;
  listWords(providerId: string, projectId: string): Promise<Map<string, KnownWord>>;
  /** Ids and providers of all that the bank has not been told of, in one of the statuses. */
  listUntold(statuses: readonly CheckpointStatus[]): Promise<{ readonly id: string; readonly providerId: string }[]>;
  remove(ids: readonly string[]): Promise<void>;
}

const rowsAtOnce = 500;
/** As `compareWords` has it. */
const notLater =
  '(checkpoints.generation, array_position(?::text[], checkpoints.status)) <= (excluded.generation, array_position(?::text[], excluded.status))';

interface CheckpointRow {
  generation: number;
  published: boolean;
  document: Checkpoint;
}

const fromRow = ({ document, generation, published }: CheckpointRow): CatalogueEntry => ({
  checkpoint: document,
  generation,
  published,
});

const shape: ListShape = {
  table: 'checkpoints',
  noun: 'checkpoint',
  softDeleted: false,
  unknownFilter: 'ignored',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    plan_id: { column: 'plan_id', kind: 'uuid' },
    status: { column: 'status', kind: 'text' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createCheckpointStore(knex: Knex): CheckpointStore {
  const first = async (query: Knex.QueryBuilder): Promise<CatalogueEntry | undefined> => {
    const row: CheckpointRow | undefined = await query.first('document', 'generation', 'published');
    return row && fromRow(row);
  };

  return {
    async upsert(entries, trx) {
      for (let start = 0; start < entries.length; start += rowsAtOnce) {
        const rows = entries.slice(start, start + rowsAtOnce).map(({ checkpoint, generation, published }) => ({
          id: checkpoint.id,
          provider_id: checkpoint.providerId,
          project_id: checkpoint.projectId,
          plan_id: checkpoint.plan.id,
          status: checkpoint.status,
          created_at: new Date(checkpoint.createdAt),
          generation,
          published,
          document: JSON.stringify(checkpoint),
        }));
        await (trx ?? knex)('checkpoints')
          .insert(rows)
          .onConflict('id')
          .merge(['status', 'generation', 'published', 'document'])
          .whereRaw(notLater, [[...wordPrecedence], [...wordPrecedence]]);
      }
    },

    get: (id) => first(knex('checkpoints').where({ id })),

    lock: (id, trx) => first(trx('checkpoints').where({ id }).forUpdate()),

    async list(query) {
      const page = { ...query, sort: meaningful(query.sort), offset: 0 };
      const rows = await listRows<CheckpointRow>(knex, shape, page, conditionsOf(query));
      return { items: rows.map((row) => row.document) };
    },

    async listWords(providerId, projectId) {
      const rows = await knex('checkpoints')
        .where({ provider_id: providerId, project_id: projectId })
        .select('id', 'generation', 'status', 'published');
      return new Map(rows.map(({ id, ...word }) => [id, word]));
    },

    async listUntold(statuses) {
      const rows = await knex('checkpoints')
        .whereRaw('not published')
        .whereIn('status', [...statuses])
        .select('id', 'provider_id');
      return rows.map(({ id, provider_id }) => ({ id, providerId: provider_id }));
    },

    async remove(ids) {
      await knex('checkpoints')
        .whereIn('id', [...ids])
        .delete();
    },
  };
}

/** The keys that are columns; an id behind one that is none was only to break its ties. */
function meaningful(sort: readonly SortKey[]): readonly SortKey[] {
  const known = sort.filter(({ key }) => Object.hasOwn(shape.columns, key));
  const kept = known.length === sort.length ? known : known.filter(({ key }) => key !== 'id');
  return kept.length > 0 ? kept : [{ key: 'created_at', direction: 'desc' }];
}

/** Worded as the indexes of the catalogue are. */
function conditionsOf({ providerId, planId, from, until }: CheckpointListQuery): Condition[] {
  const conditions: Condition[] = [
    { sql: 'provider_id = ?', values: [providerId] },
    { sql: "status <> 'deleted'", values: [] },
  ];
  if (planId !== undefined) conditions.push({ sql: 'plan_id = ?', values: [planId] });
  if (from !== undefined) conditions.push({ sql: 'created_at >= ?', values: [new Date(from)] });
  if (until !== undefined) conditions.push({ sql: 'created_at < ?', values: [new Date(until)] });
  return conditions;
}
