import type { Knex } from 'knex';

/** What projects may use and what they have in the banks; the processes that make up the service. */
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('quotas', (table) => {
    table.text('project_id').notNullable();
    table.text('resource').notNullable();
    // -1: any number.
    table.bigInteger('hard_limit').notNullable();
    table.primary(['project_id', 'resource']);
  });
  await knex.schema.createTable('quota_classes', (table) => {
    table.text('name').notNullable();
    table.text('resource').notNullable();
    table.bigInteger('hard_limit').notNullable();
    table.primary(['name', 'resource']);
  });

  // Grows with every protect; a garbage collection sets it to what it has counted.
  await knex.schema.createTable('stored_bytes', (table) => {
    table.text('project_id').notNullable();
    table.uuid('provider_id').notNullable();
    table.bigInteger('bytes').notNullable();
    table.primary(['project_id', 'provider_id']);
  });

  // What counts against the quota of checkpoints, and what the newest good ones protect.
  await knex.raw(
    "create index checkpoints_in_use on checkpoints (project_id, created_at desc) where status in ('protecting', 'available', 'error')",
  );

  await knex.raw('create sequence service_id as integer');
  await knex.schema.createTable('services', (table) => {
    table.specificType('id', 'integer').primary().defaultTo(knex.raw("nextval('service_id')"));
    table.text('binary').notNullable();
    table.text('host').notNullable();
    // One state folder of one machine: where the same service starts again.
    table.text('seat').notNullable();
    table.text('status').notNullable().defaultTo('enabled');
    table.text('disabled_reason');
    table.timestamp('updated_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.unique(['binary', 'seat']);
  });
}
