import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createFolder, withRepository } from '../kit/repositories.ts';
import { goldenFolder, goldenVolume, loadGolden, noise } from './golden-content.ts';

test.each(readdirSync(goldenFolder))('today reads the repository of %s', async (version) => {
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
});
