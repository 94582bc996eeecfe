import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/app/cli/run.ts';
import { type S3Server, startS3Server } from '../kit/s3-server.ts';

const mebibyte = 1024 * 1024;

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

function breakMiddle(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 3);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}

describe('backup, snapshots, restore and check without a service', () => {
  let folder: string;
  let server: S3Server;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'karri-plain-'));
    server = await startS3Server();
    mkdirSync(join(folder, 'tree/below'), { recursive: true });
    writeFileSync(join(folder, 'tree/below/a'), 'some text\n'.repeat(1000));
    writeFileSync(join(folder, 'image'), Buffer.alloc(2 * mebibyte, 'an image '));
    truncateSync(join(folder, 'image'), 3 * mebibyte);
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function karri(...args: string[]) {
    const written = { out: '', err: '' };
    const stream = (name: 'out' | 'err') => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const { accessKey, secretKey } = server.credentials;
    const environment = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
    const code = await runCommand(args, { out: stream('out'), err: stream('err'), environment });
    return { code, ...written };
  }
  const at = (name: string): string => join(folder, name);
  const bank = (): string[] => ['--bank', at('bank'), '--key-file', at('key')];

  test('a folder and an image go into a new bank and come back equal', async () => {
    const tree = await karri('backup', at('tree'), ...bank(), '--init');
    expect(tree).toMatchObject({ code: 0, err: '' });
    expect(tree.out).toMatch(/^snapshot {2}[0-9a-f-]{65}\nbacked up 1 files, 9\.77 KiB\nstored .*\ntook .* peak memory .*\n$/);
    expect(statSync(at('key')).mode & 0o777).toBe(0o600);
    const image = JSON.parse((await karri('backup', at('image'), ...bank(), '--fast', '--json')).out);
    expect(image).toMatchObject({ kind: 'volume', size_bytes: 3 * mebibyte, warnings: [] });

    const listed = JSON.parse((await karri('snapshots', ...bank(), '--json')).out);
    expect(listed).toMatchObject([
      { kind: 'tree', path: at('tree') },
      { id: image.snapshot, kind: 'volume', path: at('image'), size_bytes: 3 * mebibyte },
    ]);
    const plain = await karri('snapshots', ...bank());
    expect(plain.out).toContain(`${image.snapshot}  `);

    expect(await karri('restore', listed[0].id, at('tree-back'), ...bank())).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(at('tree-back/below/a'))).toEqual(readFileSync(at('tree/below/a')));
    expect(await karri('restore', image.snapshot, at('image-back'), ...bank())).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(at('image-back')).equals(readFileSync(at('image')))).toBe(true);
    const again = await karri('restore', image.snapshot, at('image-back'), ...bank());
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('exists already') });
    expect(await karri('restore', image.snapshot, at('image-back'), ...bank(), '--overwrite')).toMatchObject({ code: 0 });

    expect(await karri('restore', listed[0].id, at('tree-unsynced'), ...bank(), '--no-sync')).toMatchObject({ code: 0 });
    expect(readFileSync(at('tree-unsynced/below/a'))).toEqual(readFileSync(at('tree/below/a')));
    expect(await karri('restore', image.snapshot, at('image-unsynced'), ...bank(), '--no-sync')).toMatchObject({ code: 0 });
    expect(readFileSync(at('image-unsynced')).equals(readFileSync(at('image')))).toBe(true);
  });

  test('of a list of changed ranges nothing else is read', async () => {
    const since = JSON.parse((await karri('backup', at('image'), ...bank(), '--init', '--json')).out);
    const bytes = readFileSync(at('image'));
    bytes.write('changed and listed', mebibyte);
    bytes.write('changed and not told', 10);
    writeFileSync(at('image'), bytes);
    writeFileSync(at('list'), JSON.stringify([[mebibyte, 4096]]));
    const listed = ['--since', since.snapshot, '--changed', at('list')];
    const { snapshot } = JSON.parse((await karri('backup', at('image'), ...bank(), ...listed, '--json')).out);
    expect((await karri('restore', snapshot, at('listed'), ...bank())).code).toBe(0);
    const restored = readFileSync(at('listed'));
    expect(restored.toString('latin1', mebibyte, mebibyte + 18)).toBe('changed and listed');
    expect(restored.toString('latin1', 0, 20)).toBe('an image an image an');
  });

  test('check reads what is there, and exits 1 when a pack has gone', async () => {
    const own = ['--bank', at('checked'), '--key-file', at('key')];
    await karri('backup', at('image'), ...own, '--init');
    expect(await karri('check', ...own, '--percent', '100')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^No damage: /),
    });
    rmSync(at('checked/repositories/local/packs'), { recursive: true });
    const { code, out } = await karri('check', ...own, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out).damages.length).toBeGreaterThan(0);
  });

  test.each(['tree', 'image'])('of a damaged bank a %s is restored but for what is lost, which is listed', async (source) => {
    const own = ['--bank', at(`hit-${source}`), '--key-file', at('key')];
    mkdirSync(at('tree/other'), { recursive: true });
    writeFileSync(at('tree/other/b'), 'lost');
    const { snapshot } = JSON.parse((await karri('backup', at(source), ...own, '--init', '--json')).out);
    const whole = await karri('restore', snapshot, at(`whole-${source}`), ...own, '--salvage', '--json');
    expect({ code: whole.code, damaged: JSON.parse(whole.out).damaged }).toEqual({ code: 0, damaged: [] });

    const packs = at(`hit-${source}/repositories/local/packs`);
    for (const name of readdirSync(packs, { recursive: true, encoding: 'utf8' })) {
      if (statSync(join(packs, name)).isFile()) breakMiddle(join(packs, name));
    }
    const target = at(`salvaged-${source}`);
    expect(await karri('restore', snapshot, target, ...own)).toMatchObject({ code: 1, err: expect.stringContaining('damaged') });
    expect(existsSync(target)).toBe(false);
    const { code, out } = await karri('restore', snapshot, target, ...own, '--salvage');
    expect(code).toBe(1);
    expect(existsSync(target)).toBe(true);
    expect(out).toMatch(/^lost {6}\d+ files or ranges/m);
    expect(out).toMatch(/Pack .* is damaged: /);
  });

  test('a damaged snapshot is named, and the others are listed', async () => {
    const own = ['--bank', at('damaged'), '--key-file', at('key')];
    const one = JSON.parse((await karri('backup', at('image'), ...own, '--init', '--json')).out);
    const other = JSON.parse((await karri('backup', at('tree'), ...own, '--json')).out);
    const object = `snapshots/${one.snapshot.replace('-', '/')}`;
    writeFileSync(at(`damaged/repositories/local/${object}`), 'no snapshot');
    const { code, out, err } = await karri('snapshots', ...own, '--json');
    expect({ code, ids: JSON.parse(out).map(({ id }: { id: string }) => id) }).toEqual({ code: 1, ids: [other.snapshot] });
    expect(err).toContain(object);
  });

  test('into a bucket and back', async () => {
    const bucket = ['--bank', 's3://plain/some/where', '--endpoint', server.endpoint, '--key-file', at('key')];
    const { code, out, err } = await karri('backup', at('tree'), ...bucket, '--init', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect((await karri('restore', JSON.parse(out).snapshot, at('from-bucket'), ...bucket)).code).toBe(0);
    expect(readFileSync(at('from-bucket/below/a'))).toEqual(readFileSync(at('tree/below/a')));
  });

  test('what is forgotten leaves the bank, a step with each run of gc, and can be had back before', async () => {
    const own = ['--bank', at('collected'), '--key-file', at('key')];
    const { snapshot } = JSON.parse((await karri('backup', at('image'), ...own, '--init', '--json')).out);
    const packs = (): string[] => listFiles(at('collected/repositories/local/packs'));
    const before = packs();
    expect(await karri('forget', snapshot, ...own)).toMatchObject({ code: 0, out: `${snapshot} is forgotten.\n` });
    expect(await karri('forget', snapshot, ...own)).toMatchObject({ code: 1, err: expect.stringContaining('is not in') });
    expect((await karri('forget', snapshot, ...own, '--undo')).code).toBe(0);
    expect(JSON.parse((await karri('snapshots', ...own, '--json')).out)).toHaveLength(1);
    await karri('forget', snapshot, ...own);

    const runs = ['gc', ...own, '--grace', '1'];
    const plan = JSON.parse((await karri(...runs, '--json')).out);
    expect(plan).toMatchObject({ generation: 1, keeps: { packs: 0 }, suspects: { packs: before.length }, done: null });
    const shown = await karri(...runs);
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect(shown.out).toMatch(/^needed +0 B in 0 packs\nnot needed, seen now +[\d.]+ KiB in 1 packs\n/);
    expect(packs()).toEqual(before);
    for (let run = 1; run <= 3; run += 1) {
      expect((await karri(...runs, '--yes')).out).toContain(`Run ${run}: 0 B in 0 packs deleted.`);
      expect(packs()).toEqual(before);
    }
    const last = JSON.parse((await karri(...runs, '--yes', '--json')).out);
    expect(last).toMatchObject({ deletes: { packs: before.length }, done: { deleted_packs: before.length, is_done: true } });
    expect(packs()).toEqual([]);
  });

  test('limits are those of the service, each project has a repository of its own', async () => {
    const own = ['--bank', at('limited'), '--key-file', at('key'), '--project', 'one/two'];
    const limits = ['--limit-up', '900MiB', '--limit-down', '900MiB'];
    const { snapshot } = JSON.parse((await karri('backup', at('tree'), ...own, ...limits, '--init', '--json')).out);
    expect((await karri('restore', snapshot, at('limited-back'), ...own, ...limits)).code).toBe(0);
    expect(readdirSync(at('limited/repositories'))).toEqual(['one=2ftwo']);
    expect(await karri('snapshots', '--bank', at('limited'), '--key-file', at('key'))).toMatchObject({ code: 1 });
  });

  test.each([
    ['backup', 'what to back up'],
    ['backup test', 'which bank'],
    ['backup test --bank b', 'where the key is'],
    ['backup test --bank s3:// --key-file k', 's3://BUCKET'],
    ['backup test --bank b --key-file k --endpoint http://e', 'belong to a bank s3://'],
    ['backup test --bank b --key-file k --since s', 'go together'],
    ['restore only-one --bank b --key-file k', 'SNAPSHOT TARGET'],
    ['check --bank b --key-file k --percent many', 'from 0 to 100'],
    ['check --bank b --key-file k --limit-up fast', '--limit-up (or KARRI_UPLOAD_LIMIT) is "fast"; it must be a number'],
    ['snapshots --bank s3://bucket --endpoint ftp://e --key-file k', 'http://HOST'],
    ['forget --bank b --key-file k', 'which snapshot'],
    ['gc --bank b --key-file k --grace 0', 'from 1 to'],
  ])('`karri %s` is a wrong call', async (args, part) => {
    const { code, out, err } = await karri(...args.split(' '));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(part);
  });

  test('bad input is a fault that says what to do', async () => {
    writeFileSync(at('no-key'), 'short\n', { mode: 0o600 });
    writeFileSync(at('no-list'), '[[1, "x"]]');
    const bad: [string[], string][] = [
      [['snapshots', '--bank', at('bank'), '--key-file', at('nothing')], 'cannot be read'],
      [['snapshots', '--bank', at('bank'), '--key-file', at('no-key')], '64 hex digits'],
      [['snapshots', '--bank', at('none/of/this'), '--key-file', at('key')], 'no bank'],
      [['backup', at('nothing'), ...bank()], 'There is nothing at'],
      [['backup', folder, ...bank()], 'lies in'],
      [['backup', at('image'), ...bank(), '--since', 'x', '--changed', at('no-list')], 'no list of changed ranges'],
      [['backup', at('image'), ...bank(), '--since', 'x', '--changed', at('nothing')], 'cannot be read'],
      [['backup', at('image'), ...bank(), '--since', 'x', '--changed', at('key')], 'cannot be read'],
      [['restore', 'x', at('new'), ...bank()], '"x" is not the name of a snapshot'],
    ];
    for (const [args, part] of bad) {
      const { code, err } = await karri(...args);
      expect({ args, code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/^karri: .+\n([A-Z].+\n)?$/) });
      expect(err).toContain(part);
    }
  });
});
