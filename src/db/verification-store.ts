import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { Parameters } from '../model/resource.ts';
import type { Verification, VerificationStatus, VerifiedResource } from '../model/verification.ts';
import { type ListShape, listRows } from './paging.ts';

export type VerificationEnd = Pick<Verification, 'status' | 'resourcesStatus' | 'resourcesReason' | 'resources'>;

export interface VerificationStore {
  create(verification: Verification, trx?: Knex.Transaction): Promise<void>;
  /** @throws not-found `verification.unknown` */
  get(id: string): Promise<Verification>;
  /** Filters match exactly; one on what is no column matches nothing. */
  list(query: PageQuery): Promise<Page<Verification>>;
  /** @throws not-found `verification.unknown` */
  end(id: string, end: VerificationEnd, trx: Knex.Transaction): Promise<void>;
}

interface VerificationRow {
  id: string;
  project_id: string;
  provider_id: string;
  checkpoint_id: string;
  parameters: Parameters;
  status: VerificationStatus;
  resources_status: Record<string, string>;
  resources_reason: Record<string, string>;
  resources: VerifiedResource[];
  created_at: Date;
}

const shape: ListShape = {
  table: 'verifications',
  noun: 'verification',
  softDeleted: false,
  unknownFilter: 'nothing',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    provider_id: { column: 'provider_id', kind: 'uuid' },
    checkpoint_id: { column: 'checkpoint_id', kind: 'uuid' },
    status: { column: 'status', kind: 'text' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createVerificationStore(knex: Knex): VerificationStore {
  return {
    async create(verification, trx) {
      await (trx ?? knex)('verifications').insert({
        id: verification.id,
        project_id: verification.projectId,
        provider_id: verification.providerId,
        checkpoint_id: verification.checkpointId,
        parameters: JSON.stringify(verification.parameters),
        created_at: new Date(verification.createdAt),
        ...endColumns(verification),
      });
    },

    async get(id) {
      const row: VerificationRow | undefined = await knex('verifications').where({ id }).first();
      if (row === undefined) throw unknownVerification(id);
      return fromRow(row);
    },

    async list(query) {
      return { items: (await listRows<VerificationRow>(knex, shape, query)).map(fromRow) };
    },

    async end(id, end, trx) {
      if ((await trx('verifications').where({ id }).update(endColumns(end))) === 0) throw unknownVerification(id);
    },
  };
}

function endColumns({ status, resourcesStatus, resourcesReason, resources }: VerificationEnd) {
  return {
    status,
    resources_status: JSON.stringify(resourcesStatus),
    resources_reason: JSON.stringify(resourcesReason),
    resources: JSON.stringify(resources),
  };
}

function fromRow(row: VerificationRow): Verification {
  return {
    id: row.id,
    projectId: row.project_id,
    providerId: row.provider_id,
    checkpointId: row.checkpoint_id,
    parameters: row.parameters,
    status: row.status,
    resourcesStatus: row.resources_status,
    resourcesReason: row.resources_reason,
    resources: row.resources,
    createdAt: row.created_at.getTime(),
  };
}

function unknownVerification(id: string): Fault {
  return new Fault('not-found', 'verification.unknown', `Verification ${id} could not be found.`);
}
