import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/app/embedded-postgres.ts';
import { newId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { openDatabase } from '../../src/db/connect.ts';
import { migrate } from '../../src/db/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a database on the run's server; test databases are made beside it. */
    databaseUrl: string;
    /** The database with the schema that test databases are copied from; nobody may be connected to it. */
    templateDatabase: string;
  }
}

/** One PostgreSQL for the whole run (`DATABASE_URL` where it is given), and one template database with the schema in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // What was begun is undone in reverse, also when a later line throws.
  await using begun = new AsyncDisposableStack();
  const databaseUrl = process.env['DATABASE_URL'] ?? (await startServer(begun));
  const templateDatabase = `karri_template_${newId().slice(0, 8)}`;

  const admin = await openDatabase({ url: databaseUrl, poolSize: 1 });
  begun.defer(() => admin.destroy());
  await admin.raw('create database ??', [templateDatabase]);
  begun.defer(() => admin.raw('drop database ?? with (force)', [templateDatabase]));
  const template = await openDatabase({ url: withDatabase(databaseUrl, templateDatabase), poolSize: 1 });
  await migrate(template).finally(() => template.destroy());

  project.provide('databaseUrl', databaseUrl);
  project.provide('templateDatabase', templateDatabase);
  const kept = begun.move();
  return () => kept.disposeAsync();
}

async function startServer(begun: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'karri-test-postgres-'));
  begun.defer(() => rm(folder, { recursive: true, force: true }));
  const server = await startEmbeddedPostgres({ stateDir: folder, log: silentLog, durable: false });
  begun.defer(() => server.stop());
  return server.url;
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
