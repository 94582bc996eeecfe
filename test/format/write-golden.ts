/**
 * `node test/format/write-golden.ts VERSION` writes the golden repository that today's code makes. Run it once when the format
 * gets a new version; a golden repository that stands is never written again.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '../../src/base/faults.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createFolder, listKeys, withRepository } from '../kit/repositories.ts';
import { goldenFolder, goldenVolume, makeGoldenTree } from './golden-content.ts';

const version = process.argv[2];
if (version === undefined || !/^v\d+$/.test(version)) throw new Fault('invalid', 'test.version', 'Name the version: v1, v2, …');
const store = createMemoryStore();
using folder = createFolder();
const treePath = folder.file('tree');
mkdirSync(treePath);
makeGoldenTree(treePath);
const volumePath = folder.file('volume', goldenVolume());
await withRepository(store, async (repository) => {
  await repository.writeVolume({ path: volumePath }, { subject: 'volume' });
  await repository.writeTree({ path: treePath }, { subject: 'tree' });
});
const root = join(goldenFolder, version);
mkdirSync(root); // refuses to write over one that stands
for (const key of await listKeys(store)) {
  mkdirSync(dirname(join(root, key)), { recursive: true });
  writeFileSync(join(root, key), await store.get(key));
}
