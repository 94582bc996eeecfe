import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { createOperationStore, type NewStep, type OperationStore } from '../../src/db/operation-store.ts';
import { createWorkerStore } from '../../src/db/worker-store.ts';
import type { Flow } from '../../src/jobs/flow.ts';
import { openQueue, type Queue } from '../../src/jobs/queue.ts';
import { runOperation } from '../../src/jobs/run-operation.ts';
import { startWorker, type Worker } from '../../src/jobs/worker.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

let database: TestDatabase;
let operations: OperationStore;
let queue: Queue;
const running: Worker[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  operations = createOperationStore(database.knex);
});
afterEach(async () => {
  for (const worker of running.splice(0)) await worker.stop();
});
afterAll(async () => {
  await database.drop();
});

const step = (number: number, after: readonly number[], more: Partial<NewStep> = {}): NewStep => ({
  number,
  name: `step ${number}`,
  input: {},
  after,
  always: false,
  ...more,
});

async function enqueue(kind: string, steps: readonly NewStep[]): Promise<string> {
  const id = newId();
  await database.knex.transaction(async (trx) => {
    await operations.create({ id, kind, subject: `test:${id}`, input: {}, steps }, trx);
    await queue.announce(id, trx);
  });
  return id;
}

async function start(...flows: Flow[]): Promise<void> {
  await startAt(newId(), ...flows);
}

async function startAt(seat: string, ...flows: Flow[]): Promise<void> {
  queue = await openQueue({ connectionString: database.url, log: silentLog });
  running.push(
    await startWorker({
      knex: database.knex,
      connectionString: database.url,
      queue,
      operations,
      workers: createWorkerStore(database.knex),
      seat,
      flows,
      concurrency: 2,
      stopGraceMs: 200,
      clock: systemClock,
      log: silentLog,
    }),
  );
}

async function ended(id: string): Promise<string> {
  for (;;) {
    const operation = await operations.get(id);
    if (operation && operation.state !== 'queued' && operation.state !== 'running') return operation.state;
    await sleep(20);
  }
}

const flow = (kind: string, runStep: Flow['runStep'], finish?: Flow['finish']): Flow => ({
  kind,
  runStep,
  finish: finish ?? (() => Promise.resolve(() => Promise.resolve())),
});

const cancel = (id: string): Promise<void> => database.knex.transaction((trx) => operations.cancel(`test:${id}`, trx));

describe('an operation that is cancelled', () => {
  test('has its running steps ended and the waiting ones dropped, but for those that run always; then it is finished as failed', async () => {
    const began = Promise.withResolvers<void>();
    const ran: number[] = [];
    let told: unknown;
    await start(
      flow(
        'long',
        async (s, run) => {
          ran.push(s.number);
          began.resolve();
          if (!s.always) await sleep(60_000, run.signal);
          return undefined;
        },
        async ({ state, error }) => {
          told = { state, error };
          return () => Promise.resolve();
        },
      ),
    );
    const id = await enqueue('long', [step(0, []), step(1, [0]), step(2, [0, 1], { always: true })]);
    await began.promise;
    await cancel(id);
    expect(await ended(id)).toBe('cancelled');
    expect(ran).toEqual([0, 2]);
    expect((await operations.listSteps(id)).map(({ state }) => state)).toEqual(['failed', 'dropped', 'done']);
    expect(told).toEqual({ state: 'failed', error: 'The operation was cancelled by a request.' });
  });

  test('before it has begun runs nothing, and is finished as failed all the same', async () => {
    queue = await openQueue({ connectionString: database.url, log: silentLog });
    const id = await enqueue('early', [step(0, []), step(1, [0])]);
    await cancel(id);
    await queue.close();
    const ran: number[] = [];
    const states: string[] = [];
    await start(
      flow(
        'early',
        async (s) => void ran.push(s.number),
        async ({ state }) => {
          states.push(state);
          return () => Promise.resolve();
        },
      ),
    );
    expect(await ended(id)).toBe('cancelled');
    expect(ran).toEqual([]);
    expect(states).toEqual(['failed']);
  });

  test('after its last step has ended well as if nobody had asked', async () => {
    await start(
      flow('late', async (_s, run) => {
        await cancel(run.operation.id);
        return undefined;
      }),
    );
    expect(await ended(await enqueue('late', [step(0, [])]))).toBe('succeeded');
  });
});

