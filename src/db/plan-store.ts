import type { Knex } from 'knex';
import { Fault } from '../base/faults.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { Plan, PlanHooks, PlanStatus } from '../model/plan.ts';
import type { Parameters, PlanResource } from '../model/resource.ts';
import { type ListShape, listRows } from './paging.ts';

export type PlanPatch = Partial<Pick<Plan, 'name' | 'description' | 'resources' | 'status' | 'hooks'>>;

export interface PlanStore {
  create(plan: Plan, trx?: Knex.Transaction): Promise<void>;
  /** @throws not-found `plan.unknown`, also for a deleted one */
  get(id: string, trx?: Knex.Transaction): Promise<Plan>;
  /** Filters: `name`, `description` by pattern; the other columns exact. */
  list(query: PageQuery): Promise<Page<Plan>>;
  /** The plan as it then is. @throws not-found `plan.unknown` */
  update(id: string, patch: PlanPatch, trx?: Knex.Transaction): Promise<Plan>;
  /** The row stays, for what refers to it. @throws not-found `plan.unknown` */
  delete(id: string, trx?: Knex.Transaction): Promise<void>;
}

interface PlanRow {
  id: string;
  project_id: string;
  name: string;
  description: string | null;
  provider_id: string;
  status: PlanStatus;
  resources: PlanResource[];
  parameters: Parameters;
  hooks: PlanHooks | null;
  created_at: Date;
}

const shape: ListShape = {
  table: 'plans',
  noun: 'plan',
  softDeleted: true,
  unknownFilter: 'ignored',
  columns: {
    id: { column: 'id', kind: 'uuid' },
    name: { column: 'name', kind: 'text', match: 'pattern' },
    description: { column: 'description', kind: 'text', match: 'pattern', nullable: true },
    provider_id: { column: 'provider_id', kind: 'uuid' },
    project_id: { column: 'project_id', kind: 'text' },
    status: { column: 'status', kind: 'text' },
    created_at: { column: 'created_at', kind: 'time' },
  },
};

export function createPlanStore(knex: Knex): PlanStore {
  const live = (db: Knex) => db('plans').whereNull('deleted_at');
  const get = async (id: string, trx?: Knex.Transaction): Promise<Plan> => {
    const row: PlanRow | undefined = await live(trx ?? knex)
      .where({ id })
      .first();
    if (row === undefined) throw unknownPlan(id);
    return fromRow(row);
  };

  return {
    get,

    async create(plan, trx) {
      await (trx ?? knex)('plans').insert({
        id: plan.id,
        project_id: plan.projectId,
        name: plan.name,
        description: plan.description,
        provider_id: plan.providerId,
        status: plan.status,
        created_at: new Date(plan.createdAt),
        ...jsonColumns(plan),
        parameters: JSON.stringify(plan.parameters),
      });
    },

    async list(query) {
      return { items: (await listRows<PlanRow>(knex, shape, query)).map(fromRow) };
    },

    async update(id, patch, trx) {
      const { name, description, status } = patch;
      const plain = Object.fromEntries(Object.entries({ name, description, status }).filter(([, value]) => value !== undefined));
      const change = { ...plain, ...jsonColumns(patch) };
      if (Object.keys(change).length === 0) return get(id, trx);
      const rows: PlanRow[] = await live(trx ?? knex)
        .where({ id })
        .update(change)
        .returning('*');
      if (rows[0] === undefined) throw unknownPlan(id);
      return fromRow(rows[0]);
    },

    async delete(id, trx) {
      const deleted = await live(trx ?? knex)
        .where({ id })
        .update({ deleted_at: knex.fn.now() });
      if (deleted === 0) throw unknownPlan(id);
    },
  };
}

/** As text: the driver would make PostgreSQL arrays of lists. */
function jsonColumns({ resources, hooks }: PlanPatch): Record<string, string | null> {
  return {
    ...(resources === undefined ? {} : { resources: JSON.stringify(resources) }),
    ...(hooks === undefined ? {} : { hooks: hooks === null ? null : JSON.stringify(hooks) }),
  };
}

function fromRow(row: PlanRow): Plan {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    description: row.description,
    providerId: row.provider_id,
    status: row.status,
    resources: row.resources,
    parameters: row.parameters,
    hooks: row.hooks,
    createdAt: row.created_at.getTime(),
  };
}

function unknownPlan(id: string): Fault {
  return new Fault('not-found', 'plan.unknown', `Plan ${id} could not be found.`);
}
