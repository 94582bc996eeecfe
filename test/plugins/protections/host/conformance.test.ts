import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../../../plugins/protections/host/index.ts';
import { type ProtectionScenario, protectionConformance } from '../../../../src/plugin/conformance/protection.ts';
import { makeFakeMover, measure } from '../../../kit/fake-mover.ts';
import { makeTestHost } from '../../../kit/host-volumes.ts';
import { testLaws } from '../../../kit/laws.ts';
import { pluginContext } from '../../../kit/plugin-context.ts';

const plugins = [
  { protection: hostDirectoryProtection, protectable: hostDirectoryProtectable, name: 'database' },
  { protection: hostBlockProtection, protectable: hostBlockProtectable, name: 'disk.img' },
];

for (const { protection, protectable, name } of plugins) {
  testLaws(
    `${protection.name} keeps the laws of a protection`,
    protectionConformance({
      plugin: protection,
      open: async (): Promise<ProtectionScenario> => {
        const host = await makeTestHost();
        const context = pluginContext([host.first, host.second]);
        const path = join(host.first, name);
        await fill(path, name);
        const mover = await makeFakeMover(host.folder);
        const volumes = await protectable.open({}, context);
        const request = { projectId: 'p', userId: 'u' };
        const [resource] = await volumes.list(request);
        return {
          protection: await protection.open({}, context),
          resource: resource!,
          mover,
          restoreParameters: { restore_path: join(host.second, `restored-${name}`) },
          listSnapshots: () => mover.listSnapshots(),
          findDigest: async (id) => {
            const extra = (await volumes.find(id, request))?.extra_info;
            return extra ? (await measure(join(String(extra['root']), String(extra['path'])))).digest : undefined;
          },
          listLeftovers: async () => {
            const known = [name, `restored-${name}`];
            return [...(await readdir(host.first)), ...(await readdir(host.second))].filter((entry) => !known.includes(entry));
          },
          failNextRestore: (fault) => mover.failNextRestore(fault),
          damage: (lines) => mover.damage(lines),
          copySnapshot: (snapshot) => mover.copySnapshot(snapshot),
          removeResource: () => rm(path, { recursive: true }),
          close: () => host.remove(),
        };
      },
    }),
  );
}

async function fill(path: string, name: string): Promise<void> {
  if (name.endsWith('.img')) return writeFile(path, 'a block volume'.repeat(1000), { mode: 0o640 });
  await mkdir(join(path, 'sub/empty'), { recursive: true });
  await writeFile(join(path, 'sub/file'), 'text', { mode: 0o600 });
  await symlink('sub/file', join(path, 'link'));
  await chmod(join(path, 'sub/empty'), 0o500);
}
