/**
 * `node test/format/write-golden.ts NAME` (as root) writes the golden repository that today's code makes: `v1` (small), `v1-tree` (all
 * that trees hold), `v1-race` (two root keys, larger volumes) or `v1-gc` (forgotten, collected, damaged and healed), with the version it then has. Run it when the format gets a new
 * version; a golden repository that stands is never written again.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '../../src/base/faults.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { copyStore, createFolder, listKeys, testProjectId, testProviderKey, withRepository } from '../kit/repositories.ts';
import { describeTree } from '../kit/tree-compare.ts';
import { goldenFolder, goldenVolume, makeGoldenTree, noise } from './golden-content.ts';
import { changeFullTree, makeFullTree } from './golden-tree.ts';
import { describeVolume, type ExpectedSnapshot, type Manifest, manifestName } from './manifest.ts';

type Folder = ReturnType<typeof createFolder>;
type Made = { readonly store: ObjectStore; readonly snapshots?: readonly ExpectedSnapshot[] };

const makers: Readonly<Record<string, (folder: Folder) => Promise<Made>>> = {
  '': makeSmall,
  '-tree': makeTree,
  '-race': makeRace,
  '-gc': makeCollected,
};

const name = process.argv[2] ?? '';
const make = /^v\d+(-|$)/.test(name) ? makers[name.replace(/^v\d+/, '')] : undefined;
if (!make) throw new Fault('invalid', 'test.version', 'Name the version and the kind: v1, v1-tree, v1-race, v2, …');
using folder = createFolder();
const { store, snapshots } = await make(folder);
const root = join(goldenFolder, name);
mkdirSync(root); // refuses to write over one that stands
for (const key of await listKeys(store)) {
  mkdirSync(dirname(join(root, key)), { recursive: true });
  writeFileSync(join(root, key), await store.get(key));
}
if (snapshots) {
  const manifest: Manifest = { project: testProjectId, provider_key: testProviderKey.toString('hex'), snapshots };
  writeFileSync(join(root, manifestName), `${JSON.stringify(manifest, null, 1)}\n`);
}

async function makeSmall(folder: Folder): Promise<Made> {
  const store = createMemoryStore();
  const treePath = folder.file('tree');
  mkdirSync(treePath);
  makeGoldenTree(treePath);
  const volumePath = folder.file('volume', goldenVolume());
  await withRepository(store, async (repository) => {
    await repository.writeVolume({ path: volumePath }, { subject: 'volume' });
    await repository.writeTree({ path: treePath }, { subject: 'tree' });
  });
  return { store };
}

/** The second snapshot needs chunks of the first, so each needs an index of its own and the other's. */
async function makeTree(folder: Folder): Promise<Made> {
  const store = createMemoryStore();
  const path = folder.file('tree');
  mkdirSync(path);
  makeFullTree(path);
  const snapshots: ExpectedSnapshot[] = [];
  for (const change of [() => undefined, () => changeFullTree(path)]) {
    change();
    const tree = describeTree(path);
    const { id } = await withRepository(store, (repository) => repository.writeTree({ path }, { subject: 'full tree' }));
    snapshots.push({ id, subject: 'full tree', parent: snapshots.at(-1)?.id ?? null, tree });
  }
  return { store, snapshots };
}

/** Two makers that saw no key, as in a race: each writes under its own root key. Then a third, who sees both. */
async function makeRace(folder: Folder): Promise<Made> {
  const path = folder.file('volume');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, (520 << 20) + 513); // three leaves, and the one in the middle has nothing
  writeSync(fd, noise('race', 30_000), 0, 30_000, (3 << 20) - 10_000);
  writeSync(fd, 'the end', 520 << 20);
  const snapshots: ExpectedSnapshot[] = [];
  const write = async (repository: Repository, parent: string | null): Promise<void> => {
    const volume = describeVolume(path);
    const { id } = await repository.writeVolume({ path }, { subject: 'raced' });
    snapshots.push({ id, subject: 'raced', parent, volume });
  };
  const stores = [createMemoryStore(), createMemoryStore()];
  for (const store of stores) await withRepository(store, (repository) => write(repository, null));
  const [first = '', second = ''] = await Promise.all(stores.map(async (store) => (await listKeys(store, 'keys/'))[0]));
  const [store, other] = stores;
  if (!store || !other) throw new Fault('internal', 'test.no_store', 'A store is missing.');
  const merged = await copyStore(store);
  for (const key of await listKeys(other)) await merged.put(key, await other.get(key));
  writeSync(fd, 'a change', 100 << 20);
  closeSync(fd);
  const parent = snapshots[first < second ? 0 : 1]?.id ?? null;
  await withRepository(merged, (repository) => write(repository, parent));
  return { store: merged, snapshots };
}

/** A pack that is damaged, marked and stored again; a snapshot that is forgotten; three collections, one pack each in every state but deleted. */
async function makeCollected(folder: Folder): Promise<Made> {
  const store = createMemoryStore();
  const write = async (name: string): Promise<ExpectedSnapshot> => {
    const path = folder.file(name, noise(name, 300_000));
    const volume = describeVolume(path);
    const { id } = await withRepository(store, (repository) =>
      repository.writeVolume({ path }, { subject: name, readEverything: true }),
    );
    return { id, subject: name, parent: null, volume };
  };
  const collect = (graceGenerations: number): Promise<unknown> =>
    withRepository(store, async (repository) => repository.runGc(await repository.planGc({ graceGenerations }), {}));
  const forget = ({ id }: ExpectedSnapshot): Promise<void> => withRepository(store, (repository) => repository.forget(id));
  const damaged = await write('damaged');
  const [pack = ''] = await listKeys(store, 'packs/');
  const bytes = Buffer.from(await store.get(pack));
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
  await store.delete([pack]);
  await store.put(pack, bytes);
  await withRepository(store, (repository) => repository.check(100, {}));
  const healed = await write('damaged');
  const [first, second] = [await write('forgotten'), await write('forgotten later')];
  await collect(5);
  await forget(first);
  await collect(5);
  await forget(second);
  await collect(1);
  return { store, snapshots: [damaged, { ...healed, parent: damaged.id }] };
}
