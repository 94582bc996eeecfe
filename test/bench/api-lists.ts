import type { Knex } from 'knex';
import { systemClock } from '../../src/base/clock.ts';
import { newId } from '../../src/base/ids.ts';
import { createCheckpointStore } from '../../src/db/checkpoint-store.ts';
import { createPlanStore } from '../../src/db/plan-store.ts';
import type { PageQuery } from '../../src/model/page.ts';

const pageSize = 20;
const deepPage = 1000;
const projects = 1000;
/** Of one project, so that it has a thousand pages and some; the other projects share the rest. */
const ownRows = (deepPage + 5) * pageSize;
/** A page may cost this many buffers more than the first: a marker is looked up, and an index has its levels. */
const moreBuffers = 20;

export interface ListOptions {
  readonly knex: Knex;
  readonly checkpoints: number;
  readonly plans: number;
}

interface Figures {
  readonly rows: number;
  readonly buffers: number;
  readonly ms: number;
}

/** A kind of list, of which pages are asked. */
interface List {
  readonly name: string;
  /** The statements of the store are caught on their way and explained. */
  page(marker: string | undefined): Promise<{ readonly items: readonly { readonly id: string }[] }>;
}

/**
 * Fills the tables, and prints what PostgreSQL itself says of pages 1 and 1000 of one project.
 * @returns the names of the lists whose page 1000 reads far more than page 1
 */
export async function printLists({ knex, checkpoints, plans }: ListOptions): Promise<string[]> {
  const providerId = newId();
  await fill(knex, `${checkpoints} checkpoints of ${projects} projects`, 'checkpoints', checkpointRows, [
    providerId,
    checkpoints,
  ]);
  await fill(knex, `${plans} plans of ${projects} projects`, 'plans', planRows, [providerId, plans]);

  // Inside a transaction every statement of the stores passes by here.
  return knex.transaction((trx) => printPages(trx, providerId));
}

async function printPages(knex: Knex, providerId: string): Promise<string[]> {
  const [checkpointStore, planStore] = [createCheckpointStore(knex), createPlanStore(knex)];
  const sort = [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ] as const;
  const query = (projectId: string | undefined, marker: string | undefined): PageQuery => ({
    limit: pageSize,
    sort,
    filters: {},
    ...(projectId !== undefined && { projectId }),
    ...(marker !== undefined && { marker }),
  });
  const lists: List[] = [
    { name: 'checkpoints of a project', page: (marker) => checkpointStore.list({ ...query('own', marker), providerId }) },
    { name: 'checkpoints of every project', page: (marker) => checkpointStore.list({ ...query(undefined, marker), providerId }) },
    { name: 'plans of a project', page: (marker) => planStore.list(query('own', marker)) },
    { name: 'plans of every project', page: (marker) => planStore.list(query(undefined, marker)) },
  ];
  process.stdout.write(
    `\nPages of ${pageSize}: rows that plans touched, buffers read, ms (EXPLAIN ANALYZE, all statements of the page)\n`,
  );
  const steep: string[] = [];
  for (const { name, page } of lists) {
    let marker: string | undefined;
    for (let number = 1; number < deepPage; number += 1) marker = (await page(marker)).items.at(-1)?.id;
    const first = await explain(knex, () => page(undefined));
    const deep = await explain(knex, () => page(marker));
    process.stdout.write(`  ${name.padEnd(28)} page 1 ${describe(first)}   page ${deepPage} ${describe(deep)}\n`);
    if (deep.buffers > 2 * first.buffers + moreBuffers) steep.push(name);
  }
  return steep;
}

function describe({ rows, buffers, ms }: Figures): string {
  return `${String(rows).padStart(8)} rows ${String(buffers).padStart(7)} buffers ${ms.toFixed(2).padStart(8)} ms`;
}

/** Project, time and id of row `i`: the first rows are `own`'s, their times are spread evenly among the others'. */
const common = `
  case when i <= ${ownRows} then 'own' else 'project-' || (i % ${projects - 1}) end,
  timestamptz '2030-01-01' + make_interval(secs => case when i <= ${ownRows} then i::float8 * ? / ${ownRows} else i end)`;

