import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Fault, isFault } from '../../src/base/faults.ts';
import type { CheckSummary, Repository } from '../../src/repository/contract.ts';
import { insideOf } from '../../src/repository/inside.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { copyStore, listKeys } from '../kit/repositories.ts';
import { createSeeded, type Seeded } from '../kit/seeded.ts';
import type { Experiment } from './experiment.ts';
import { restoreAndCompare, Scene, upTo } from './scene.ts';

const kinds = ['keys/', 'packs/', 'indexes/', 'snapshots/', 'forgotten/', 'gc/', 'bad/'] as const;
type Kind = (typeof kinds)[number];

interface Damaging {
  readonly scene: Scene;
  readonly kind: Kind;
  /** The bank of another project, with objects of all kinds. */
  readonly foreign: ObjectStore;
  readonly chance: Seeded;
}

/** Damages the bank and returns the keys of what is not as it was. */
type Mutation = (damaging: Damaging) => Promise<readonly string[]>;

/** The eight of them. */
const mutations: Readonly<Record<string, Mutation>> = {
  'bit flip': (damaging) =>
    change(damaging, (bytes, chance) => {
      const at = upTo(chance, bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(chance, 8));
      return bytes;
    }),
  truncate: (damaging) => change(damaging, (bytes, chance) => bytes.subarray(0, 1 + upTo(chance, bytes.length - 1))),
  zero: (damaging) => change(damaging, (bytes, chance) => bytes.fill(0, upTo(chance, bytes.length >> 1))),
  empty: (damaging) => change(damaging, () => Buffer.alloc(0)),
  delete: (damaging) => change(damaging, () => undefined),
  async swap({ scene: { store }, kind, chance }) {
    const keys = await listKeys(store, kind);
    const one = pick(keys, chance);
    const other = pick(
      keys.filter((key) => key !== one),
      chance,
    );
    const [bytes, otherBytes] = [await store.get(one), await store.get(other)];
    await replace(store, one, otherBytes);
    if (kind === 'keys/') return [one]; // there are two, and one of them has to be left
    await replace(store, other, bytes);
    return [one, other];
  },
  async 'roll back'({ scene: { store, older }, kind }) {
    const [now, then] = [new Set(await listKeys(store, kind)), await listKeys(older, kind)];
    await store.delete([...now]);
    for (const key of then) await store.put(key, await older.get(key));
    return [...now].filter((key) => !then.includes(key));
  },
  async replay({ scene: { store }, kind, foreign, chance }) {
    const key = pick(await listKeys(store, kind), chance);
    await replace(store, key, await foreign.get(pick(await listKeys(foreign, kind), chance)));
    return [key];
  },
};

async function tryOne({ scene, kind, foreign, chance }: Damaging, name: string, mutate: Mutation): Promise<void> {
  const keys = await mutate({ scene, kind, foreign, chance });
  const isGone = name === 'delete' || name === 'roll back';
  const scratch = scene.createFolder();
  const repository = await scene.open(scene.store, scratch);
  try {
    const hit = await restoreAll(repository, scene, join(scratch, 'restored'));
    for (const id of hit) assert(mayHit(scene, kind, keys, id), `${id} does not restore because of ${keys.join(', ')}`);
    const found = await repository.check(100, {});
    // What is gone is missed by those who need it, and by nobody else.
    if (!isGone) for (const key of keys) assert(names(found, key), `check does not name ${key}: ${describe(found)}`);
    for (const id of hit) await expectNamed(repository, found, id);
    await expectNoPoison(repository, scene, hit, join(scratch, 'restored'));
  } finally {
    await repository.close();
  }
}

/** Every snapshot there ever was gives its bytes or a fault. Those promised ones that give a fault are returned. */
async function restoreAll(repository: Repository, scene: Scene, path: string): Promise<Set<string>> {
  const hit = new Set<string>();
  for (const [id, promise] of scene.once) {
    try {
      await restoreAndCompare(repository, id, promise, path);
    } catch (error) {
      const isTold = isFault(error) && (error.kind === 'corrupt' || error.code === 'repository.snapshot_absent');
      if (!isTold) throw error;
      if (scene.promised.has(id)) hit.add(id);
    }
  }
  return hit;
}

