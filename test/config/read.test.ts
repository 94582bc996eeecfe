import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config/environment.ts';
import { readConfig } from '../../src/config/read.ts';
import { settings } from '../../src/config/settings.ts';
import { settingsTable, showConfig } from '../../src/config/show.ts';

describe('readConfig', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Reads with a file of that text. */
  const withFile = (text: string, environment: Environment = {}, mode = 0o600) => {
    const file = join(folder, 'some.yaml');
    writeFileSync(file, text);
    chmodSync(file, mode);
    return readConfig({}, { KARRI_CONFIG: file, KARRI_STATE_DIR: folder, ...environment });
  };

  test('without anything there are defaults', () => {
    const config = readConfig({}, { KARRI_STATE_DIR: folder });
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8799,
      stateDir: folder,
      databaseUrl: undefined,
      providersDir: join(folder, 'providers.d'),
      volumesDir: join(folder, 'volumes'),
      volumeRoots: [join(folder, 'volumes')],
      roles: ['api', 'worker', 'scheduler'],
      auth: 'noauth',
      quotaPlans: 50,
      maxLimit: 1000,
      uploadLimit: undefined,
      downloadLimit: undefined,
      file: undefined,
      hooks: {},
      plugins: [],
    });
    expect(readConfig({}, {}).stateDir).toBe(join(process.cwd(), 'var'));
  });

  test('environment wins over file, an override over both, an empty variable is none', () => {
    expect(withFile('port: 1000').port).toBe(1000);
    expect(withFile('port: 1000', { KARRI_PORT: '2000' }).port).toBe(2000);
    expect(withFile('port: 1000', { KARRI_PORT: '' }).port).toBe(1000);
    const environment = { KARRI_PORT: '2000', KARRI_HOST: '::1', KARRI_STATE_DIR: folder };
    expect(readConfig({ KARRI_PORT: '3000', KARRI_HOST: undefined }, environment)).toMatchObject({ port: 3000, host: '::1' });
    expect(readConfig({ KARRI_PORT: '3000', KARRI_HOST: undefined }, { KARRI_PORT: '2000', KARRI_STATE_DIR: folder }).port).toBe(
      3000,
    );
  });

  test('every setting can stand in the file, under its key', () => {
    const values: Record<string, string> = {
      host: '::1',
      port: '1',
      state_dir: 'state',
      database_url: 'postgres://me:secret@db/karri',
      providers_dir: 'p',
      volumes_dir: 'v',
      roles: 'worker',
      auth: 'noauth',
      tls: 'none',
      public_url: 'https://dp.example.test',
      policy_file: 'rules.yaml',
      token_cache_seconds: '5',
      requests_per_second: '10',
      keystone_url: 'https://identity.example.test/v3',
      keystone_public_url: 'https://public.example.test/v3',
      keystone_user: 'karri',
      keystone_password: 'secret',
      keystone_project: 'services',
      keystone_user_domain: 'one',
      keystone_project_domain: 'two',
      keystone_timeout_seconds: '2',
      log_level: 'warn',
      log_format: 'json',
      threads: '3',
      worker_concurrency: '5',
      quota_plans: '-1',
      quota_checkpoints: '7',
      quota_protected_bytes: '1TiB',
      quota_stored_bytes: '2048',
      trigger_min_interval: '60',
      daily_gc: 'off',
      max_limit: '10',
      upload_limit: '1.5MiB',
      download_limit: '2048',
    };
    expect(Object.keys(values).sort()).toEqual(
      Object.values(settings)
        .map(({ key }) => key)
        .sort(),
    );
    writeFileSync(join(folder, 'rules.yaml'), "'plan:get': '@'");
    const config = withFile(JSON.stringify(values), { KARRI_STATE_DIR: undefined });
    expect(config).toMatchObject({
      host: '::1',
      port: 1,
      stateDir: join(folder, 'state'),
      providersDir: join(folder, 'p'),
      roles: ['worker'],
      policy: { 'plan:get': '@' },
    });
    expect(config).toMatchObject({
      threads: 3,
      workerConcurrency: 5,
      quotaPlans: -1,
      maxLimit: 10,
      uploadLimit: 1_572_864,
      downloadLimit: 2048,
      logLevel: 'warn',
      logFormat: 'json',
    });
    expect(new Set(Object.values(config.origins).map(({ from }) => from))).toEqual(new Set(['file']));
  });

  test('a file named karri.yaml in the state folder is read unasked', () => {
    const file = join(folder, 'karri.yaml');
    writeFileSync(file, 'roles: [scheduler, api]\nvolume_roots: [more]');
    const config = readConfig({}, { KARRI_STATE_DIR: folder });
    rmSync(file);
    expect(config).toMatchObject({
      file,
      roles: ['api', 'scheduler'],
      volumeRoots: [join(folder, 'volumes'), join(folder, 'more')],
    });
  });

  test('hooks, volumes and plugins come from the file', () => {
    const config = withFile(`
      hooks: { stop-db: { command: [/bin/systemctl, stop, db] }, slow: { command: [x], timeout_seconds: 0.5 } }
      volumes: [ { name: disk, path: images/a.raw, type: 'Host::Block' } ]
      plugins: [ '@me/karri-plugin' ]`);
    expect(config.hooks).toEqual({
      'stop-db': { command: ['/bin/systemctl', 'stop', 'db'], timeoutMs: 60_000 },
      slow: { command: ['x'], timeoutMs: 500 },
    });
    expect(config.volumes).toEqual([{ name: 'disk', path: join(folder, 'images/a.raw'), type: 'Host::Block' }]);
    expect(config.plugins).toEqual(['@me/karri-plugin']);
  });

  test('two volumes of one type with one name are refused, by their place in the list', () => {
    const volume = (name: string, type: string): string => `{ name: ${name}, path: /srv/${name}, type: '${type}' }`;
    const read = (...volumes: string[]) => withFile(`volumes: [ ${volumes.join(', ')} ]`);
    expect(read(volume('a', 'Host::Block'), volume('a', 'Host::Directory')).volumes).toHaveLength(2);
    expect(() => read(volume('a', 'Host::Block'), volume('b', 'Host::Block'), volume('a', 'Host::Block'))).toThrow(
      expect.objectContaining({
        code: 'config.duplicate_volume',
        message: expect.stringContaining('volumes.2 has the name and type of volumes.0: a (Host::Block)'),
      }),
    );
  });

  test.each([
    ['KARRI_PORT', '70000', 'a whole number from 0 to 65535'],
    ['KARRI_PORT', '80a', 'a whole number'],
    ['KARRI_ROLES', 'api,cook', 'api, worker, scheduler'],
    ['KARRI_AUTH', 'oauth', 'one of noauth, token, keystone'],
    ['KARRI_LOG_LEVEL', 'loud', 'debug, info, warn, error'],
    ['KARRI_THREADS', '0', 'auto or'],
    ['KARRI_QUOTA_PLANS', '-2', 'from -1'],
    ['KARRI_HOST', 'no host', 'an IP address'],
    ['KARRI_UPLOAD_LIMIT', '20 MB', 'KiB, MiB or GiB'],
    ['KARRI_UPLOAD_LIMIT', '0', 'from 1KiB'],
    ['KARRI_DOWNLOAD_LIMIT', '2000GiB', 'to 1024GiB'],
  ])('%s=%s is refused with what is allowed', (name, value, allowed) => {
    const read = () => readConfig({}, { KARRI_STATE_DIR: folder, [name]: value });
    expect(read).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'config.bad_value', message: expect.stringContaining(name) }),
    );
    expect(read).toThrow(JSON.stringify(value));
    expect(read).toThrow(allowed);
  });

  test('a bad secret is not repeated', () => {
    const read = () => readConfig({}, { KARRI_STATE_DIR: folder, DATABASE_URL: 'mysql://me:canary@db' });
    expect(read).toThrow(/DATABASE_URL.*postgres:\/\//);
    expect(read).not.toThrow(/canary/);
  });

  test.each([
    ['prot: 1', 'prot'],
    ['hooks: { a: { command: [] } }', 'hooks.a.command'],
    ['hooks: { a: { command: [x], shell: true } }', 'hooks.a.shell'],
    ['volumes: [ { name: a, path: b, type: OS::Cinder::Volume } ]', 'volumes.0.type'],
    ["volumes: [ { name: a/b, path: b, type: 'Host::Block' } ]", 'volumes.0.name'],
    ["volumes: [ { name: .a, path: b, type: 'Host::Block' } ]", 'volumes.0.name'],
    ['port: [1]', 'port'],
    ['- a', 'the file'],
  ])('a file with `%s` is refused, naming %s', (text, field) => {
    expect(() => withFile(text)).toThrow(
      expect.objectContaining({ code: 'config.bad_field', message: expect.stringContaining(`some.yaml: ${field} `) }),
    );
  });

  test('a value in the file is refused by its place there', () => {
    expect(() => withFile('port: -1')).toThrow(/^port in .*some\.yaml is "-1"; it must be/);
    expect(() => withFile('port: {')).toThrow(expect.objectContaining({ code: 'config.bad_yaml' }));
    expect(() => readConfig({}, { KARRI_CONFIG: join(folder, 'none.yaml') })).toThrow(
      expect.objectContaining({ code: 'config.no_file' }),
    );
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', 'karri.example', '128.0.0.1', '::ffff:10.0.0.1'])('noauth is refused on %s', (host) => {
    expect(() => readConfig({}, { KARRI_STATE_DIR: folder, KARRI_HOST: host })).toThrow(
      expect.objectContaining({ kind: 'forbidden', code: 'config.unsafe_noauth' }),
    );
  });

  test.each(['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'localhost'])(
    'noauth is allowed on %s',
    (host) => {
      expect(readConfig({}, { KARRI_STATE_DIR: folder, KARRI_HOST: host }).host).toBe(host);
    },
  );

  test('a file with the database password must be closed to others', () => {
    const text = 'database_url: postgres://me:secret@db/karri';
    expect(() => withFile(text, {}, 0o644)).toThrow(expect.objectContaining({ code: 'config.open_secret' }));
    expect(withFile(text, {}, 0o600).databaseUrl).toContain('secret');
    expect(withFile('port: 1', {}, 0o644).port).toBe(1);
  });

  test('is frozen to the ground', () => {
    const config = withFile('hooks: { a: { command: [x] } }');
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
    expect(() => Object.assign(config.hooks['a'] ?? {}, { timeoutMs: 1 })).toThrow(TypeError);
  });

  test('misspelt variables are told, and others can be read by name', () => {
    const config = readConfig({}, { KARRI_STATE_DIR: folder, KARRI_PROT: '1', PATH: '/bin', NORTH: 'phrase' });
    expect(config.unknownVariables).toEqual(['KARRI_PROT']);
    expect(config.readEnvironment('NORTH')).toBe('phrase');
    expect(config.hookEnvironment).toEqual({ PATH: '/bin' });
  });

  test('what is shown has every setting and no password', () => {
    const shown = showConfig(
      readConfig({}, { KARRI_STATE_DIR: folder, DATABASE_URL: 'postgres://me:canary@db:5432/karri?sslkey=canary' }),
    );
    expect(shown).toContain('postgres://me:***@db:5432/karri');
    expect(shown).not.toContain('canary');
    for (const { variable } of Object.values(settings)) expect(shown).toContain(`${variable} `);
    expect(shown).toMatch(/KARRI_PORT +8799 +default/);
  });

  test('the README has the table of settings (npm run docs:write)', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [, between] = /<!-- settings -->\n([\s\S]*?)<!-- \/settings -->/.exec(readme) ?? [];
    expect(between?.trim()).toBe(settingsTable().trim());
  });
});
