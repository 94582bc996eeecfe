import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createFolder, withRepository } from '../kit/repositories.ts';
import { describeTree } from '../kit/tree-compare.ts';
import { goldenFolder, goldenVolume, loadGolden, noise } from './golden-content.ts';
import { describeVolume, listManifests, readManifest, takesAtMost } from './manifest.ts';

test.each(readdirSync(goldenFolder).filter((name) => /^v\d+$/.test(name)))(
  'today reads the repository of %s',
  async (version) => {
    using folder = createFolder();
    await withRepository(
      await loadGolden(version),
      async (repository) => {
        expect((await repository.check(100, {})).damages).toEqual([]);
        const kinds: string[] = [];
        for (const id of await repository.listSnapshots()) {
          const target = folder.file(id);
          const kind = await repository.restoreVolume(id, { path: target, overwrite: false }, {}).then(
            () => 'volume',
            () => repository.restoreTree(id, { path: target }, {}).then(() => 'tree'),
          );
          kinds.push(kind);
          if (kind === 'volume') expect(readFileSync(target).equals(goldenVolume())).toBe(true);
          else {
            expect(readdirSync(target, { recursive: true }).sort()).toEqual([
              'folder',
              'folder/empty',
              'folder/link',
              'folder/noise',
              'one',
            ]);
            expect(readFileSync(`${target}/folder/noise`).equals(noise('tree', 20_000))).toBe(true);
            expect(readFileSync(`${target}/one`, 'utf8')).toBe('one\n');
            expect(statSync(`${target}/one`).mode & 0o777).toBe(0o640);
            expect(readlinkSync(`${target}/folder/link`)).toBe('../one');
          }
        }
        expect(kinds.sort()).toEqual(['tree', 'volume']);
      },
      { create: false },
    );
  },
);

test.each(listManifests())('today reads what the manifest of %s tells of', async (name) => {
  using folder = createFolder();
  await withRepository(
    await loadGolden(name),
    async (repository) => {
      const { snapshots } = readManifest(name);
      expect([...(await repository.listSnapshots())].sort()).toEqual(snapshots.map(({ id }) => id).sort());
      expect((await repository.check(100, {})).damages).toEqual([]);
      for (const { id, tree, volume } of snapshots) {
        const path = folder.file(id);
        if (tree) {
          await repository.restoreTree(id, { path }, {});
          expect(ofAnyUser(describeTree(path))).toEqual(ofAnyUser(tree));
        }
        if (volume) {
          await repository.restoreVolume(id, { path, overwrite: false }, {});
          const places = Object.keys(volume.slots);
          expect(describeVolume(path, places)).toEqual(volume);
          expect(takesAtMost(path, places.length * 256 * 1024)).toBe(true);
        }
      }
    },
    { create: false },
  );
});

/** Without what only root may set: owners (and set-user-id, which goes with them), devices, trusted attributes. */
function ofAnyUser(lines: readonly string[]): string[] {
  const common = lines.filter((line) => !line.includes(' device='));
  return common.map((line) => line.replace(/ mode=(\d*?)\d(\d{3}) owner=\S+/, ' mode=$1?$2').replace(/ trusted\.note=\S+/, ''));
}
