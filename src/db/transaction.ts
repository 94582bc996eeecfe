import type { Knex } from 'knex';

/** Runs the work in the caller's transaction, or in one of its own that a throw rolls back. */
export function inTransaction<T>(
  knex: Knex,
  trx: Knex.Transaction | undefined,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<T> {
  return trx === undefined ? knex.transaction(work) : work(trx);
}
