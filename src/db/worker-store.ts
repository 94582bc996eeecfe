import type { Knex } from 'knex';

/** First key of the two-part advisory lock that a live worker holds; the second is its number. */
const lockNamespace = 0x6b617272; // "karr"

export interface WorkerStore {
  /**
   * Registers this process and gives the number whose advisory lock it must hold. `seat` is where only one worker can be at a
   * time: whoever is still written down there is dead, and what it had begun is free at once.
   */
  register(worker: { id: string; seat: string; pid: number }): Promise<number>;
  /** Says "I live"; false when somebody has declared this worker dead and removed it. */
  beat(id: string): Promise<boolean>;
  remove(id: string): Promise<void>;
  /**
   * Declares dead, removes and returns the workers that no longer live: the session that held the lock is gone and no
   * heartbeat came for `graceMs`, or none came for `deadMs` although the session still seems to be there (a cut cable).
   */
  removeDead(limits: { graceMs: number; deadMs: number }): Promise<string[]>;
}

export function createWorkerStore(knex: Knex): WorkerStore {
  return {
    register({ id, seat, pid }) {
      return knex.transaction(async (trx) => {
        await trx('workers').where({ seat }).delete();
        const rows: { lock_number: number }[] = await trx('workers')
          .insert({ id, seat, pid, lock_number: trx.raw("nextval('worker_lock_number')") })
          .returning('lock_number');
        return rows[0]?.lock_number ?? 0;
      });
    },

    async beat(id) {
      return (await knex('workers').where({ id }).update({ heartbeat_at: knex.fn.now() })) > 0;
    },

    async remove(id) {
      await knex('workers').where({ id }).delete();
    },

    async removeDead({ graceMs, deadMs }) {
      // A lock we can take belongs to nobody: the transaction gives it back at once.
      const answer = await knex.transaction((trx) =>
        trx.raw<{ rows: { id: string }[] }>(
          `delete from workers w
            where (w.heartbeat_at < now() - make_interval(secs => ?) and pg_try_advisory_xact_lock(?, w.lock_number))
               or w.heartbeat_at < now() - make_interval(secs => ?)
           returning id`,
          [graceMs / 1000, lockNamespace, deadMs / 1000],
        ),
      );
      return answer.rows.map((row) => row.id);
    },
  };
}

/** What the worker runs once on the session it keeps open for as long as it lives. */
export function workerLockQuery(lockNumber: number): { text: string; values: number[] } {
  return { text: 'select pg_advisory_lock($1, $2)', values: [lockNamespace, lockNumber] };
}