describe('a worker', () => {
  test('runs steps after their predecessors and keeps what they return', async () => {
    const order: string[] = [];
    await start(
      flow('ordered', async (s, run) => {
        order.push(`begin ${s.number}`);
        if (s.number === 1) await sleep(50);
        order.push(`end ${s.number}`);
        return { saw: [...run.steps.values()].filter((other) => other.state === 'done').map((other) => other.number) };
      }),
    );
    const id = await enqueue('ordered', [step(0, []), step(1, [0]), step(2, [0]), step(3, [1, 2])]);
    expect(await ended(id)).toBe('succeeded');
    // 1 and 2 side by side, 3 after both.
    expect(order.indexOf('end 2')).toBeLessThan(order.indexOf('end 1'));
    expect(order.at(-1)).toBe('end 3');
    const steps = await operations.listSteps(id);
    expect(steps.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
    expect(steps[3]?.outcome).toEqual({ saw: [0, 1, 2] });
  });

  test('after a failure drops what needs it, runs all else to its end, and what must run always', async () => {
    const ran: number[] = [];
    let told: unknown;
    await start(
      flow(
        'failing',
        async (s) => {
          ran.push(s.number);
          if (s.number === 0) throw new Fault('invalid', 'test.broken', 'The disk is missing.', { help: 'Plug it in.' });
          if (s.number === 1) await sleep(80);
          return undefined;
        },
        (ending) => {
          told = { state: ending.state, error: ending.error };
          return Promise.resolve(() => Promise.resolve());
        },
      ),
    );
    const steps = [step(0, []), step(1, []), step(2, [1]), step(3, [0, 2], { always: true }), step(4, [0]), step(5, [4, 1])];
    const id = await enqueue('failing', steps);
    expect(await ended(id)).toBe('failed');
    expect((await operations.listSteps(id)).map(({ state }) => state)).toEqual([
      'failed',
      'done',
      'done',
      'done',
      'dropped',
      'dropped',
    ]);
    expect(ran.toSorted()).toEqual([0, 1, 2, 3]);
    expect(ran.at(-1)).toBe(3);
    expect(told).toEqual({ state: 'failed', error: 'The disk is missing. Plug it in.' });
  });

  test('tries a step again when its fault says later', async () => {
    let tries = 0;
    await start(
      flow('flaky', async () => {
        if (++tries < 3) throw new Fault('unavailable', 'test.away', 'The bank is away.');
        return undefined;
      }),
    );
    expect(await ended(await enqueue('flaky', [step(0, [])]))).toBe('succeeded');
    expect(tries).toBe(3);
  });

  test('goes on at the first unfinished step of an operation whose worker died', async () => {
    const ran: number[] = [];
    await start(
      flow('resumed', async (s) => {
        ran.push(s.number);
        return undefined;
      }),
    );
    const dead = newId();
    await createWorkerStore(database.knex).register({ id: dead, seat: 'gone', pid: 1 });
    const id = newId();
    await database.knex.transaction((trx) =>
      operations.create(
        { id, kind: 'resumed', subject: 'test:resumed', input: {}, steps: [step(0, []), step(1, [0]), step(2, [1])] },
        trx,
      ),
    );
    const claim = await operations.claim(id, dead);
    if (!claim) throw new Error('not claimed');
    await operations.endStep(claim, 0, { state: 'done', outcome: null, error: null });
    // Its session is gone (it never had one), and its last heartbeat was a while ago.
    await database
      .knex('workers')
      .where({ id: dead })
      .update({ heartbeat_at: database.knex.raw("now() - interval '5 seconds'") });

    expect(await ended(id)).toBe('succeeded');
    expect(ran).toEqual([1, 2]);
    // And the dead one, should it wake up, can commit nothing.
    expect(await operations.endStep(claim, 1, { state: 'failed', outcome: null, error: 'late' })).toBe(false);
    expect(await operations.holds(claim)).toBe(false);
  });

  test('goes on at once with what its predecessor at the same seat had begun', async () => {
    const seat = newId();
    const dead = newId();
    await createWorkerStore(database.knex).register({ id: dead, seat, pid: 1 });
    const id = newId();
    await database.knex.transaction((trx) =>
      operations.create({ id, kind: 'inherited', subject: 'test:inherited', input: {}, steps: [step(0, [])] }, trx),
    );
    expect(await operations.claim(id, dead)).toBeDefined();
    // Its heartbeat is fresh: without the seat it would count as alive for seconds.
    await startAt(
      seat,
      flow('inherited', async () => undefined),
    );
    expect(await database.knex('workers').where({ id: dead })).toEqual([]);
    expect(await ended(id)).toBe('succeeded');
  });

  test('gives back what it owns and does not run', async () => {
    const seat = newId();
    await startAt(
      seat,
      flow('stray', async () => undefined),
    );
    const id = newId();
    await database.knex.transaction((trx) =>
      operations.create({ id, kind: 'stray', subject: 'test:stray', input: {}, steps: [step(0, [])] }, trx),
    );
    const worker = await database.knex('workers').where({ seat }).first('id');
    expect(await operations.claim(id, worker.id)).toBeDefined();
    expect(await ended(id)).toBe('succeeded');
  });

  test('hands back what it cannot end in time, and the next one ends it', async () => {
    let runs = 0;
    const slow = flow('stopped', async (_step, run) => {
      runs++;
      if (runs === 1)
        await new Promise((_resolve, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason)));
      return undefined;
    });
    await start(slow);
    const id = await enqueue('stopped', [step(0, [])]);
    while (runs === 0) await sleep(10);
    await running.pop()?.stop();
    expect(await operations.get(id)).toMatchObject({ state: 'running', owner: null });
    await start(slow);
    expect(await ended(id)).toBe('succeeded');
    expect(runs).toBe(2);
  });
});

