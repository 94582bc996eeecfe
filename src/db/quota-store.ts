import type { Knex } from 'knex';
import { type QuotaChange, type QuotaLimits, type QuotaResource, quotaResources } from '../model/quota.ts';

/** The limits that were set, and what there is of what they limit. */
export interface QuotaStore {
  /** What was set for the project; the others have the service's defaults. */
  findLimits(projectId: string, trx?: Knex.Transaction): Promise<QuotaChange>;
  setLimits(projectId: string, change: QuotaChange, trx?: Knex.Transaction): Promise<void>;
  removeLimits(projectId: string): Promise<void>;
  findClass(name: string): Promise<QuotaChange>;
  setClass(name: string, change: QuotaChange): Promise<void>;
  /** Sum of the limits of one resource over all projects; those without a limit promise nothing. */
  sumOfLimits(resource: QuotaResource, trx: Knex.Transaction): Promise<number>;
  /** Until the transaction ends nobody else holds the same: what is counted stays true. */
  hold(name: string, trx: Knex.Transaction): Promise<void>;
  /** Counting ends at `atMost`, so that a limit of ten costs ten rows however many there are. */
  countInUse(projectId: string, resource: 'plans' | 'checkpoints', atMost?: number, trx?: Knex.Transaction): Promise<number>;
  sumInUse(projectId: string, resource: 'protected_bytes' | 'stored_bytes', trx?: Knex.Transaction): Promise<number>;
  /** Bytes that running operations have put into the banks and that no sum has yet. */
  sumUnderWay(projectId: string, trx?: Knex.Transaction): Promise<number>;
  addStoredBytes(projectId: string, providerId: string, bytes: number, trx: Knex.Transaction): Promise<void>;
  /** What a garbage collection has counted. */
  setStoredBytes(projectId: string, providerId: string, bytes: number, trx: Knex.Transaction): Promise<void>;
}

interface LimitRow {
  resource: string;
  hard_limit: string;
}

export function createQuotaStore(knex: Knex): QuotaStore {
  const upsert = async (table: string, owner: Record<string, string>, change: QuotaChange, trx?: Knex.Transaction) => {
    const rows = Object.entries(change).map(([resource, limit]) => ({ ...owner, resource, hard_limit: limit }));
    if (rows.length === 0) return;
    await (trx ?? knex)(table)
      .insert(rows)
      .onConflict([...Object.keys(owner), 'resource'])
      .merge(['hard_limit']);
  };

  const putStoredBytes = async (
    trx: Knex.Transaction,
    row: { project_id: string; provider_id: string; bytes: number },
    bytes: Knex.Raw,
  ): Promise<void> => {
    await trx('stored_bytes').insert(row).onConflict(['project_id', 'provider_id']).merge({ bytes });
  };

  return {
    findLimits: async (projectId, trx) => toLimits(await (trx ?? knex)('quotas').where({ project_id: projectId })),
    setLimits: (projectId, change, trx) => upsert('quotas', { project_id: projectId }, change, trx),
    async removeLimits(projectId) {
      await knex('quotas').where({ project_id: projectId }).delete();
    },
    findClass: async (name) => toLimits(await knex('quota_classes').where({ name })),
    setClass: (name, change) => upsert('quota_classes', { name }, change),

    async sumOfLimits(resource, trx) {
      const row = await trx('quotas').where({ resource }).where('hard_limit', '>', 0).sum({ sum: 'hard_limit' }).first();
      return Number(row?.sum ?? 0);
    },

    async hold(name, trx) {
      await trx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`quota ${name}`]);
    },

    async countInUse(projectId, resource, atMost, trx) {
      const rows = resource === 'plans' ? livePlans(trx ?? knex, projectId) : ownCheckpoints(trx ?? knex, projectId);
      if (atMost !== undefined) void rows.limit(atMost);
      const row = await (trx ?? knex)
        .from(rows.select({ one: knex.raw('1') }).as('counted'))
        .count({ count: '*' })
        .first();
      return Number(row?.count ?? 0);
    },

    async sumInUse(projectId, resource, trx) {
      const sql = resource === 'stored_bytes' ? storedSql : protectedSql;
      const { rows } = await (trx ?? knex).raw<{ rows: { sum: string | null }[] }>(sql, [projectId]);
      return Number(rows[0]?.sum ?? 0);
    },

    async sumUnderWay(projectId, trx) {
      const { rows } = await (trx ?? knex).raw<{ rows: { sum: string | null }[] }>(underWaySql, [projectId]);
      return Number(rows[0]?.sum ?? 0);
    },

    addStoredBytes: (projectId, providerId, bytes, trx) =>
      putStoredBytes(
        trx,
        { project_id: projectId, provider_id: providerId, bytes },
        trx.raw('stored_bytes.bytes + excluded.bytes'),
      ),
    setStoredBytes: (projectId, providerId, bytes, trx) =>
      putStoredBytes(trx, { project_id: projectId, provider_id: providerId, bytes }, trx.raw('excluded.bytes')),
  };
}

function livePlans(db: Knex, projectId: string): Knex.QueryBuilder {
  return db('plans').where({ project_id: projectId }).whereNull('deleted_at');
}

/** A copy says so in its own words; until it is finished its status does. */
function ownCheckpoints(db: Knex, projectId: string): Knex.QueryBuilder {
  return db('checkpoints')
    .where({ project_id: projectId })
    .whereRaw("status in ('protecting', 'available', 'error')")
    .whereRaw("document->'extraInfo'->>'copy_status' is null");
}

const storedSql = 'select sum(bytes) as sum from stored_bytes where project_id = ?';

/** Of each resource the newest checkpoint that holds it: that is what a restore of everything would write. */
const protectedSql = `
  select sum(size) as sum from (
    select distinct on (resource->>'type', resource->>'id') (resource->'saved'->>'size_bytes')::numeric as size
      from checkpoints, jsonb_array_elements(document->'resources') as resource
     where project_id = ? and status in ('protecting', 'available', 'error') and resource->>'status' = 'available'
     order by resource->>'type', resource->>'id', created_at desc) as newest`;

const underWaySql = `
  select sum((progress->>'storedBytes')::numeric) as sum from operations
   where state = 'running' and kind = 'protect' and input->>'projectId' = ?`;

function toLimits(rows: readonly LimitRow[]): QuotaChange {
  const known = rows.filter(({ resource }) => quotaResources.some((each) => each === resource));
  return Object.fromEntries(known.map(({ resource, hard_limit }) => [resource, Number(hard_limit)]));
}

/** The limits that count: what was set, else the defaults. */
export function effectiveLimits(defaults: QuotaLimits, set: QuotaChange): QuotaLimits {
  return { ...defaults, ...set };
}
