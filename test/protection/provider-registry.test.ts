import { tmpdir } from 'node:os';
import Type from 'typebox';
import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { Plugin } from '../../src/plugin/define.ts';
import { createRegistry } from '../../src/plugin/registry.ts';
import { openProviderRegistry, type ProviderDefinition } from '../../src/protection/provider-registry.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { pluginContext } from '../kit/plugin-context.ts';

const memory: Plugin = {
  kind: 'bank',
  name: 'memory',
  configSchema: Type.Object({}),
  open: () => Promise.resolve(createMemoryStore()),
};

function define(id: string): ProviderDefinition {
  const bank = { plugin: 'memory', config: {} };
  return { id, name: id, description: '', bank, key: Buffer.alloc(32), protections: [], context: pluginContext([]) };
}

test('the bytes of all banks go through one throttle', async () => {
  const seen: [string, number][] = [];
  const providers = await openProviderRegistry([define('north'), define('south')], {
    registry: createRegistry([memory]),
    log: silentLog,
    threads: 1,
    scratchFolder: tmpdir(),
    throttle: {
      upload: async (bytes) => void seen.push(['up', bytes]),
      download: async (bytes) => void seen.push(['down', bytes]),
    },
  });
  await providers.get('north').bank.put('a', Buffer.alloc(5));
  await providers.get('south').bank.put('a', Buffer.alloc(7));
  await providers.get('south').bank.get('a', { range: { offset: 0, length: 3 } });
  await providers.close();
  expect(seen).toEqual([
    ['up', 5],
    ['up', 7],
    ['down', 3],
  ]);
});
