import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/app/embedded-postgres.ts';
import { sleep } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openDatabase } from '../../src/db/connect.ts';

describe('embedded PostgreSQL', () => {
  let folder: string;
  let stateDir: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri embedded '));
    // A state folder whose parent nobody else may pass: as for a checkout under /root.
    chmodSync(folder, 0o700);
    stateDir = join(folder, 'state');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const start = () => startEmbeddedPostgres({ stateDir, log: silentLog });
  const pidFile = (): string => join(stateDir, 'postgres/data/postmaster.pid');
  const serverPid = (): number => Number(readFileSync(pidFile(), 'utf8').split('\n')[0]);

  async function withDatabase<T>(url: string, work: (knex: Knex) => PromiseLike<T>): Promise<T> {
    const knex = await openDatabase({ url, poolSize: 1 });
    try {
      return await work(knex);
    } finally {
      await knex.destroy();
    }
  }

  const readRows = (url: string) => withDatabase(url, (knex) => knex('kept').pluck('value'));

  test('starts, keeps its password to itself, stops, and starts again with the same data', async () => {
    const first = await start();
    await withDatabase(first.url, async (knex) => {
      await knex.raw('create table kept (value text)');
      await knex('kept').insert({ value: 'before' });
    });
    expect(statSync(join(stateDir, 'postgres/password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(stateDir, 'postgres/data')).mode & 0o777).toBe(0o700);
    const wrong = new URL(first.url);
    wrong.password = 'guess';
    await expect(withDatabase(wrong.href, (knex) => knex.raw('select 1'))).rejects.toMatchObject({ code: 'db.refused' });
    await Promise.all([first.stop(), first.stop()]);
    expect(existsSync(pidFile())).toBe(false);
    await expect(openDatabase({ url: first.url, poolSize: 1 })).rejects.toMatchObject({ code: 'db.unreachable' });

    const second = await start();
    expect(await readRows(second.url)).toEqual(['before']);
    await second.stop();
  });

  test('the server of a killed service is taken over', async () => {
    const url = await startAndDie();
    const left = serverPid();
    const postgres = await start();
    expect(serverPid()).toBe(left);
    expect(postgres.url).toBe(url);
    expect(await readRows(postgres.url)).toEqual(['before']);
    await postgres.stop();
    expect(existsSync(pidFile())).toBe(false);
  });

  test('a server killed with its service recovers; a number that went to somebody else does not matter', async () => {
    await startAndDie();
    process.kill(serverPid(), 'SIGKILL');
    const recovered = await start();
    expect(await readRows(recovered.url)).toEqual(['before']);
    await recovered.stop();

    writeFileSync(pidFile(), `${process.pid}\n${join(stateDir, 'postgres/data')}\n1\n1\n\n127.0.0.1\n\nready\n`);
    const postgres = await start();
    expect(serverPid()).not.toBe(process.pid);
    await postgres.stop();
  });

  test('a server that dies under a living service is started again at the same address', async () => {
    const postgres = await start();
    const killed = serverPid();
    process.kill(killed, 'SIGKILL');
    const knex = await openUntilItAnswers(postgres.url);
    expect(await knex('kept').pluck('value')).toEqual(['before']);
    await knex.destroy();
    expect(serverPid()).not.toBe(killed);
    await postgres.stop();
  });

  test('a lost password file and a broken cluster are said plainly', async () => {
    const broken = join(folder, 'broken');
    mkdirSync(join(broken, 'postgres/data'), { recursive: true });
    await expect(startEmbeddedPostgres({ stateDir: broken, log: silentLog })).rejects.toMatchObject({
      code: 'postgres.no_password',
    });
    writeFileSync(join(broken, 'postgres/password'), 'x', { mode: 0o600 });
    await expect(startEmbeddedPostgres({ stateDir: broken, log: silentLog })).rejects.toMatchObject({
      code: 'postgres.cannot_start',
      message: expect.stringMatching(/data/),
    });
  });

  /** A process that starts the server, tells its address and is killed. */
  function startAndDie(): Promise<string> {
    const modules = new URL('../../src/', import.meta.url).href;
    const program = `
      const { startEmbeddedPostgres } = await import(${JSON.stringify(`${modules}app/embedded-postgres.ts`)});
      const { silentLog } = await import(${JSON.stringify(`${modules}base/log.ts`)});
      const { url } = await startEmbeddedPostgres({ stateDir: ${JSON.stringify(stateDir)}, log: silentLog });
      process.stdout.write(url, () => process.kill(process.pid, 'SIGKILL'));`;
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      child.on('close', (code, signal) => (signal === 'SIGKILL' ? resolve(output) : reject(new Error(`ended with ${code}`))));
    });
  }

  async function openUntilItAnswers(url: string): Promise<Knex> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await openDatabase({ url, poolSize: 1 });
      } catch (error) {
        if (attempt === 100) throw error;
        await sleep(100);
      }
    }
  }
});
