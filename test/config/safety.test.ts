import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/read.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'karri-safety-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (settings: Record<string, string>) =>
  readConfig(
    {},
    { KARRI_STATE_DIR: folder, ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`KARRI_${key}`, value])) },
  );
const keystone = { AUTH: 'keystone', KEYSTONE_URL: 'https://identity.example.test:5000/v3' };

describe('a start is refused', () => {
  test.each<[Record<string, string>, string, string]>([
    [{ AUTH: 'noauth', HOST: '0.0.0.0' }, 'config.unsafe_noauth', 'KARRI_HOST is 0.0.0.0'],
    [{ AUTH: 'noauth', HOST: '0.0.0.0', TLS: 'proxy' }, 'config.unsafe_noauth', 'KARRI_HOST is 0.0.0.0'],
    [{ AUTH: 'noauth', TLS: 'proxy' }, 'config.unsafe_noauth', 'KARRI_TLS is proxy'],
    [{ AUTH: 'token', HOST: '10.0.0.1' }, 'config.unsafe_plain', 'KARRI_HOST is 10.0.0.1'],
    [{ ...keystone, HOST: '::' }, 'config.unsafe_plain', 'KARRI_HOST is ::'],
    [{ AUTH: 'keystone' }, 'config.incomplete_keystone', 'KARRI_KEYSTONE_URL'],
    [{ ...keystone, KEYSTONE_USER: 'karri' }, 'config.incomplete_keystone', 'KARRI_KEYSTONE_PASSWORD'],
    [{ ...keystone, KEYSTONE_PASSWORD: 'canary' }, 'config.incomplete_keystone', 'KARRI_KEYSTONE_USER'],
    [{ AUTH: 'oauth' }, 'config.bad_value', 'noauth, token, keystone'],
    [{ ...keystone, KEYSTONE_URL: 'ldap://x' }, 'config.bad_value', 'http:// or https://'],
    [{ ...keystone, KEYSTONE_URL: 'https://me:canary@x/v3' }, 'config.bad_value', 'http:// or https://'],
    [{ POLICY_FILE: join('none', 'policy.yaml') }, 'config.no_file', 'policy.yaml'],
  ])('with %o: %s', (settings, code, part) => {
    expect(() => read(settings)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(part) }));
    if (code !== 'config.bad_value') expect(() => read(settings)).not.toThrow(/canary/);
  });
});

describe('a start is allowed', () => {
  test.each<[Record<string, string>]>([
    [{ AUTH: 'noauth' }],
    [{ AUTH: 'token' }],
    [{ AUTH: 'token', HOST: '0.0.0.0', TLS: 'proxy' }],
    [keystone],
    [{ ...keystone, HOST: '10.0.0.1', TLS: 'proxy', KEYSTONE_USER: 'karri', KEYSTONE_PASSWORD: 'x' }],
  ])('with %o', (settings) => {
    expect(read(settings).auth).toBe(settings['AUTH']);
  });
});

describe('the policy file', () => {
  test('is read where it is there, and says rules by name', () => {
    expect(read({}).policy).toEqual({});
    writeFileSync(join(folder, 'policy.yaml'), "'plan:create': 'role:planner'\n");
    expect(read({}).policy).toEqual({ 'plan:create': 'role:planner' });
  });

  test.each([
    ["'plan:create': ['@']", 'config.bad_field'],
    ['- plan:create', 'config.bad_field'],
    ["'plan:create': '@'\n'plan:create': '!'", 'config.bad_yaml'],
  ])('with %s is refused', (text, code) => {
    writeFileSync(join(folder, 'other.yaml'), text);
    expect(() => read({ POLICY_FILE: join(folder, 'other.yaml') })).toThrow(expect.objectContaining({ code }));
  });
});
