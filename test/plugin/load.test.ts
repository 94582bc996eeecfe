import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import { defineProtectionPlugin } from '../../src/plugin/define.ts';
import { loadPlugins } from '../../src/plugin/load.ts';

const plugin = defineProtectionPlugin({
  name: 'strange',
  schemas: {},
  configSchema: Type.Object({}),
  open: async () => ({ protect: {}, restore: {}, delete: {}, close: async () => undefined }),
});

async function refusal(name: string, module?: unknown): Promise<Fault> {
  const error = await loadPlugins([name], module === undefined ? undefined : async () => module).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Fault);
  expect(error).toMatchObject({ code: 'plugin.cannot_load', details: { package: name } });
  expect((error as Fault).message).toContain(name);
  return error as Fault;
}

describe('packages of strangers', () => {
  test('give their plugins in the order in which they are named', async () => {
    const other = { ...plugin, name: 'other' };
    const modules: Record<string, unknown> = { 'karri-a': { plugins: [plugin] }, '@scope/karri-b': { plugins: [other] } };
    expect(await loadPlugins(['karri-a', '@scope/karri-b'], async (name) => modules[name])).toEqual([plugin, other]);
  });

  test('are none when none is named', async () => {
    expect(await loadPlugins([])).toEqual([]);
  });

  test('that are not installed stop the start, with their name', async () => {
    expect((await refusal('karri-plugin-that-is-not-there')).message).toMatch(/Cannot find|Failed to load/);
  });

  test('that export no plugins are named too', async () => {
    expect((await refusal('karri/plugin')).message).toContain('no array `plugins`');
  });

  test.each([
    './here.ts',
    '../up',
    '/abs/olute.js',
    'file:///x.js',
    'data:text/javascript,0',
    'node:fs',
    '',
    'a/../../b',
    '@scope',
  ])('are not taken by path or URL: %j', async (name) => {
    expect((await refusal(name, { plugins: [plugin] })).message).toContain('no exact package name');
  });

  test.each([
    [{ plugins: [null] }, 'plugins[0] is no object'],
    [{ plugins: [plugin, { ...plugin, kind: 'filter' }] }, 'plugins[1] is of no known kind'],
    [{ plugins: [{ ...plugin, name: '' }] }, 'has no name'],
    [{ plugins: [{ ...plugin, open: undefined }] }, 'has no function open'],
    [{ plugins: [{ ...plugin, configSchema: undefined }] }, 'has no configSchema'],
    [{ plugins: [{ ...plugin, schemas: undefined }] }, 'has no schemas'],
    [{ plugins: [{ ...plugin, kind: 'protectable' }] }, 'names no type'],
  ])('are looked at before they are believed (%#)', async (module, why) => {
    expect((await refusal('karri-plugin-x', module)).message).toContain(why);
  });
});
