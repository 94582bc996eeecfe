import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import type { Page, PageQuery } from '../model/page.ts';

/** A checkpoint as the catalogue keeps it. */
export interface CatalogueEntry {
  readonly checkpoint: Checkpoint;
  /** Grows with every change of state; the highest counts. */
  readonly generation: number;
  /** False while the bank has not been told, because it was away when the state came about. */
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
  /** Takes entries over; one that is older than what is known is left out. */
  upsert(entries: readonly CatalogueEntry[], trx?: Knex.Transaction): Promise<void>;
  get(id: string): Promise<CatalogueEntry | undefined>;
  /** As `get`, and nobody else changes it before the transaction ends. */
  lock(id: string, trx: Knex.Transaction): Promise<CatalogueEntry | undefined>;
  /** Deleted ones are left out. Sorted by `created_at`, `id` or `status`. @throws {Fault} not-found `page.unknown_marker` */
  list(query: CheckpointListQuery): Promise<Page<Checkpoint>>;
  listGenerations(providerId: string, projectId: string): Promise<Map<string, { generation: number; published: boolean }>>;
  remove(ids: readonly string[]): Promise<void>;
}

const rowsAtOnce = 500;

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
          .whereRaw('checkpoints.generation <= excluded.generation');
      }
    },

    get: (id) => first(knex('checkpoints').where({ id })),

    lock: (id, trx) => first(trx('checkpoints').where({ id }).forUpdate()),

    async list(query) {
      const list = knex('checkpoints').where({ provider_id: query.providerId }).whereNot('status', 'deleted');
      if (query.projectId !== undefined) void list.where({ project_id: query.projectId });
      if (query.planId !== undefined) void list.where({ plan_id: query.planId });
      if (query.from !== undefined) void list.where('created_at', '>=', new Date(query.from));
      if (query.until !== undefined) void list.where('created_at', '<', new Date(query.until));
      const sort = query.sort.find(({ key }) => key === 'created_at' || key === 'status') ?? {
        key: 'created_at',
        direction: 'desc',
      };
      const forward = sort.direction === 'asc' ? '>' : '<';
      if (query.marker !== undefined) {
        const marker = await knex('checkpoints').where({ id: query.marker }).first('id');
        if (!marker) throw new Fault('not-found', 'page.unknown_marker', `The marker ${query.marker} names no checkpoint.`);
        void list.whereRaw(`(??, id) ${forward} (select ??, id from checkpoints where id = ?)`, [
          sort.key,
          sort.key,
          query.marker,
        ]);
      }
      const rows: CheckpointRow[] = await list
        .orderBy([
          { column: sort.key, order: sort.direction },
          { column: 'id', order: sort.direction },
        ])
        .limit(query.limit)
        .select('document', 'generation', 'published');
      return { items: rows.map((row) => row.document) };
    },

    async listGenerations(providerId, projectId) {
      const rows = await knex('checkpoints')
        .where({ provider_id: providerId, project_id: projectId })
        .select('id', 'generation', 'published');
      return new Map(rows.map(({ id, generation, published }) => [id, { generation, published }]));
    },

    async remove(ids) {
      await knex('checkpoints')
        .whereIn('id', [...ids])
        .delete();
    },
  };
}
