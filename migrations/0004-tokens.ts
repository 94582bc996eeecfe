import type { Knex } from 'knex';

/** Static tokens: of each its hash, never its text. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('tokens', (table) => {
    table.uuid('id').primary();
    table.binary('hash').notNullable().unique();
    table.text('name').notNullable();
    table.text('user_id').notNullable();
    table.text('project_id').notNullable();
    table.specificType('roles', 'text[]').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable();
    table.timestamp('expires_at', { useTz: true });
  });
}