test('a worker that has lost its claim commits nothing and says nothing', async () => {
  const id = newId();
  await database.knex.transaction((trx) =>
    operations.create({ id, kind: 'fenced', subject: 'test:fenced', input: {}, steps: [step(0, [])] }, trx),
  );
  const workers = createWorkerStore(database.knex);
  const [first, second] = [newId(), newId()];
  await workers.register({ id: first, seat: 'a', pid: 1 });
  await workers.register({ id: second, seat: 'b', pid: 2 });
  const claim = await operations.claim(id, first);
  if (!claim) throw new Error('not claimed');

  let finished = false;
  const run = runOperation(claim, {
    knex: database.knex,
    operations,
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    flow: flow(
      'fenced',
      async () => {
        // While it works, it is declared dead and another takes over.
        await workers.remove(first);
        expect(await operations.claim(id, second)).toBeDefined();
        return { written: 'by the old worker' };
      },
      () => {
        finished = true;
        return Promise.resolve(() => Promise.resolve());
      },
    ),
  });
  await expect(run).rejects.toMatchObject({ code: 'jobs.claim_lost' });
  expect(finished).toBe(false);
  expect((await operations.get(id))?.owner).toBe(second);
  expect((await operations.listSteps(id))[0]).toMatchObject({ state: 'waiting', outcome: null });
});

test('an outcome that the database does not take at once is told again, and the work is not repeated', async () => {
  const id = newId();
  await database.knex.transaction((trx) =>
    operations.create({ id, kind: 'told', subject: 'test:told', input: {}, steps: [step(0, [])] }, trx),
  );
  const worker = newId();
  await createWorkerStore(database.knex).register({ id: worker, seat: 'told', pid: 1 });
  const claim = await operations.claim(id, worker);
  if (!claim) throw new Error('not claimed');
  let runs = 0;
  let failures = 2;
  await runOperation(claim, {
    knex: database.knex,
    operations: {
      ...operations,
      endStep: async (...end) => {
        if (failures-- > 0) throw new Fault('unavailable', 'db.unreachable', 'The database does not answer.');
        return operations.endStep(...end);
      },
    },
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    flow: flow('told', async () => ({ run: ++runs })),
  });
  expect((await operations.listSteps(id))[0]).toMatchObject({ state: 'done', outcome: { run: 1 }, error: null });
  expect((await operations.get(id))?.state).toBe('succeeded');
});

test('at most four steps of an operation run side by side', async () => {
  const four = Promise.withResolvers<void>();
  let now = 0;
  let most = 0;
  await start(
    flow('wide', async () => {
      most = Math.max(most, ++now);
      if (now === 4) four.resolve();
      await four.promise;
      now--;
      return undefined;
    }),
  );
  const steps = Array.from({ length: 10 }, (_, number) => step(number, []));
  expect(await ended(await enqueue('wide', steps))).toBe('succeeded');
  expect(most).toBe(4);
});

test('what is rolled back is never announced', async () => {
  let ran = false;
  await start(
    flow('rolled-back', async () => {
      ran = true;
      return undefined;
    }),
    flow('other', async () => undefined),
  );
  const id = newId();
  const failed = database.knex.transaction(async (trx) => {
    await operations.create({ id, kind: 'rolled-back', subject: 'test:x', input: {}, steps: [step(0, [])] }, trx);
    await queue.announce(id, trx);
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  // Another operation, queued after it, has come through: had the first been announced, it would have run by now.
  expect(await ended(await enqueue('other', [step(0, [])]))).toBe('succeeded');
  expect(ran).toBe(false);
  expect(await operations.get(id)).toBeUndefined();
});