/** Whether the damage can cost that snapshot anything. */
function mayHit({ owners }: Scene, kind: Kind, keys: readonly string[], id: string): boolean {
  if (kind === 'snapshots/') return keys.includes(`snapshots/${id.replace('-', '/')}`);
  if (kind !== 'packs/' && kind !== 'indexes/') return false;
  const subject = owners.get(`snapshots/${id.replace('-', '/')}`);
  // Volume and `other` have a slot in common; what a collection has written is everybody's.
  return keys.some((key) => !owners.has(key) || (owners.get(key) === 'tree') === (subject === 'tree'));
}

async function expectNamed(repository: Repository, found: CheckSummary, id: string): Promise<void> {
  if (found.damages.some(({ hits }) => hits.some(({ snapshot }) => snapshot === id))) return;
  // A snapshot that is gone looks forgotten; whoever keeps its name finds out.
  const own = await repository.verifySnapshot(id, 100, {}).catch((error: unknown) => {
    if (isFault(error, 'repository.snapshot_absent')) return undefined;
    throw error;
  });
  assert(own === undefined, `${id} does not restore, and check does not say so: ${describe(found)}`);
}

/** The next protects are whole, a collection takes nothing that is needed, and what was not hit still restores. */
async function expectNoPoison(repository: Repository, scene: Scene, hit: ReadonlySet<string>, path: string): Promise<void> {
  const whole = [...scene.promised].filter(([id]) => !hit.has(id));
  for (const subject of ['volume', 'tree'] as const) whole.push(await scene.sources.protect(repository, subject));
  for (let n = 0; n < 3; n++) {
    await repository
      .planGc({})
      .then((plan) => repository.runGc(plan, {}))
      .catch((error: unknown) => {
        if (!isFault(error) || error.kind !== 'corrupt') throw error; // it may refuse
      });
  }
  for (const [id, promise] of whole) await restoreAndCompare(repository, id, promise, path);
}

function names({ damages, replaced }: CheckSummary, key: string): boolean {
  return damages.some(({ object }) => object === key) || replaced.includes(key);
}

function describe({ damages, replaced }: CheckSummary): string {
  const found = damages.map(({ object, what, hits }) => ({ object, what, hits: hits.map(({ snapshot }) => snapshot) }));
  return JSON.stringify({ found, replaced });
}

async function change(
  { scene: { store }, kind, chance }: Damaging,
  edit: (bytes: Buffer, chance: Seeded) => Buffer | undefined,
): Promise<string[]> {
  const key = pick(await listKeys(store, kind), chance);
  await replace(store, key, edit(await store.get(key), chance));
  return [key];
}

async function replace(store: ObjectStore, key: string, bytes: Buffer | undefined): Promise<void> {
  await store.delete([key]);
  if (bytes) await store.put(key, bytes);
}

function pick(keys: readonly string[], chance: Seeded): string {
  const key = keys[upTo(chance, keys.length)];
  if (key === undefined) throw new Error('The scene has too few objects of this kind.');
  return key;
}

/** A scene with at least two objects of every kind. */
async function makeScene(seed: number, projectId?: string): Promise<Scene> {
  const scene = await Scene.make(seed, 1 + (seed % 4), projectId === undefined ? {} : { projectId });
  const repository = await scene.open(scene.store, scene.createFolder(), projectId === undefined ? {} : { projectId });
  // Two packs that somebody could not read once, although they are whole.
  for (const object of (await listKeys(scene.store, 'packs/')).slice(0, 2))
    insideOf(repository).core.noteDamage(
      new Fault('corrupt', 'repository.pack_damaged', `Pack ${object} was not read.`, { details: { object } }),
    );
  await repository.forget((await scene.sources.protect(repository, 'other'))[0]);
  await repository.runGc(await repository.planGc({}), {});
  await repository.close();
  return scene;
}

export const damage: Experiment = {
  id: 'R4',
  title:
    'each kind of object × 8 ways of damage: check names object and snapshots, no restore gives a wrong byte, the others restore, the next protect is whole',
  runs: { ci: 1, full: 200 },
  async run(trials, seed) {
    const chance = createSeeded('damage', seed);
    const scene = await makeScene(seed);
    const foreign = await makeScene(seed + 1, 'another');
    try {
      for (const kind of kinds) {
        for (const [name, mutate] of Object.entries(mutations)) {
          await trials.try(`${kind} ${name}`, async () =>
            tryOne({ scene: await scene.clone(), kind, foreign: await copyStore(foreign.store), chance }, name, mutate),
          );
        }
      }
    } finally {
      scene.remove();
      foreign.remove();
    }
  },
};
