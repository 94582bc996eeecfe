import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { protectableConformance } from '../../../../src/plugin/conformance/protectable.ts';
import { makeTestHost } from '../../../kit/host-volumes.ts';
import { testLaws } from '../../../kit/laws.ts';
import { pluginContext } from '../../../kit/plugin-context.ts';

const host = await makeTestHost();
afterAll(() => host.remove());
for (const root of [host.first, host.second]) {
  await mkdir(join(root, 'data'));
  await mkdir(join(root, 'wörter und mehr'));
  await writeFile(join(root, 'disk.img'), 'bytes');
  await writeFile(join(root, 'disk.qcow2'), 'bytes');
}

for (const plugin of [hostDirectoryProtectable, hostBlockProtectable]) {
  testLaws(
    `${plugin.type} keeps the laws of a protectable`,
    protectableConformance({
      plugin,
      open: () => plugin.open({}, pluginContext([host.first, host.second])),
      request: { projectId: 'p', userId: 'u' },
    }),
  );
}
