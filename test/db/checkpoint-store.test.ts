import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { type CheckpointListQuery, type CheckpointStore, createCheckpointStore } from '../../src/db/checkpoint-store.ts';
import type { Checkpoint } from '../../src/model/checkpoint.ts';
import type { SortKey } from '../../src/model/page.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

const startMs = 1_900_000_000_000;
const newestFirst: SortKey = { key: 'created_at', direction: 'desc' };

function aCheckpoint(change: Partial<Checkpoint> & { planId?: string } = {}): Checkpoint {
  const { planId = newId(), ...members } = change;
  const providerId = members.providerId ?? newId();
  return {
    id: newId(),
    projectId: 'one',
    providerId,
    status: 'available',
    plan: { id: planId, name: 'nightly', providerId, resources: [] },
    resourceGraph: null,
    extraInfo: { created_by: 'manual' },
    createdAt: startMs,
    resources: [],
    reason: null,
    ...members,
  };
}

let database: TestDatabase;
let store: CheckpointStore;
beforeAll(async () => {
  database = await createTestDatabase();
  store = createCheckpointStore(database.knex);
});
afterAll(() => database.drop());

const put = (...checkpoints: Checkpoint[]) =>
  store.upsert(checkpoints.map((checkpoint) => ({ checkpoint, generation: 1, published: true })));
const ids = async (query: Partial<CheckpointListQuery> & { providerId: string }): Promise<string[]> => {
  const { items } = await store.list({ limit: 1000, sort: [newestFirst], filters: {}, projectId: 'one', ...query });
  return items.map(({ id }) => id);
};

describe('the catalogue', () => {
  test('gives back what was put in, and knows its generations', async () => {
    const checkpoint = aCheckpoint();
    await store.upsert([{ checkpoint, generation: 3, published: false }]);
    expect(await store.get(checkpoint.id)).toEqual({ checkpoint, generation: 3, published: false });
    const known = await store.listWords(checkpoint.providerId, 'one');
    expect([...known]).toEqual([[checkpoint.id, { generation: 3, status: 'available', published: false }]]);
    expect(await store.listWords(checkpoint.providerId, 'other')).toEqual(new Map());
    await store.remove([checkpoint.id]);
    expect(await store.get(checkpoint.id)).toBeUndefined();
  });

  test('never goes back a generation, also when many entries come at once', async () => {
    const first = aCheckpoint({ status: 'protecting' });
    const others = Array.from({ length: 600 }, () => aCheckpoint({ providerId: first.providerId }));
    await store.upsert([{ checkpoint: { ...first, status: 'deleting' }, generation: 2, published: false }]);
    await store.upsert(
      [...others, { ...first, status: 'available' as const }].map((checkpoint) => ({
        checkpoint,
        generation: 1,
        published: true,
      })),
    );
    expect(await store.get(first.id)).toMatchObject({ checkpoint: { status: 'deleting' }, generation: 2, published: false });
    expect(await ids({ providerId: first.providerId })).toHaveLength(601);
    await store.upsert([{ checkpoint: { ...first, status: 'deleted' }, generation: 3, published: true }]);
    expect(await store.get(first.id)).toMatchObject({ checkpoint: { status: 'deleted' }, generation: 3, published: true });
  });

  test('of two words of one generation keeps the one that counts more, whichever comes first', async () => {
    const checkpoint = aCheckpoint();
    for (const [first, second] of [
      ['error', 'available'],
      ['available', 'deleting'],
      ['error-deleting', 'deleted'],
    ] as const) {
      for (const order of [
        [first, second],
        [second, first],
      ]) {
        await store.remove([checkpoint.id]);
        await put(...order.slice(0, 1).map((status) => ({ ...checkpoint, status })));
        await put(...order.slice(1).map((status) => ({ ...checkpoint, status })));
        expect((await store.get(checkpoint.id))?.checkpoint.status).toBe(second);
      }
    }
    // The same word again may bring news of the bank.
    await store.upsert([{ checkpoint: { ...checkpoint, status: 'deleted' }, generation: 1, published: false }]);
    expect((await store.get(checkpoint.id))?.published).toBe(false);
  });

  test('locks an entry for one transaction', async () => {
    const checkpoint = aCheckpoint();
    await put(checkpoint);
    const order: string[] = [];
    await database.knex.transaction(async (trx) => {
      await store.lock(checkpoint.id, trx);
      const other = database.knex.transaction(async (second) => {
        const entry = await store.lock(checkpoint.id, second);
        order.push(`second sees ${entry?.checkpoint.status}`);
      });
      await store.upsert([{ checkpoint: { ...checkpoint, status: 'deleting' }, generation: 2, published: false }], trx);
      order.push('first has written');
      // Outside, for the transaction cannot end while it waits for one that waits for it.
      void other.then(() => order.push('second is over'));
    });
    await expect.poll(() => order).toEqual(['first has written', 'second sees deleting', 'second is over']);
  });
});

