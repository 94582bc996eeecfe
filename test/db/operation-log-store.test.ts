import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { createOperationLogStore, type OperationLogStore } from '../../src/db/operation-log-store.ts';
import type { OperationLog } from '../../src/model/operation-log.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

describe('operation log store', () => {
  let database: TestDatabase;
  let logs: OperationLogStore;
  beforeAll(async () => {
    database = await createTestDatabase();
    logs = createOperationLogStore(database.knex);
  });
  afterAll(() => database.drop());

  const log: OperationLog = {
    id: newId(),
    projectId: 'one',
    operationType: 'restore',
    checkpointId: newId(),
    planId: null,
    providerId: newId(),
    restoreId: newId(),
    scheduledOperationId: null,
    status: 'in_progress',
    startedAt: 1_900_000_000_123,
    endedAt: null,
    errorInfo: null,
    extraInfo: null,
  };

  test('the first end stands, however often it is closed', async () => {
    await logs.create(log);
    expect(await logs.get(log.id)).toEqual(log);
    const end = {
      status: 'success',
      endedAt: 1_900_000_060_000,
      errorInfo: null,
      extraInfo: { stored_bytes: 12, warnings: ['a'] },
    };
    await logs.close(log.id, end);
    await logs.close(log.id, { status: 'fail', endedAt: 1_900_000_070_000, errorInfo: 'late', extraInfo: null });
    expect(await logs.get(log.id)).toEqual({ ...log, ...end });
  });

  test('an unknown log is a fault', async () => {
    const unknown = { kind: 'not-found', code: 'operation_log.unknown' };
    await expect(logs.get(newId())).rejects.toMatchObject(unknown);
    await expect(logs.close(newId(), { status: 'fail', endedAt: 1, errorInfo: null, extraInfo: null })).rejects.toMatchObject(
      unknown,
    );
  });
});
