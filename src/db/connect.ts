import createKnex, { type Knex } from 'knex';
import { toDatabaseFault } from './faults.ts';
import { createReadLane, type ReadLane } from './read-lane.ts';

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly poolSize: number;
  /** The server stops a statement that takes longer: a slow query is a fault, never a hang. */
  readonly statementTimeoutMs?: number;
}

// knex's own class for PostgreSQL: it is not exported, but every instance shows it. Without a connection nothing is opened.
const PostgresClient = createKnex({ client: 'pg' }).client.constructor as typeof Knex.Client;

/** Everything that goes wrong between here and PostgreSQL leaves as a fault. Transactions use the same methods. */
class FaultingClient extends PostgresClient {
  #lane: ReadLane | undefined;

  get lane(): ReadLane {
    this.#lane ??= createReadLane(this.config.connection as object);
    return this.#lane;
  }

  override async destroy(callback?: () => void): Promise<void> {
    await this.#lane?.close();
    await super.destroy(callback);
  }

  override async query(connection: unknown, statement: unknown): Promise<unknown> {
    try {
      return await super.query(connection, statement);
    } catch (error) {
      const fault = toDatabaseFault(error);
      // The pool's own mark: the server may say goodbye before the socket closes, and the next query must not go there.
      if (fault.code === 'db.unreachable') Object.assign(connection as object, { __knex__disposed: fault.message });
      throw fault;
    }
  }

  override async acquireConnection(): Promise<unknown> {
    try {
      return await super.acquireConnection();
    } catch (error) {
      throw toDatabaseFault(error);
    }
  }
}

/** The shortcut beside the pool of a database; undefined inside a transaction. */
export function findReadLane(knex: Knex): ReadLane | undefined {
  return !knex.isTransaction && knex.client instanceof FaultingClient ? knex.client.lane : undefined;
}

/**
 * A pool on the database; `destroy()` it when done.
 * @throws unavailable `db.unreachable`, `db.refused` when the server does not answer a first question
 */
export async function openDatabase(options: DatabaseOptions): Promise<Knex> {
  const database = createKnex({
    client: FaultingClient,
    connection: {
      connectionString: options.url,
      application_name: 'karri',
      connectionTimeoutMillis: 5000,
      keepAlive: true,
      // Sent when the connection is opened, so they cost no query.
      statement_timeout: options.statementTimeoutMs ?? 30_000,
      idle_in_transaction_session_timeout: 120_000,
    },
    pool: { min: 0, max: options.poolSize },
    acquireConnectionTimeout: 10_000,
    // knex would print lost connections to standard output; they leave here as faults.
    log: { warn: () => undefined, error: () => undefined },
  });
  try {
    await database.raw('select 1');
    return database;
  } catch (error) {
    await database.destroy();
    throw error;
  }
}