describe('a list', () => {
  test('is of one provider, one project or all, without deleted ones', async () => {
    const providerId = newId();
    const own = aCheckpoint({ providerId });
    const foreign = aCheckpoint({ providerId, projectId: 'two', createdAt: startMs - 1 });
    await put(own, foreign, aCheckpoint(), aCheckpoint({ providerId, status: 'deleted' }));
    expect(await ids({ providerId })).toEqual([own.id]);
    const { items } = await store.list({ providerId, limit: 10, sort: [newestFirst], filters: {} });
    expect(items).toEqual([own, foreign]);
  });

  test('is of one plan, and from one moment until before another', async () => {
    const [providerId, planId] = [newId(), newId()];
    const all = [0, 1, 2, 3].map((ms) => aCheckpoint({ providerId, createdAt: startMs + ms, ...(ms % 2 === 0 && { planId }) }));
    await put(...all);
    expect(await ids({ providerId, planId })).toEqual([all[2]?.id, all[0]?.id]);
    expect(await ids({ providerId, from: startMs + 1 })).toEqual([all[3]?.id, all[2]?.id, all[1]?.id]);
    expect(await ids({ providerId, from: startMs + 1, until: startMs + 3 })).toEqual([all[2]?.id, all[1]?.id]);
    expect(await ids({ providerId, planId, until: startMs + 2 })).toEqual([all[0]?.id]);
  });

  test('joined from its pages is the whole, for any order and page size', async () => {
    const [providerId, planId] = [newId(), newId()];
    const statuses = ['available', 'error', 'protecting'] as const;
    // Few distinct values, so that ties occur in every key.
    await put(
      ...Array.from({ length: 24 }, (_, i) =>
        aCheckpoint({ providerId, status: statuses[i % 3]!, createdAt: startMs + (i % 4), ...(i % 2 === 0 && { planId }) }),
      ),
    );
    const key = fc.constantFrom('created_at', 'status', 'plan_id', 'id', 'no_column');
    const sort = fc.uniqueArray(fc.record({ key, direction: fc.constantFrom('asc', 'desc') }), {
      selector: (term) => term.key,
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(sort, fc.integer({ min: 1, max: 10 }), async (order, limit) => {
        const whole = await ids({ providerId, sort: order });
        expect(new Set(whole).size).toBe(24);
        const joined: string[] = [];
        for (;;) {
          const marker = joined.at(-1);
          const page = await ids({ providerId, sort: order, limit, ...(marker && { marker }) });
          joined.push(...page);
          if (page.length < limit) break;
        }
        expect(joined).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  test('is sorted by what is a column; by time where nothing of the sort is one', async () => {
    const providerId = newId();
    const [old, young] = [aCheckpoint({ providerId, status: 'error' }), aCheckpoint({ providerId, createdAt: startMs + 1 })];
    await put(old, young);
    const asc = (...keys: string[]): SortKey[] => keys.map((key) => ({ key, direction: 'asc' }));
    expect(await ids({ providerId, sort: asc('created_at') })).toEqual([old.id, young.id]);
    expect(await ids({ providerId, sort: asc('status', 'created_at') })).toEqual([young.id, old.id]);
    expect(await ids({ providerId, sort: asc('id') })).toEqual([old.id, young.id].toSorted());
    // As the API completes it: with the id last.
    expect(await ids({ providerId, sort: asc('colour', 'id') })).toEqual([young.id, old.id]);
    expect(await ids({ providerId, sort: asc('colour', 'created_at', 'id') })).toEqual([old.id, young.id]);
  });

  test('goes on behind a marker that was deleted, knows none of another project, and no offset', async () => {
    const providerId = newId();
    const [first, second] = [aCheckpoint({ providerId, createdAt: startMs + 1 }), aCheckpoint({ providerId })];
    const foreign = aCheckpoint({ providerId, projectId: 'two' });
    await put(first, second, foreign);
    await store.upsert([{ checkpoint: { ...first, status: 'deleted' }, generation: 2, published: true }]);
    expect(await ids({ providerId, marker: first.id })).toEqual([second.id]);
    expect(await ids({ providerId, offset: 1 })).toEqual([second.id]);
    for (const marker of [foreign.id, newId(), 'no id']) {
      await expect(ids({ providerId, marker })).rejects.toMatchObject({ kind: 'not-found', code: 'page.unknown_marker' });
    }
  });
});
