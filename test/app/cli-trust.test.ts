import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/app/cli/run.ts';

describe('keys and healing on the command line', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-trust-'));
    writeFileSync(at('image'), Buffer.alloc(2 ** 20, 'an image '));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const at = (name: string): string => join(folder, name);
  const bank = (key = 'key'): string[] => ['--bank', at('bank'), '--key-file', at(key)];

  async function karri(...args: string[]) {
    const written = { out: '', err: '' };
    const stream = (name: 'out' | 'err') => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const code = await runCommand(args, { out: stream('out'), err: stream('err'), environment: {} });
    return { code, ...written };
  }

  test('a rotated key: the new one opens everything, the old one is told to be wrong', async () => {
    const { out } = await karri('backup', at('image'), ...bank(), '--init', '--json');
    expect(await karri('key', 'rotate', ...bank())).toMatchObject({ code: 2, err: expect.stringContaining('--new-key-file') });
    const rotated = await karri('key', 'rotate', ...bank(), '--new-key-file', at('new'));
    expect(rotated).toMatchObject({ code: 0, out: expect.stringContaining('The old key opens nothing any more.') });
    expect(await karri('snapshots', ...bank())).toMatchObject({ code: 1, err: expect.stringContaining('does not open') });
    expect(await karri('check', ...bank('new'), '--percent', '100')).toMatchObject({ code: 0 });
    expect(await karri('restore', JSON.parse(out).snapshot, at('back'), ...bank('new'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('back')).equals(readFileSync(at('image')))).toBe(true);
  });

  test('destroyed keys: only when the project is named twice, and for good', async () => {
    await karri('backup', at('image'), ...bank(), '--init');
    for (const confirm of [[], ['--confirm', 'other']]) {
      const refused = await karri('key', 'destroy', ...bank(), '--project', 'local', ...confirm);
      expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('--confirm local') });
    }
    expect(await karri('snapshots', ...bank())).toMatchObject({ code: 0 });
    expect(await karri('key', 'destroy', ...bank(), '--project', 'local', '--confirm', 'local')).toMatchObject({ code: 0 });
    for (const args of [['snapshots'], ['backup', at('image'), '--init']])
      expect(await karri(...args, ...bank())).toMatchObject({ code: 1, err: expect.stringContaining('were destroyed') });
  });

  test('a check says what is lost, repairs what it can, and says so to programs', async () => {
    const { snapshot } = JSON.parse((await karri('backup', at('image'), ...bank(), '--init', '--json')).out);
    const indexes = at('bank/repositories/local/indexes');
    for (const name of readdirSync(indexes)) rmSync(join(indexes, name));
    const lost = await karri('check', ...bank());
    expect(lost).toMatchObject({
      code: 1,
      out: expect.stringContaining(`indexes/*: an index object is gone\n  snapshot ${snapshot}:`),
    });
    expect(lost.out).toContain('bytes 0 to 1048575');
    const told = JSON.parse((await karri('check', ...bank(), '--json')).out);
    const ranges = [{ path: '', offset: 0, length: 2 ** 20 }];
    expect(told.damages).toMatchObject([{ object: 'indexes/*', hits: [{ snapshot, is_lost: false, ranges, more_ranges: 0 }] }]);
    const repaired = await karri('check', ...bank(), '--repair');
    expect(repaired).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\d packs that no index named are named again\.\nNo damage: /),
    });
  });

  test('a bank to heal from has to be named with its key, and tells what it cannot give', async () => {
    await karri('backup', at('image'), ...bank(), '--init');
    await karri('backup', at('image'), '--bank', at('other'), '--key-file', at('key'), '--init');
    rmSync(at('bank/repositories/local/packs'), { recursive: true });
    const call = ['check', ...bank(), '--heal-from', at('other')];
    expect(await karri(...call)).toMatchObject({ code: 2, err: expect.stringContaining('go together') });
    const healed = await karri(...call, '--heal-key-file', at('key'));
    expect(healed).toMatchObject({
      code: 1,
      out: expect.stringContaining('could not be healed: the other repository has no copy of it'),
    });
  });
});
