import type { Knex } from 'knex';

/** An administrator's list of every project's checkpoints: entered at the marker, as a project's own is. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(
    "create index checkpoints_by_time on checkpoints (provider_id, created_at desc, id desc) where status <> 'deleted'",
  );
}
