import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository } from '../../src/repository/contract.ts';
import { copySnapshot } from '../../src/repository/copy/copy.ts';
import { rewrapKeys } from '../../src/repository/seal/rotate.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { testProjectId, testProviderKey } from '../kit/repositories.ts';
import type { Experiment } from './experiment.ts';
import { nextProviderKey, type Promised, restoreAndCompare, Scene } from './scene.ts';
import { createStoppingStore, Stop } from './stopping-store.ts';

/** Carries the operation out and takes down what is promised from then on. Begun again after a stop it has to finish. */
type Operation = (repository: Repository, scene: Scene, place: Place) => Promise<void>;

interface Place {
  readonly store: ObjectStore;
  readonly scratch: string;
  readonly others: OtherBank;
}

/** What is copied to. */
interface OtherBank {
  readonly store: ObjectStore;
  readonly promised: Map<string, Promised>;
}

const createOtherBank = (): OtherBank => ({ store: createMemoryStore(), promised: new Map() });
const otherProject = { projectId: 'another', providerKey: Buffer.alloc(32, 7) };

const operations: Readonly<Record<string, Operation>> = {
  'protect a volume': async (repository, { sources, promised }) =>
    void promised.set(...(await sources.protect(repository, 'volume'))),
  'protect a tree': async (repository, { sources, promised }) =>
    void promised.set(...(await sources.protect(repository, 'tree'))),
  async forget(repository, { doomed }) {
    await repository.forget(doomed);
  },
  async undelete(repository, { promised, forgotten, sources }) {
    await repository.undelete(forgotten);
    promised.set(forgotten, sources.otherPromise);
  },
  async collect(repository) {
    await repository.runGc(await repository.planGc({}), {});
  },
  async restore(repository, { promised }, { scratch }) {
    for (const [id, promise] of promised) await restoreAndCompare(repository, id, promise, join(scratch, 'restored'));
  },
  async check(repository) {
    assert.deepEqual((await repository.check(100, {})).damages, []);
  },
  'rotate the key': async (_repository, _scene, { store }) =>
    void (await rewrapKeys({
      store,
      projectId: testProjectId,
      oldKey: testProviderKey,
      newKey: nextProviderKey,
      log: silentLog,
    })),
  'copy a volume': (repository, scene, place) => copy(repository, scene, place, ([, promise]) => 'bytes' in promise),
  'copy a tree': (repository, scene, place) => copy(repository, scene, place, ([, promise]) => 'lines' in promise),
};

async function copy(
  repository: Repository,
  scene: Scene,
  { scratch, others: { store, promised } }: Place,
  isWanted: (snapshot: [string, Promised]) => boolean,
): Promise<void> {
  const [id = '', promise] = [...scene.promised].find(isWanted) ?? [];
  const to = await scene.open(store, join(scratch, 'other'), otherProject);
  try {
    const made = await copySnapshot(repository, id, to, {});
    if (promise) promised.set(made.id, promise);
  } finally {
    await to.close();
  }
}

async function carryOut(operation: Operation, scene: Scene, scratch: string, others: OtherBank, stop: Stop): Promise<void> {
  const store = createStoppingStore(scene.store, stop);
  const repository = await scene.open(store, scratch);
  try {
    await operation(repository, scene, { store, scratch, others: { ...others, store: createStoppingStore(others.store, stop) } });
  } finally {
    await repository.close();
  }
}

async function stopAt(scene: Scene, name: string, operation: Operation, stop: Stop, samePlace: boolean): Promise<void> {
  const others = createOtherBank();
  const scratch = scene.createFolder();
  if (name === 'forget') scene.promised.delete(scene.doomed); // whatever becomes of it
  await carryOut(operation, scene, scratch, others, stop).catch((error: unknown) => {
    if (!stop.isOver || !isFault(error, 'storage.unreachable')) throw error;
  });
  await scene.look({ isRotating: name === 'rotate the key' });
  await carryOut(operation, scene, samePlace ? scratch : scene.createFolder(), others, new Stop());
  await scene.look();
  await scene.expectNoOrphans();
  if (others.promised.size === 0) return;
  const copies = await scene.open(others.store, scene.createFolder(), otherProject);
  for (const [id, promise] of others.promised) await restoreAndCompare(copies, id, promise, join(scratch, 'restored'));
  assert.deepEqual((await copies.check(100, {})).damages, []);
  await copies.close();
}

export const stops: Experiment = {
  id: 'R3',
  title:
    'the store stops at request k, for every k of each operation: what was promised restores, the operation finishes when it is begun again, garbage goes',
  runs: { ci: 1, full: 40 },
  async run(trials, seed) {
    const scene = await Scene.make(seed, seed % 5);
    try {
      for (const [name, operation] of Object.entries(operations)) {
        const counted = new Stop();
        const rehearsal = await scene.clone();
        await carryOut(operation, rehearsal, rehearsal.createFolder(), createOtherBank(), counted);
        for (let k = 1; k <= counted.requests; k++) {
          const takesEffect = (k + seed) % 2 === 0;
          const how = takesEffect ? 'answer is lost' : 'is lost';
          await trials.try(`${name}: request ${k} of ${counted.requests} ${how}`, async () =>
            stopAt(await scene.clone(), name, operation, new Stop(k, takesEffect), k % 3 !== 0),
          );
        }
      }
    } finally {
      scene.remove();
    }
  },
};
