import type { Knex } from 'knex';
import { migrations } from '../../migrations/index.ts';
import { Fault } from '../base/faults.ts';

/** Any number: everybody who brings the schema up takes this lock. */
const migrationLock = 0x6b617272;

/**
 * Brings the schema up to this version and returns the names of what was applied. One transaction under one advisory
 * lock: of several processes that start at once one does the work, and a crash leaves the schema as it was. (knex's own
 * migrator keeps its lock in a row, which a killed process leaves behind for a human to clear.)
 * @throws conflict `db.newer_schema` when the database was made by a later version
 */
export function migrate(knex: Knex): Promise<string[]> {
  return knex.transaction(async (trx) => {
    await trx.raw('set local statement_timeout = 0');
    await trx.raw('select pg_advisory_xact_lock(?)', [migrationLock]);
    await trx.raw(
      'create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default clock_timestamp())',
    );
    const applied = new Set<string>(await trx('schema_migrations').pluck('name'));
    const unknown = [...applied].filter((name) => !migrations.some((migration) => migration.name === name));
    if (unknown.length > 0) {
      throw new Fault(
        'conflict',
        'db.newer_schema',
        `The database was made by a later version of Karri (${unknown.join(', ')}).`,
        {
          help: 'Start that version or a later one, or use another database.',
        },
      );
    }
    const missing = migrations.filter(({ name }) => !applied.has(name));
    for (const { name, up } of missing) {
      await up(trx);
      await trx('schema_migrations').insert({ name });
    }
    return missing.map(({ name }) => name);
  });
}
