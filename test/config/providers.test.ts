import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isUuidLike } from '../../src/base/ids.ts';
import { initDefaultProvider, initProvider } from '../../src/config/init-provider.ts';
import { getProvider, readProviders } from '../../src/config/providers.ts';
import { deriveKey } from '../../src/config/secrets.ts';

const id = '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11';
const rest = 'bank: { plugin: filesystem, config: { path: ../bank } }\nprotections: [ { plugin: host-block } ]\n';

describe('provider files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'karri-providers-'));
    writeFileSync(join(folder, 'north.key'), `${'ab'.repeat(32)}\n`, { mode: 0o600 });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const read = (environment: Record<string, string> = {}) => readProviders(folder, (name) => environment[name]);

  test('a file says what a provider is; its paths are relative to it', async () => {
    write('north.yaml', `id: ${id.toUpperCase()}\nname: north\ndescription: d\nkey: { file: north.key }\n${rest}`);
    const [provider] = await read();
    expect(provider).toMatchObject({
      id,
      name: 'north',
      description: 'd',
      enabled: true,
      bank: { plugin: 'filesystem', config: { path: '../bank' } },
      protections: [{ plugin: 'host-block', config: {} }],
      file: join(folder, 'north.yaml'),
    });
    expect(provider?.key).toEqual(Buffer.alloc(32, 0xab));
    expect(provider?.resolvePath('../bank')).toBe(join(folder, '../bank'));
    expect(provider?.resolvePath('/srv')).toBe('/srv');
  });

  test('other files are no providers, and no folder is no provider', async () => {
    write('notes.txt', 'x');
    expect(await read()).toEqual([]);
    expect(await readProviders(join(folder, 'none'), () => undefined)).toEqual([]);
  });

  test('a passphrase gives the same key for the same provider everywhere', async () => {
    write('a.yaml', `id: ${id}\nname: a\nkey: { passphrase_env: PHRASE }\n${rest}`);
    const [provider] = await read({ PHRASE: 'correct horse battery staple' });
    // Written down: were it to change, banks could not be opened any more.
    expect(Buffer.from(provider?.key ?? []).toString('hex')).toBe(
      'fdd94e3b57ab2ee7e2a912785e979250cbd865f3a62c16e790096e39a7da4a00',
    );
    expect(await deriveKey('correct horse battery staple', '00000000-0000-0000-0000-000000000000')).not.toEqual(provider?.key);
    await expect(read()).rejects.toMatchObject({
      code: 'config.bad_field',
      message: expect.stringMatching(/a\.yaml: key\.passphrase_env .*PHRASE/),
    });
  });

  test.each([
    ['id: 7', 'id'],
    ['id: not-a-uuid', 'id'],
    [`id: ${id}\ncolour: red`, 'colour'],
    [`id: ${id}\nkey: {}`, 'key'],
    [`id: ${id}\nkey: { file: north.key, passphrase_env: A }`, 'key'],
    [`id: ${id}\nkey: { file: none.key }`, 'key.file'],
    [`id: ${id}\nkey: { file: notes.txt }`, 'key.file'],
    [`id: ${id}\nprotections: []`, 'protections'],
    [`id: ${id}\nbank: { plugin: '' }`, 'bank.plugin'],
    [`id: ${id}\nenabled: maybe`, 'enabled'],
  ])('a file with `%s` is refused, naming file and %s', async (text, field) => {
    writeFileSync(join(folder, 'notes.txt'), 'no key', { mode: 0o600 });
    const given = text.split('\n').map((line) => line.split(':')[0]);
    const others = `name: n\nkey: { file: north.key }\n${rest}`.split('\n').filter((line) => !given.includes(line.split(':')[0]));
    write('bad.yaml', [text, ...others].join('\n'));
    await expect(read()).rejects.toMatchObject({ code: 'config.bad_field', details: { file: join(folder, 'bad.yaml'), field } });
  });

  test('one id twice is refused, naming both files', async () => {
    write('a.yaml', `id: ${id}\nname: a\nkey: { file: north.key }\n${rest}`);
    write('b.yaml', `id: '{${id}}'\nname: b\nkey: { file: north.key }\n${rest}`);
    await expect(read()).rejects.toMatchObject({
      code: 'config.duplicate_provider',
      message: expect.stringMatching(/a\.yaml.*b\.yaml/),
    });
  });

  test('a key or credentials file that others may read is refused', async () => {
    write(
      'a.yaml',
      `id: ${id}\nname: a\nkey: { file: north.key }\n${rest.replace('path: ../bank', 'credentials_file: s3.keys')}`,
    );
    chmodSync(join(folder, 'north.key'), 0o640);
    await expect(read()).rejects.toMatchObject({ code: 'config.open_secret', message: expect.stringContaining('north.key') });
    chmodSync(join(folder, 'north.key'), 0o400);
    writeFileSync(join(folder, 's3.keys'), 'x', { mode: 0o644 });
    await expect(read()).rejects.toMatchObject({ code: 'config.open_secret', message: expect.stringContaining('s3.keys') });
  });

  test('init writes a provider that can be read, and never overwrites', async () => {
    const dir = join(folder, 'new');
    const file = initProvider({ folder: dir, name: 'south', bank: { plugin: 's3', config: { bucket: 'karri' } } });
    const [provider] = await readProviders(dir, () => undefined);
    expect(provider).toMatchObject({ name: 'south', file, bank: { plugin: 's3', config: { bucket: 'karri' } } });
    expect(isUuidLike(provider?.id ?? '')).toBe(true);
    expect(statSync(join(dir, 'south.key')).mode & 0o777).toBe(0o600);
    const before = readFileSync(join(dir, 'south.key'), 'utf8');
    rmSync(file);
    for (const name of ['south', '../south', '.hidden', '']) {
      expect(() => initProvider({ folder: dir, name, bank: { plugin: 's3', config: {} } })).toThrow(
        expect.objectContaining({ code: name === 'south' ? 'config.provider_exists' : 'config.bad_name' }),
      );
    }
    expect(readFileSync(join(dir, 'south.key'), 'utf8')).toBe(before);
    expect(existsSync(file)).toBe(false);
  });

  test('a first start makes a default provider, a second one leaves it', async () => {
    const config = { stateDir: folder, providersDir: join(folder, 'providers.d') };
    const file = initDefaultProvider(config);
    expect(file).toBe(join(folder, 'providers.d/default.yaml'));
    expect(initDefaultProvider(config)).toBeUndefined();
    const [provider] = await readProviders(config.providersDir, () => undefined);
    expect(provider?.resolvePath(String(provider.bank.config['path']))).toBe(join(folder, 'bank'));
  });

  test('a provider is found by id, name or file name', async () => {
    write('file.yaml', `id: ${id}\nname: north\nkey: { file: north.key }\n${rest}`);
    const providers = await read();
    for (const wanted of [id, id.toUpperCase(), 'north', 'file']) expect(getProvider(providers, wanted)).toBe(providers[0]);
    expect(() => getProvider(providers, 'south')).toThrow(expect.objectContaining({ code: 'config.unknown_provider' }));
  });
});