const checkpointRows = `
  insert into checkpoints (id, provider_id, plan_id, status, generation, published, document, project_id, created_at)
  select id, ?, plan_id, 'available', 2, true, jsonb_build_object(
    'id', id, 'status', 'available', 'createdAt', 1900000000000, 'reason', null, 'extraInfo', null,
    'plan', jsonb_build_object('id', plan_id, 'name', 'nightly db', 'resources', jsonb_build_array(
      jsonb_build_object('id', plan_id, 'type', 'Host::Directory', 'name', 'db-data'))),
    'resourceGraph', '[{"0x0": ["Host::Directory", "' || plan_id || '", "db-data", null]}, []]',
    'resources', jsonb_build_array(jsonb_build_object('id', plan_id, 'type', 'Host::Directory', 'name', 'db-data', 'status', 'available',
      'reason', '', 'saved', jsonb_build_object('snapshot', repeat('0123456789abcdef', 4), 'size_bytes', 1073741824)))),
    ${common}
  from (select i, gen_random_uuid() as id, ('00000000-0000-4000-8000-' || lpad((i % 5000)::text, 12, '0'))::uuid as plan_id
        from generate_series(1, ?) as i) as made`;

const planRows = `
  insert into plans (id, provider_id, name, description, status, resources, parameters, project_id, created_at)
  select gen_random_uuid(), ?, 'nightly db', 'database volumes', 'suspended',
    '[{"id": "7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0", "type": "Host::Directory", "name": "db-data"}]', '{}', ${common}
  from generate_series(1, ?) as i`;

async function fill(knex: Knex, what: string, table: string, sql: string, [providerId, count]: [string, number]): Promise<void> {
  const began = systemClock.monotonic();
  // In parts, each within the time that a statement may take.
  await knex.transaction(async (trx) => {
    await trx.raw('set local statement_timeout = 0');
    await trx.raw(sql, [providerId, count, count]);
  });
  await knex.raw('vacuum analyze ??', [table]);
  process.stdout.write(`  ${what} were put into the database in ${((systemClock.monotonic() - began) / 1000).toFixed(0)} s\n`);
}

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** Rows of every node, and the buffers and times of all statements that the call makes. */
async function explain(knex: Knex, call: () => Promise<unknown>): Promise<Figures> {
  const statements: { sql: string; bindings: readonly Knex.RawBinding[] }[] = [];
  const watch = (statement: { sql: string; bindings: readonly Knex.RawBinding[] }) => statements.push(statement);
  knex.on('query', watch);
  await call();
  knex.removeListener('query', watch);
  let total: Figures = { rows: 0, buffers: 0, ms: 0 };
  for (const { sql, bindings } of statements) {
    // Caught with `$1`; a raw statement wants `?`.
    const text = `explain (analyze, buffers, format json) ${sql.replaceAll(/\$\d+/g, '?')}`;
    const { rows } = await knex.raw<{ rows: { 'QUERY PLAN': [Explained] }[] }>(text, [...bindings]);
    const [explained] = rows[0]?.['QUERY PLAN'] ?? [];
    if (!explained) throw new Error(`PostgreSQL did not explain: ${sql}`);
    const { Plan: plan } = explained;
    total = {
      rows: total.rows + countRows(plan),
      buffers: total.buffers + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'] + plan['Temp Read Blocks'],
      ms: total.ms + explained['Planning Time'] + explained['Execution Time'],
    };
  }
  return total;
}

interface Explained {
  readonly Plan: PlanNode & {
    readonly 'Shared Hit Blocks': number;
    readonly 'Shared Read Blocks': number;
    readonly 'Temp Read Blocks': number;
  };
  readonly 'Planning Time': number;
  readonly 'Execution Time': number;
}

function countRows(node: PlanNode): number {
  return node['Actual Rows'] * node['Actual Loops'] + (node.Plans ?? []).reduce((sum, inner) => sum + countRows(inner), 0);
}
