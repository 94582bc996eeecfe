import type { Knex } from 'knex';

/** The nouns that live in the database alone: plans, restores, operation logs. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('plans', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.text('name').notNullable();
    table.text('description');
    table.uuid('provider_id').notNullable();
    table.text('status').notNullable();
    table.jsonb('resources').notNullable();
    table.jsonb('parameters').notNullable();
    table.jsonb('hooks');
    table.timestamp('created_at', { useTz: true }).notNullable();
    table.timestamp('deleted_at', { useTz: true });
  });
  await pageIndexes(knex, 'plans', 'created_at', 'where deleted_at is null');

  await knex.schema.createTable('restores', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.uuid('provider_id').notNullable();
    table.uuid('checkpoint_id').notNullable();
    table.text('restore_target');
    table.jsonb('parameters').notNullable();
    table.text('status').notNullable();
    table.jsonb('resources_status').notNullable();
    table.jsonb('resources_reason').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
  });
  await pageIndexes(knex, 'restores', 'created_at');

  await knex.schema.createTable('operation_logs', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.text('operation_type').notNullable();
    table.uuid('checkpoint_id');
    table.uuid('plan_id');
    table.uuid('provider_id');
    table.uuid('restore_id');
    table.uuid('scheduled_operation_id');
    table.text('status').notNullable();
    table.timestamp('started_at', { useTz: true }).notNullable();
    table.timestamp('ended_at', { useTz: true });
    table.text('error_info');
    table.jsonb('extra_info');
  });
  await pageIndexes(knex, 'operation_logs', 'started_at');
  // The filters clients use: what happened to this checkpoint, plan, restore.
  await knex.raw('create index operation_logs_by_checkpoint on operation_logs (checkpoint_id, started_at, id)');
  await knex.raw('create index operation_logs_by_plan on operation_logs (plan_id, started_at, id)');
  await knex.raw('create index operation_logs_by_restore on operation_logs (restore_id)');
}

/** Keyset paging reads these from any point, in either direction: one project's rows, and every project's for administrators. */
async function pageIndexes(knex: Knex, table: string, time: string, condition = ''): Promise<void> {
  await knex.raw(`create index ${table}_of_project on ${table} (project_id, ${time}, id) ${condition}`);
  await knex.raw(`create index ${table}_by_time on ${table} (${time}, id) ${condition}`);
}
