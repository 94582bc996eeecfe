import type { Knex } from 'knex';

/** The catalogue of the banks' checkpoints; operations, their steps, and the processes that carry them out. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('checkpoints', (table) => {
    table.uuid('id').primary();
    table.uuid('provider_id').notNullable();
    table.text('project_id').notNullable();
    table.uuid('plan_id').notNullable();
    table.text('status').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
    // Which of the bank's words this is, and whether the bank has it yet.
    table.integer('generation').notNullable();
    table.boolean('published').notNullable();
    table.jsonb('document').notNullable();
  });
  // A list is one project's of one provider, newest first, without what is deleted; or one plan's.
  await knex.raw(
    "create index checkpoints_by_project on checkpoints (provider_id, project_id, created_at desc, id desc) where status <> 'deleted'",
  );
  await knex.raw(
    "create index checkpoints_by_plan on checkpoints (provider_id, plan_id, created_at desc, id desc) where status <> 'deleted'",
  );

  // Hardly ever anything: a bank was away at the wrong moment.
  await knex.raw('create index checkpoints_untold on checkpoints (status) where not published');

  await knex.schema.createTable('workers', (table) => {
    table.uuid('id').primary();
    table.specificType('lock_number', 'integer').notNullable().unique();
    // Where it runs: one state folder of one machine, which its lock keeps to one process at a time.
    table.text('seat').notNullable().unique();
    table.integer('pid').notNullable();
    table.timestamp('started_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.timestamp('heartbeat_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
  });
  await knex.raw('create sequence worker_lock_number as integer cycle');

  await knex.schema.createTable('operations', (table) => {
    table.uuid('id').primary();
    table.text('kind').notNullable();
    table.text('subject').notNullable();
    table.jsonb('input').notNullable();
    table.text('state').notNullable();
    table.uuid('owner').references('id').inTable('workers').onDelete('SET NULL');
    // Grows with every claim; what an older claim tries to commit is refused.
    table.bigInteger('fence').notNullable().defaultTo(0);
    table.jsonb('progress');
    table.text('error');
    table.timestamp('created_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.timestamp('started_at', { useTz: true });
    table.timestamp('ended_at', { useTz: true });
  });
  // Only what still has to be done is ever searched by state, and that stays small.
  await knex.raw("create index operations_open on operations (state, owner) where state in ('queued', 'running')");

  await knex.schema.createTable('steps', (table) => {
    table.uuid('operation_id').notNullable().references('id').inTable('operations').onDelete('CASCADE');
    table.integer('number').notNullable();
    table.text('name').notNullable();
    table.jsonb('input').notNullable();
    table.specificType('after', 'integer[]').notNullable();
    table.boolean('always').notNullable();
    table.text('state').notNullable();
    table.integer('attempts').notNullable().defaultTo(0);
    table.jsonb('outcome');
    table.text('error');
    table.timestamp('started_at', { useTz: true });
    table.timestamp('ended_at', { useTz: true });
    table.primary(['operation_id', 'number']);
  });
}
