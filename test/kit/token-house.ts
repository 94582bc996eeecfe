import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import { buildHouse, type House } from '../../src/app/build.ts';
import { startWorkerRole } from '../../src/app/roles.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { newId } from '../../src/base/ids.ts';
import type { Log } from '../../src/base/log.ts';
import { initDefaultProvider, initProvider } from '../../src/config/init-provider.ts';
import { readConfig } from '../../src/config/read.ts';
import { createTokenStore } from '../../src/db/token-store.ts';
import { hashToken, newTokenText } from '../../src/model/access-token.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Everything but the scheduler, in this process: real database, real bank, real tokens. */
export interface TokenHouse {
  readonly house: House;
  readonly database: TestDatabase;
  /** Of everything the service keeps; `bank`, `volumes` and `providers.d` are in it. */
  readonly folder: string;
  /** The text of a token that never ends, or has ended. */
  makeToken(projectId: string, roles: readonly string[], ended?: boolean): Promise<string>;
  call(method: Method, url: string, token: string | undefined, body?: unknown): Promise<LightMyRequestResponse>;
  /** Asks until the answer holds no such status. */
  waitWhile(url: string, token: string, busy: string): Promise<unknown>;
  close(): Promise<void>;
}

/** With one volume, the directory `notes`, which holds `hello.txt`, and the providers `default` and `south`. */
export async function openTokenHouse(log: Log): Promise<TokenHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'karri-house-'));
  mkdirSync(join(folder, 'volumes/notes'), { recursive: true });
  writeFileSync(join(folder, 'volumes/notes/hello.txt'), 'hello\n');
  const database = await createTestDatabase();
  const config = readConfig({}, { KARRI_STATE_DIR: folder, KARRI_AUTH: 'token', KARRI_THREADS: '1' });
  initDefaultProvider(config);
  const bank = { plugin: 'filesystem', config: { path: join(folder, 'south') } };
  initProvider({ folder: config.providersDir, name: 'south', bank });
  const shared = { config, knex: database.knex, databaseUrl: database.url, clock: systemClock, log };
  const house = await buildHouse(shared);
  const worker = await startWorkerRole(house, shared);
  await house.server.ready();
  const tokens = createTokenStore(database.knex);

  const call: TokenHouse['call'] = (method, url, token, body) =>
    house.server.inject({
      method,
      url,
      headers: {
        ...(token !== undefined && { 'x-auth-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

  return {
    house,
    database,
    folder,
    call,
    async makeToken(projectId, roles, ended = false) {
      const text = newTokenText();
      const userId = `user-of-${projectId}`;
      const token = { id: newId(), name: '', userId, projectId, roles, createdAt: 0, expiresAt: ended ? 1 : null };
      await tokens.create(token, hashToken(text));
      return text;
    },
    async waitWhile(url, token, busy) {
      for (;;) {
        const response = await call('GET', url, token);
        if (response.statusCode !== 200 || !response.payload.includes(`"status":"${busy}"`)) return response.json();
        await sleep(50);
      }
    },
    async close() {
      await worker.stop();
      await house.server.close();
      await house.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
