/**
 * What the API costs: `npm run bench:api -- [--only rates|lists] [--quick]`. Requests per second beside a bare Fastify route, and what
 * PostgreSQL reads for the first and the thousandth page of long lists. Times are printed and never asserted; it ends with 1 only when
 * a thousandth page reads far more than a first one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../src/app/embedded-postgres.ts';
import { silentLog } from '../../src/base/log.ts';
import { openDatabase } from '../../src/db/connect.ts';
import { createKarriProcess } from '../kit/karri-process.ts';
import { printLists } from './api-lists.ts';
import { printRates } from './api-rates.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } } });
const folder = mkdtempSync(join(tmpdir(), 'karri-bench-api-'));
const postgres = await startEmbeddedPostgres({ stateDir: join(folder, 'database'), log: silentLog });
const settings = { DATABASE_URL: postgres.url, KARRI_QUOTA_PLANS: '-1', KARRI_LOG_LEVEL: 'warn' };
const karri = await createKarriProcess({ stateDir: join(folder, 'karri'), settings });
try {
  process.stdout.write(`one Karri process, embedded PostgreSQL; load of the machine at the start ${loadavg()[0]?.toFixed(1)}\n`);
  await karri.start();
  if (values.only !== 'lists') {
    await printRates({ url: karri.url, folder, pairs: values.quick ? 1 : 5, seconds: values.quick ? 2 : 4 });
  }
  if (values.only !== 'rates') {
    const knex = await openDatabase({ url: postgres.url, poolSize: 2, statementTimeoutMs: 0 });
    const size = values.quick ? { checkpoints: 100_000, plans: 50_000 } : { checkpoints: 1_000_000, plans: 100_000 };
    const steep = await printLists({ knex, ...size });
    await knex.destroy();
    for (const name of steep) process.stdout.write(`  NOT FLAT: ${name}\n`);
    if (steep.length > 0) process.exitCode = 1;
  }
} finally {
  await karri.dispose();
  await postgres.stop();
  rmSync(folder, { recursive: true });
}
