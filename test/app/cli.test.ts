import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/app/cli/run.ts';

describe('karri', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-cli-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function karri(args: string, environment: Record<string, string> = {}) {
    const written = { out: '', err: '' };
    const stream = (name: 'out' | 'err') => ({
      write: (text: string) => {
        written[name] += text;
      },
    });
    const code = await runCommand(args.split(' ').filter(Boolean), {
      out: stream('out'),
      err: stream('err'),
      environment: { KARRI_STATE_DIR: folder, ...environment },
    });
    return { code, ...written };
  }

  test('help lists every command, each with its usage in one line', async () => {
    const { code, out, err } = await karri('help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const name of ['start', 'config show', 'provider init', 'provider list', 'bank check', 'openapi', 'help']) {
      expect(out).toMatch(new RegExp(`^  karri ${name}\\b.*\\n {6}\\w`, 'm'));
    }
    expect((await karri('--help')).out).toBe(out);
    expect((await karri('start --help')).out).toMatch(/^karri start .*\n.*\n {2}Exit code 0: .*\n$/);
  });

  test.each(['', 'cook', 'config', 'config hide', 'provider'])(
    '`karri %s` is not understood: exit 2, help on standard error',
    async (args) => {
      const { code, out, err } = await karri(args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('karri provider init');
    },
  );

  test.each([
    ['config show --color', 'Usage: karri config show'],
    ['config show extra', 'Usage: karri config show'],
    ['start --port', 'Usage: karri start'],
    ['provider init --bank tape', 'filesystem or s3'],
    ['provider init --bank s3', '--bucket'],
    ['provider init', '--path'],
    ['provider init --path x --bucket b', '--bucket does not belong'],
    ['provider init --bank s3 --bucket b --path x', '--path does not belong'],
    ['bank check', 'which provider'],
    ['provider init a b --path x', 'Unexpected argument "b"'],
  ])('`karri %s` is a wrong call: exit 2 and the usage', async (args, part) => {
    const { code, out, err } = await karri(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(part);
    expect(err).toContain('Usage: karri ');
  });

  test('a fault is its message and its help: exit 1, no stack', async () => {
    const { code, out, err } = await karri('start', { KARRI_HOST: '0.0.0.0' });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^karri: KARRI_AUTH is noauth.*0\.0\.0\.0\.\nListen on a loopback address.*\n$/);
  });

  test('config show prints what is in force, options before environment, secrets masked', async () => {
    const file = join(folder, 'some.yaml');
    writeFileSync(file, 'max_limit: 7');
    const { code, out } = await karri(`config show --config ${file}`, { DATABASE_URL: 'postgres://me:canary@db/karri' });
    expect(code).toBe(0);
    expect(out).toMatch(/KARRI_MAX_LIMIT +7 +file\n/);
    expect(out).toContain(file);
    expect(out).not.toContain('canary');
  });

  test('provider init writes files that provider list reads', async () => {
    const made = await karri(`provider init north --path ${folder}/bank --description here`);
    expect(made).toMatchObject({ code: 0, out: `${folder}/providers.d/north.yaml\n` });
    expect(statSync(join(folder, 'providers.d/north.key')).mode & 0o777).toBe(0o600);
    const s3 = '--bank s3 --bucket karri --endpoint http://127.0.0.1:7480 --path-style --credentials-file /keys';
    expect(await karri(`provider init --name south ${s3}`)).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'providers.d/south.yaml'), 'utf8')).toMatch(
      /bucket: karri[\s\S]*path_style: true\n\s+credentials_file: \/keys/,
    );
    const again = await karri(`provider init north --path ${folder}/bank`);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('north.yaml is there already') });

    const { out } = await karri('provider list');
    expect(out).toMatch(/^[0-9a-f-]{36} {2}north {2}filesystem {2}.*north\.yaml\n[0-9a-f-]{36} {2}south {2}s3 {2}/);
    const key = readFileSync(join(folder, 'providers.d/north.key'), 'utf8').trim();
    expect(out).not.toContain(key);
    const none = await karri('provider list', { KARRI_PROVIDERS_DIR: join(folder, 'none') });
    expect(none).toMatchObject({ code: 0, out: '', err: expect.stringContaining('provider init') });
  });

  test('bank check tries the bank of a provider and leaves nothing in it', async () => {
    await karri(`provider init checked --path ${folder}/checked`);
    const { code, out, err } = await karri('bank check checked');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`${folder}/checked`);
    expect(out).toContain('It is fit as a bank.');
    expect(
      readdirSync(join(folder, 'checked'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    ).toEqual([]);
    const json = JSON.parse((await karri('bank check checked --json')).out);
    expect(json.fit).toBe(true);
    expect(json.findings.length).toBeGreaterThan(5);
    expect(await karri('bank check nobody')).toMatchObject({ code: 1, err: expect.stringContaining('There are: ') });
  });

  test('bank check of a bank that is not there says what to do', async () => {
    await karri(`provider init away --path ${folder}/none/of/this`);
    const { code, err } = await karri('bank check away');
    expect(code).toBe(1);
    expect(err).toMatch(/^karri: There is no bank at .*\n.+\n$/);
  });

  test('openapi prints the document', async () => {
    const { code, out } = await karri('openapi');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
  });
});
