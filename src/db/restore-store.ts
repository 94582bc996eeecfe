import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { Parameters } from '../model/resource.ts';
import type { Restore, RestoreStatus } from '../model/restore.ts';
import { type ListShape, listRows } from './paging.ts';

export interface ResourceOutcome {
  /** `TYPE#ID` */
  readonly resource: string;
  /** `restoring`, `available`, `error`, or the backing service's own word. */
  readonly status: string;
  readonly reason: string;
  /** The key under which this resource was kept until it had its new id; dropped. */
  readonly replaces?: string;
}

export interface RestoreStore {
  create(restore: Restore, trx?: Knex.Transaction): Promise<void>;
  /** @throws not-found `restore.unknown` */
  get(id: string, trx?: Knex.Transaction): Promise<Restore>;
  /** Filters match exactly; one on what is no column matches nothing. */
  list(query: PageQuery): Promise<Page<Restore>>;
  /** @throws not-found `restore.unknown` */
  setStatus(id: string, status: RestoreStatus, trx?: Knex.Transaction): Promise<void>;
  /**
   * Resources of one restore may be set at the same time; none loses what another wrote. Only while it is in progress, so that a
   * worker that wakes up late says nothing of a restore that is over.
   * @throws not-found `restore.unknown`; conflict `restore.over`
   */
  setResource(id: string, outcome: ResourceOutcome, trx?: Knex.Transaction): Promise<void>;
}

interface RestoreRow {
  id: string;
  project_id: string;
  provider_id: string;
  checkpoint_id: string;
  restore_target: string | null;
  parameters: Parameters;
  status: RestoreStatus;
  resources_status: Record<string, string>;
  resources_reason: Record<string, string>;
  created_at: Date;
}

const shape: ListShape = {
  table: 'restores',
  noun: 'restore',
  softDeleted: false,
  unknownFilter: 'nothing',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    provider_id: { column: 'provider_id', kind: 'uuid' },
    checkpoint_id: { column: 'checkpoint_id', kind: 'uuid' },
    restore_target: { column: 'restore_target', kind: 'text', nullable: true },
    status: { column: 'status', kind: 'text' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createRestoreStore(knex: Knex): RestoreStore {
  return {
    async create(restore, trx) {
      await (trx ?? knex)('restores').insert({
        id: restore.id,
        project_id: restore.projectId,
        provider_id: restore.providerId,
        checkpoint_id: restore.checkpointId,
        restore_target: restore.restoreTarget,
        parameters: JSON.stringify(restore.parameters),
        status: restore.status,
        resources_status: JSON.stringify(restore.resourcesStatus),
        resources_reason: JSON.stringify(restore.resourcesReason),
        created_at: new Date(restore.createdAt),
      });
    },

    async get(id, trx) {
      const row: RestoreRow | undefined = await (trx ?? knex)('restores').where({ id }).first();
      if (row === undefined) throw unknownRestore(id);
      return fromRow(row);
    },

    async list(query) {
      return { items: (await listRows<RestoreRow>(knex, shape, query)).map(fromRow) };
    },

    async setStatus(id, status, trx) {
      if ((await (trx ?? knex)('restores').where({ id }).update({ status })) === 0) throw unknownRestore(id);
    },

    async setResource(id, { resource, status, reason, replaces }, trx) {
      const merge = (column: string, value: string) =>
        knex.raw('(?? - ?::text) || jsonb_build_object(?::text, ?::text)', [column, replaces ?? resource, resource, value]);
      const changed = await (trx ?? knex)('restores')
        .where({ id, status: 'in_progress' })
        .update({ resources_status: merge('resources_status', status), resources_reason: merge('resources_reason', reason) });
      if (changed > 0) return;
      const over = await (trx ?? knex)('restores').where({ id }).first('status');
      if (over === undefined) throw unknownRestore(id);
      throw new Fault('conflict', 'restore.over', `Restore ${id} has ended with ${over.status}.`);
    },
  };
}

function fromRow(row: RestoreRow): Restore {
  return {
    id: row.id,
    projectId: row.project_id,
    providerId: row.provider_id,
    checkpointId: row.checkpoint_id,
    restoreTarget: row.restore_target,
    parameters: row.parameters,
    status: row.status,
    resourcesStatus: row.resources_status,
    resourcesReason: row.resources_reason,
    createdAt: row.created_at.getTime(),
  };
}

function unknownRestore(id: string): Fault {
  return new Fault('not-found', 'restore.unknown', `Restore ${id} could not be found.`);
}
