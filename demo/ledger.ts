import pg from 'pg';

/** What the demo knows of the application's data: enough to tell whether it came back. */
export interface LedgerState {
  readonly rows: number;
  readonly checksum: string;
}

/** The application: a ledger of payments in a PostgreSQL at this port. */
export async function createLedger(port: number, rows: number): Promise<void> {
  await withClient(port, async (client) => {
    await client.query(
      'create table payments (id bigint primary key, account text not null, cents bigint not null, note text not null)',
    );
    await client.query(
      `insert into payments
       select n, 'account-' || (n * 7919) % 5003, (n * 104729) % 1000003, md5(n::text) || md5((n * 31)::text)
       from generate_series(1, $1::bigint) as n`,
      [rows],
    );
    await client.query('create index payments_by_account on payments (account)');
    await client.query('checkpoint');
  });
}

/** A little business: some payments are corrected, some are new. */
export async function changeLedger(port: number, corrected: number, added: number): Promise<void> {
  await withClient(port, async (client) => {
    await client.query(`update payments set cents = cents + 1, note = 'corrected' where id <= $1`, [corrected]);
    await client.query(
      `insert into payments
       select n, 'account-new', n, md5(n::text)
       from (select max(id) as last from payments) as m, generate_series(m.last + 1, m.last + $1) as n`,
      [added],
    );
  });
}

/** Counts the rows and takes one checksum over all of them, in order. */
export async function readLedger(port: number): Promise<LedgerState> {
  return await withClient(port, async (client) => {
    const { rows } = await client.query<LedgerState>(
      `select count(*)::int as rows, md5(string_agg(md5(payments::text), '' order by id)) as checksum from payments`,
    );
    const state = rows[0];
    if (state === undefined) throw new Error('The database gave no answer.');
    return state;
  });
}

async function withClient<Result>(port: number, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'demo', database: 'postgres' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
