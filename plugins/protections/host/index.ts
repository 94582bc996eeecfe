import {
  type DeleteCall,
  defineProtectionPlugin,
  Fault,
  type Hooks,
  type Protection,
  type ProtectionPlugin,
  type ProtectionSchemas,
  type Resource,
  type VerifyCall,
} from 'karri/plugin';
import { Type } from 'typebox';
import { createHostVolumes, type HostType } from '../../protectables/host/volumes.ts';
import { readPercent } from './parameters.ts';
import { createProtectHooks } from './protect.ts';
import { createRestoreHooks } from './restore.ts';
import { readSavedInfo } from './saved-info.ts';
import { blockSchemas, directorySchemas } from './schemas.ts';

const configSchema = Type.Object({
  mount_points: Type.Optional(
    Type.Array(Type.String({ pattern: '^/' }), {
      description: 'Absolute paths of existing folders at which a restore may mount what it made.',
    }),
  ),
});

export const hostDirectoryProtection = defineHostProtection('host-directory', 'Host::Directory', directorySchemas);
export const hostBlockProtection = defineHostProtection('host-block', 'Host::Block', blockSchemas);

function defineHostProtection(name: string, type: HostType, schemas: ProtectionSchemas): ProtectionPlugin<typeof configSchema> {
  const kind = type === 'Host::Directory' ? 'tree' : 'volume';

  const verify: Hooks<VerifyCall> = {
    main: async (call) => {
      const { snapshot } = readSavedInfo(call.saved, kind, call.resource);
      const percent = readPercent(call.parameters);
      const { readBytes, checkedBlobs, damages } = await call.mover.verify(snapshot, { percent });
      const [first] = damages;
      if (first !== undefined) throw damaged(call.resource, first, damages.length);
      return { percent, read_bytes: readBytes, checked_blobs: checkedBlobs };
    },
  };

  const forget: Hooks<DeleteCall> = {
    main: async (call) => {
      // A protect that failed early saved nothing, so there is nothing to delete.
      if (call.saved !== undefined) await call.mover.forget(readSavedInfo(call.saved, kind, call.resource).snapshot);
      return undefined;
    },
  };

  return defineProtectionPlugin({
    name,
    schemas: { [type]: schemas },
    configSchema,
    open: async (config, context): Promise<Protection> => {
      const volumes = createHostVolumes(type, context);
      return {
        protect: createProtectHooks(type, volumes),
        restore: createRestoreHooks({ type, volumes, mountPoints: config.mount_points ?? [] }),
        verify,
        delete: forget,
        snapshotOf: (saved, resource) => ({ snapshot: readSavedInfo(saved, kind, resource).snapshot, kind }),
        close: async () => undefined,
      };
    },
  });
}

function damaged({ type, id, name }: Resource, first: string, count: number): Fault {
  const others = count > 1 ? `; ${count} damages in all` : '';
  return new Fault(
    'corrupt',
    'host.verify_damaged',
    `What the bank holds of ${name} (${type} ${id}) is damaged: ${first}${others}.`,
    {
      details: { damages: count },
      help: 'Take a new checkpoint now, and see to the bank; other checkpoints may share the damaged bytes.',
    },
  );
}
