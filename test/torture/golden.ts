import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Repository } from '../../src/repository/contract.ts';
import { goldenFolder, goldenVolume, loadGolden, noise } from '../format/golden-content.ts';
import { describeVolume, type ExpectedSnapshot, listManifests, readManifest, takesAtMost } from '../format/manifest.ts';
import { createFolder, withRepository } from '../kit/repositories.ts';
import { describeTree } from '../kit/tree-compare.ts';
import type { Experiment } from './experiment.ts';

/** The first one, from before there were manifests: the small volume and the small tree. */
async function expectSmall(repository: Repository, id: string, path: string): Promise<'volume' | 'tree'> {
  const isVolume = await repository.restoreVolume(id, { path, overwrite: false }, {}).then(
    () => true,
    () => repository.restoreTree(id, { path }, {}).then(() => false),
  );
  if (isVolume) {
    assert(readFileSync(path).equals(goldenVolume()));
    return 'volume';
  }
  assert.deepEqual(readdirSync(path, { recursive: true }).sort(), [
    'folder',
    'folder/empty',
    'folder/link',
    'folder/noise',
    'one',
  ]);
  assert(readFileSync(`${path}/folder/noise`).equals(noise('tree', 20_000)));
  assert.equal(readFileSync(`${path}/one`, 'utf8'), 'one\n');
  assert.equal(statSync(`${path}/one`).mode & 0o777, 0o640);
  assert.equal(readlinkSync(`${path}/folder/link`), '../one');
  return 'tree';
}

async function expectTold(repository: Repository, { id, tree, volume }: ExpectedSnapshot, path: string): Promise<void> {
  if (tree) {
    await repository.restoreTree(id, { path }, {});
    assert.deepEqual(ofAnyUser(describeTree(path)), ofAnyUser(tree));
  }
  if (volume) {
    await repository.restoreVolume(id, { path, overwrite: false }, {});
    const places = Object.keys(volume.slots);
    assert.deepEqual(describeVolume(path, places), volume);
    assert(takesAtMost(path, places.length * 256 * 1024), 'holes became zeros');
  }
}

/** Without what only root may set: owners (and set-user-id, which goes with them), devices, trusted attributes. */
function ofAnyUser(lines: readonly string[]): string[] {
  const common = lines.filter((line) => !line.includes(' device='));
  return common.map((line) => line.replace(/ mode=(\d*?)\d(\d{3}) owner=\S+/, ' mode=$1?$2').replace(/ trusted\.note=\S+/, ''));
}

export const golden: Experiment = {
  id: 'R13',
  title: 'the golden repositories of every release: what was written then restores equal today',
  runs: { ci: 1, full: 1 },
  async run(trials) {
    using folder = createFolder();
    const told = listManifests();
    for (const name of readdirSync(goldenFolder)) {
      await trials.try(name, async () =>
        withRepository(
          await loadGolden(name),
          async (repository) => {
            assert.deepEqual((await repository.check(100, {})).damages, []);
            const ids = [...(await repository.listSnapshots())].sort();
            const path = (id: string): string => folder.file(`${name}-${id}`);
            if (told.includes(name)) {
              const { snapshots } = readManifest(name);
              assert.deepEqual(ids, snapshots.map(({ id }) => id).sort());
              for (const snapshot of snapshots) await expectTold(repository, snapshot, path(snapshot.id));
            } else {
              const found: string[] = [];
              for (const id of ids) found.push(await expectSmall(repository, id, path(id)));
              assert.deepEqual(found.sort(), ['tree', 'volume']);
            }
          },
          { create: false },
        ),
      );
    }
  },
};
