import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKarriProcess } from '../kit/karri-process.ts';
import { absolutePath } from '../kit/source-tree.ts';

/** What `npm install karri` gives, without a registry: the packed files, and the packages beside them that are here already. */
describe('the package, installed', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-package-'));
    const copy = join(folder, 'clone');
    mkdirSync(copy);
    const { files } = JSON.parse(readFileSync(absolutePath('package.json'), 'utf8')) as { files: string[] };
    for (const name of ['package.json', 'bin', ...files]) cpSync(absolutePath(name), join(copy, name), { recursive: true });
    const before = readFileSync(join(copy, 'package.json'), 'utf8');
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy });
    expect(readFileSync(join(copy, 'package.json'), 'utf8')).toBe(before);
    expect(readdirSync(copy, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'))).toEqual([]);

    const packages = join(folder, 'node_modules');
    mkdirSync(join(packages, 'karri'), { recursive: true });
    for (const name of readdirSync(absolutePath('node_modules')))
      if (!name.startsWith('.')) symlinkSync(absolutePath(`node_modules/${name}`), join(packages, name));
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    execFileSync('tar', ['xzf', join(folder, tarball), '--strip-components=1', '-C', join(packages, 'karri')]);
    mkdirSync(join(folder, 'tree'));
    writeFileSync(join(folder, 'tree/a'), 'some text\n'.repeat(1000));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // Its compiled code is kept there, and goes with it.
  const home = (): Record<string, string> => ({ HOME: folder });
  const program = (): string => join(folder, 'node_modules/karri/bin/karri.mjs');
  const karri = (...args: string[]): string =>
    execFileSync(process.execPath, [program(), ...args, '--bank', 'bank', '--key-file', 'key'], {
      cwd: folder,
      env: { ...process.env, ...home() },
      encoding: 'utf8',
    });

  test('backs up and restores, worker threads and all', () => {
    const { snapshot } = JSON.parse(karri('backup', 'tree', '--init', '--json')) as { snapshot: string };
    karri('restore', snapshot, 'back');
    expect(readFileSync(join(folder, 'back/a'))).toEqual(readFileSync(join(folder, 'tree/a')));
  });

  test('starts, and makes its database', async () => {
    await using house = new AsyncDisposableStack();
    const service = await createKarriProcess({ stateDir: join(folder, 'state'), program: program(), settings: home() });
    house.defer(() => service.dispose());
    await service.start();
    expect((await fetch(`${service.url}/openapi.json`)).status).toBe(200);
    await service.stop();
  });

  test('opens its door to plugins', () => {
    writeFileSync(
      join(folder, 'plugin.mjs'),
      "import { defineBankPlugin } from 'karri/plugin';\nconsole.log(typeof defineBankPlugin);\n",
    );
    expect(execFileSync(process.execPath, ['plugin.mjs'], { cwd: folder, encoding: 'utf8' })).toBe('function\n');
  });
});
