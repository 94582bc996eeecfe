import { expect, test } from 'vitest';
import { builtInPlugins } from '../../plugins/index.ts';
import { createRegistry } from '../../src/plugin/registry.ts';
import { pluginContext } from '../kit/plugin-context.ts';

test('the plugins that come with Karri fit together in one registry', () => {
  const registry = createRegistry(builtInPlugins);
  expect(registry.listProtectables().map(({ type }) => type)).toEqual(['Host::Directory', 'Host::Block']);
  expect(Object.keys(registry.getProtection('host-directory').schemas)).toEqual(['Host::Directory']);
  expect(Object.keys(registry.getProtection('host-block').schemas)).toEqual(['Host::Block']);
  expect(registry.getBank('filesystem').kind).toBe('bank');
  expect(registry.getBank('s3').kind).toBe('bank');
});

test('an operator who misspells a member of a host plugin is told which there are', async () => {
  const opening = createRegistry(builtInPlugins).getProtection('host-block').open({ mountpoints: [] }, pluginContext([]));
  await expect(opening).rejects.toMatchObject({
    code: 'plugin.bad_config',
    help: 'Allowed members: mount_points (optional).',
  });
});
