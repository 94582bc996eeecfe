import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { CollectedRepository, CollectionStatus, GarbageCollection } from '../model/garbage-collection.ts';
import type { Page, PageQuery } from '../model/page.ts';
import { type ListShape, listRows } from './paging.ts';

export type CollectionEnd = Pick<GarbageCollection, 'status' | 'repositories' | 'endedAt'>;

export interface GarbageCollectionStore {
  create(collection: GarbageCollection, trx: Knex.Transaction): Promise<void>;
  has(id: string, trx?: Knex.Transaction): Promise<boolean>;
  /** @throws not-found `gc.unknown` */
  get(providerId: string, id: string): Promise<GarbageCollection>;
  list(providerId: string, query: PageQuery): Promise<Page<GarbageCollection>>;
  end(id: string, end: CollectionEnd, trx: Knex.Transaction): Promise<void>;
}

interface CollectionRow {
  id: string;
  provider_id: string;
  dry_run: boolean;
  status: CollectionStatus;
  repositories: CollectedRepository[];
  created_at: Date;
  ended_at: Date | null;
}

const shape: ListShape = {
  table: 'garbage_collections',
  noun: 'garbage collection',
  softDeleted: false,
  unknownFilter: 'nothing',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    status: { column: 'status', kind: 'text' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createGarbageCollectionStore(knex: Knex): GarbageCollectionStore {
  return {
    async create({ id, providerId, dryRun, status, repositories, createdAt }, trx) {
      await trx('garbage_collections').insert({
        id,
        provider_id: providerId,
        dry_run: dryRun,
        status,
        repositories: JSON.stringify(repositories),
        created_at: new Date(createdAt),
      });
    },

    has: async (id, trx) => (await (trx ?? knex)('garbage_collections').where({ id }).first('id')) !== undefined,

    async get(providerId, id) {
      const row: CollectionRow | undefined = await knex('garbage_collections').where({ id, provider_id: providerId }).first();
      if (row !== undefined) return fromRow(row);
      throw new Fault('not-found', 'gc.unknown', `Garbage collection ${id} could not be found.`);
    },

    async list(providerId, query) {
      const conditions = [{ sql: 'provider_id = ?', values: [providerId] }];
      return { items: (await listRows<CollectionRow>(knex, shape, query, conditions)).map(fromRow) };
    },

    async end(id, { status, repositories, endedAt }, trx) {
      await trx('garbage_collections')
        .where({ id })
        .update({
          status,
          repositories: JSON.stringify(repositories),
          ended_at: endedAt === null ? null : new Date(endedAt),
        });
    },
  };
}

function fromRow(row: CollectionRow): GarbageCollection {
  return {
    id: row.id,
    providerId: row.provider_id,
    dryRun: row.dry_run,
    status: row.status,
    repositories: row.repositories,
    createdAt: row.created_at.getTime(),
    endedAt: row.ended_at?.getTime() ?? null,
  };
}
