/** `node collect.ts BANK KEY_FILE SNAPSHOT`: forgets the snapshot of a bank that plain commands use, and collects garbage until its packs are gone. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { openFilesystemStore } from '../../../plugins/banks/filesystem/filesystem-store.ts';
import { silentLog } from '../../../src/base/log.ts';
import { openRepository } from '../../../src/repository/repository.ts';
import { createPrefixedStore } from '../../../src/storage/prefixed.ts';

const [bank = '', keyFile = '', snapshot = ''] = process.argv.slice(2);
const repository = await openRepository({
  store: createPrefixedStore(await openFilesystemStore(bank), 'repositories/local/'),
  projectId: 'local',
  providerKey: Buffer.from(readFileSync(keyFile, 'utf8').trim(), 'hex'),
  create: false,
  log: silentLog,
  threads: 2,
  scratchFolder: tmpdir(),
});
await repository.forget(snapshot);
for (let n = 0; n < 6; n++) await repository.runGc(await repository.planGc({}), {});
await repository.close();
