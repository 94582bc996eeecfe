import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildHouse } from '../../src/app/build.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { readConfig } from '../../src/config/read.ts';
import { createTestDatabase, type TestDatabase } from '../kit/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'karri-build-'));
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('volumes that the configuration file names are listed beside those of the roots', async () => {
  mkdirSync(join(folder, 'wiki'));
  mkdirSync(join(folder, 'volumes/notes'), { recursive: true });
  mkdirSync(join(folder, 'providers.d'));
  writeFileSync(join(folder, 'plain'), 'bytes');
  writeFileSync(
    join(folder, 'karri.yaml'),
    "volumes: [ { name: wiki, path: wiki, type: 'Host::Directory' }, { name: disk, path: plain, type: 'Host::Block' } ]",
  );
  const config = readConfig({}, { KARRI_STATE_DIR: folder });
  const house = await buildHouse({ config, knex: database.knex, databaseUrl: database.url, clock: systemClock, log: silentLog });
  try {
    const listed = await Promise.all(
      house.deps.protectables.map(async ({ type, protectable }) => {
        const resources = await protectable.list({ projectId: 'p', userId: 'u' });
        return [type, resources.map(({ name }) => name)];
      }),
    );
    expect(Object.fromEntries(listed)).toEqual({ 'Host::Directory': ['notes', 'wiki'], 'Host::Block': ['disk'] });
  } finally {
    await house.server.close();
    await house.close();
  }
});
