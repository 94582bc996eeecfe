import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { defineBankPlugin, defineProtectablePlugin, defineProtectionPlugin, type Plugin } from '../../src/plugin/define.ts';
import type { Protectable } from '../../src/plugin/protectable.ts';
import type { Protection } from '../../src/plugin/protection.ts';
import { createRegistry } from '../../src/plugin/registry.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { pluginContext } from '../kit/plugin-context.ts';

const context = pluginContext([]);
const nothing: Protectable = {
  list: async () => [],
  find: async () => undefined,
  listDependents: async () => [],
  close: async () => undefined,
};
const hooksOnly: Protection = { protect: {}, restore: {}, delete: {}, close: async () => undefined };

const bankSchema = Type.Object({
  endpoint: Type.String(),
  path_style: Type.Optional(Type.Boolean({ default: true })),
  mode: Type.Optional(Type.Union([Type.Literal('fast'), Type.Literal('safe')])),
  buckets: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
});

function bank(name = 'store', seen: unknown[] = []) {
  return defineBankPlugin({
    name,
    configSchema: bankSchema,
    listOwnFolders: (config) => [config.endpoint],
    open: async (config) => {
      seen.push(config);
      return createMemoryStore();
    },
  });
}

function protectable(name: string, type: string): Plugin {
  return defineProtectablePlugin({ name, type, parentTypes: [], configSchema: Type.Object({}), open: async () => nothing });
}

function protection(name: string): Plugin {
  return defineProtectionPlugin({ name, schemas: {}, configSchema: Type.Object({}), open: async () => hooksOnly });
}

function faultOf(task: () => unknown): Fault {
  try {
    task();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault came');
}

describe('a registry', () => {
  test('gives plugins by kind and name', () => {
    const registry = createRegistry([bank('same'), protection('same'), protectable('same', 'A::B')]);
    expect(registry.getBank('same').kind).toBe('bank');
    expect(registry.getProtection('same').kind).toBe('protection');
    expect(registry.listProtectables().map(({ type }) => type)).toEqual(['A::B']);
  });

  test('says which it knows when it is asked for another', () => {
    const registry = createRegistry([bank('s3'), bank('filesystem'), protection('host-block')]);
    expect(faultOf(() => registry.getBank('host-block'))).toMatchObject({ code: 'plugin.unknown', kind: 'invalid' });
    expect(faultOf(() => registry.getBank('tape')).help).toContain('filesystem, s3');
    expect(faultOf(() => registry.getProtection('constructor')).message).toContain('no protection plugin named constructor');
  });

  test.each([
    ['banks', [bank('one'), bank('one')], 'one'],
    ['protections', [protection('two'), protection('two')], 'two'],
    ['protectables by name', [protectable('three', 'A::B'), protectable('three', 'A::C')], 'three'],
    ['protectables by type', [protectable('four', 'A::B'), protectable('five', 'A::B')], 'A::B'],
  ])('refuses twins: %s', (_, plugins, named) => {
    const fault = faultOf(() => createRegistry(plugins));
    expect(fault.code).toBe('plugin.duplicate');
    expect(fault.message).toContain(named);
  });
});

describe('a configuration', () => {
  const open = async (config: unknown, seen: unknown[] = []): Promise<void> => {
    const store = await createRegistry([bank('store', seen)])
      .getBank('store')
      .open(config, context);
    await store.close();
  };
  const refusal = async (config: unknown): Promise<Fault> => {
    const error = await open(config).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ kind: 'invalid', code: 'plugin.bad_config' });
    return error as Fault;
  };

  test('reaches the plugin with its defaults, and the caller keeps what it had', async () => {
    const seen: unknown[] = [];
    const config = { endpoint: 'http://store' };
    await open(config, seen);
    expect(seen).toEqual([{ endpoint: 'http://store', path_style: true }]);
    expect(config).toEqual({ endpoint: 'http://store' });
  });

  test('may be absent where nothing is required', async () => {
    const opened = await createRegistry([protection('p')])
      .getProtection('p')
      .open(undefined, context);
    expect(opened).toBe(hooksOnly);
  });

  test.each([
    [
      'an unknown member',
      { endpoint: 'e', endpont: 'x' },
      /bank plugin store.*endpont is no member/,
      /endpoint, path_style \(optional\)/,
    ],
    [
      'an unknown member further down',
      { endpoint: 'e', buckets: [{ name: 'n', size: 1 }] },
      /buckets\.0\.size is no member/,
      /Allowed members: name\./,
    ],
    ['a missing member', {}, /endpoint is missing/, /endpoint/],
    ['a wrong type', { endpoint: 7 }, /endpoint must be string/, /string/],
    ['a value that is not among the allowed', { endpoint: 'e', mode: 'slow' }, /mode must be one of "fast", "safe"/, /fast/],
    ['no object at all', 'text', /the whole must be object/, /endpoint/],
    ['null in a member', { endpoint: null }, /endpoint must be string/, /string/],
  ])('is refused for %s', async (_, config, message, help) => {
    const fault = await refusal(config);
    expect(fault.message).toMatch(message);
    expect(fault.help).toMatch(help);
    expect(fault.details['plugin']).toBe('store');
  });

  test('is checked before a bank is asked for its folders', () => {
    const checked = createRegistry([bank()]).getBank('store');
    expect(checked.listOwnFolders?.({ endpoint: '/srv' }, context)).toEqual(['/srv']);
    expect(faultOf(() => checked.listOwnFolders?.({}, context)).code).toBe('plugin.bad_config');
  });
});
