import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../../src/app/embedded-postgres.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openDatabase } from '../../src/db/connect.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createRunStore } from '../../src/db/run-store.ts';
import { createScheduledOperationStore } from '../../src/db/scheduled-operation-store.ts';
import { createTriggerStore } from '../../src/db/trigger-store.ts';
import type { OperationsDeps } from '../../src/operations/deps.ts';
import { createScheduler } from '../../src/operations/scheduler.ts';

/**
 * How late triggers strike: from the moment one is due to its run being in the database, where every scheduler sees it.
 * The triggers are hourly and spread evenly over the hour; the burst is all at one moment.
 */
const { values } = parseArgs({
  options: {
    triggers: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '30' },
    burst: { type: 'string', default: '1000' },
    schedulers: { type: 'string', default: '2' },
  },
});
const [total, seconds, burst, schedulers] = [values.triggers, values.seconds, values.burst, values.schedulers].map(Number) as [
  number,
  number,
  number,
  number,
];

const stateDir = mkdtempSync(join(tmpdir(), 'karri-bench-schedule-'));
const postgres = await startEmbeddedPostgres({ stateDir, log: silentLog });
const knex = await openDatabase({ url: postgres.url, poolSize: 10 });
await migrate(knex);
// Runs are made and never taken on: nothing is asked of what would protect.
const deps: Pick<OperationsDeps, 'knex' | 'triggers' | 'scheduledOperations' | 'runs' | 'limits' | 'clock' | 'log'> = {
  knex,
  triggers: createTriggerStore(knex),
  scheduledOperations: createScheduledOperationStore(knex),
  runs: createRunStore(knex),
  limits: { minIntervalSeconds: 3600 },
  clock: systemClock,
  log: silentLog,
};
const scheduler = createScheduler(deps as OperationsDeps);
const properties = {
  format: 'crontab',
  pattern: 'PATTERN',
  startTime: systemClock.now() - 3_600_000,
  endTime: null,
  windowSeconds: null,
  timezone: null,
  jitterSeconds: null,
  missed: null,
  overlap: null,
};
const definition = { providerId: randomUUID(), planId: randomUUID(), members: {}, retention: {} };

/** `count` triggers, each with one operation, due evenly over `overMs` from `from` on, in whole seconds as crontabs have them. */
async function add(count: number, from: number, overMs: number): Promise<void> {
  await knex.raw(
    `with moments as (
       select to_timestamp(floor((?::float8 + n * ?::float8) / 1000)) as moment from generate_series(0, ?::int - 1) n),
     made as (
       insert into triggers (id, project_id, name, type, properties, created_at, next_at, due_at)
       select gen_random_uuid(), 'demo', 'bench', 'time',
              replace(?, 'PATTERN', to_char(moment at time zone 'UTC', 'FMSS FMMI') || ' * * * *'), now(), moment, moment
         from moments returning id)
     insert into scheduled_operations (id, project_id, user_id, roles, name, operation_type, trigger_id, operation_definition, created_at)
     select gen_random_uuid(), 'demo', 'u', '[]', 'bench', 'protect', id, ?, now() from made`,
    [from, overMs / count, count, JSON.stringify(properties), JSON.stringify(definition)],
  );
}

async function strikeUntil(end: number): Promise<void> {
  const loop = async (): Promise<void> => {
    while (systemClock.now() < end) {
      await scheduler.fire();
      const waitMs = Math.min((await scheduler.untilDue()) ?? 1000, 1000, end - systemClock.now());
      await sleep(Math.max(20, waitMs));
    }
  };
  await Promise.all(Array.from({ length: schedulers }, loop));
}

async function latenesses(): Promise<number[]> {
  const rows: { late: string }[] = (
    await knex.raw('select extract(epoch from triggered_at - expected_at) * 1000 as late from scheduled_runs')
  ).rows;
  return rows.map(({ late }) => Number(late)).sort((a, b) => a - b);
}

function print(what: string, late: readonly number[]): void {
  const at = (share: number): string => `${Math.round(late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0)} ms`;
  console.log(`${what}: ${late.length} runs; due to queued p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)}`);
}

console.log(`${total} triggers, hourly and evenly spread; ${schedulers} schedulers on one PostgreSQL`);
// Writing so many down takes a while; the first is due afterwards.
const first = systemClock.now() + 30_000;
await add(total, first, 3_600_000);
await knex.raw('analyze triggers');
await strikeUntil(first + seconds * 1000);
const steady = await latenesses();
print(`steady, ${seconds} s`, steady);
const doubled = await knex('scheduled_runs')
  .count({ count: '*' })
  .groupBy('scheduled_operation_id')
  .having(knex.raw('count(*) > 1'));
console.log(`struck twice: ${doubled.length}`);

await knex('scheduled_runs').delete();
await add(burst, systemClock.now() + 1000, 1);
await strikeUntil(systemClock.now() + 6000);
print(`${burst} more at one moment, among the others`, await latenesses());

await knex.destroy();
await postgres.stop();
rmSync(stateDir, { recursive: true });
