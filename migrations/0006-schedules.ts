import type { Knex } from 'knex';

/** Triggers, what hangs on them, and each of their runs. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('triggers', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.text('name').notNullable();
    table.text('type').notNullable();
    // JSON as text: a list can be filtered by a pattern in it.
    table.text('properties').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
    // The next occurrence, and when it is to be acted upon: with jitter that is later. Null: never again.
    table.timestamp('next_at', { useTz: true });
    table.timestamp('due_at', { useTz: true });
  });
  await knex.raw('create index triggers_due on triggers (due_at) where due_at is not null');
  await pageIndexes(knex, 'triggers');

  await knex.schema.createTable('scheduled_operations', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.text('user_id').notNullable();
    // As whom it runs.
    table.jsonb('roles').notNullable();
    table.text('name').notNullable();
    table.text('description');
    table.text('operation_type').notNullable();
    table.uuid('trigger_id').notNullable().references('id').inTable('triggers');
    table.text('operation_definition').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
  });
  await knex.raw('create index scheduled_operations_by_trigger on scheduled_operations (trigger_id)');
  await pageIndexes(knex, 'scheduled_operations');

  await knex.schema.createTable('scheduled_runs', (table) => {
    table.uuid('id').primary();
    table.uuid('scheduled_operation_id').notNullable().references('id').inTable('scheduled_operations').onDelete('CASCADE');
    table.text('project_id').notNullable();
    table.timestamp('expected_at', { useTz: true }).notNullable();
    table.timestamp('triggered_at', { useTz: true }).notNullable();
    table.timestamp('started_at', { useTz: true });
    table.timestamp('ended_at', { useTz: true });
    table.text('state').notNullable();
    table.uuid('checkpoint_id');
    table.text('reason');
    table.jsonb('deleted_checkpoints').notNullable().defaultTo('[]');
    // However many schedulers look: one run for each time that an operation is to run.
    table.unique(['scheduled_operation_id', 'expected_at']);
  });
  await knex.raw("create index scheduled_runs_open on scheduled_runs (expected_at) where state in ('triggered', 'in_progress')");
}

async function pageIndexes(knex: Knex, table: string): Promise<void> {
  await knex.raw(`create index ${table}_of_project on ${table} (project_id, created_at, id)`);
  await knex.raw(`create index ${table}_by_time on ${table} (created_at, id)`);
}
