import type { Knex } from 'knex';

/** Verifications, garbage collections, and the wish that an operation should end. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('verifications', (table) => {
    table.uuid('id').primary();
    table.text('project_id').notNullable();
    table.uuid('provider_id').notNullable();
    table.uuid('checkpoint_id').notNullable();
    table.jsonb('parameters').notNullable();
    table.text('status').notNullable();
    table.jsonb('resources_status').notNullable();
    table.jsonb('resources_reason').notNullable();
    // What was read of each resource, and what came of it.
    table.jsonb('resources').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
  });
  await knex.raw('create index verifications_of_project on verifications (project_id, created_at, id)');
  await knex.raw('create index verifications_by_time on verifications (created_at, id)');

  await knex.schema.createTable('garbage_collections', (table) => {
    table.uuid('id').primary();
    table.uuid('provider_id').notNullable();
    table.boolean('dry_run').notNullable();
    table.text('status').notNullable();
    // What was found and done in the repository of each project.
    table.jsonb('repositories').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
    table.timestamp('ended_at', { useTz: true });
  });
  await knex.raw('create index garbage_collections_of_provider on garbage_collections (provider_id, created_at, id)');

  await knex.schema.alterTable('operations', (table) => {
    table.boolean('cancelled').notNullable().defaultTo(false);
  });
}
