import {
  type CopyCall,
  type DeleteCall,
  defineProtectionPlugin,
  type Hooks,
  type Protection,
  type ProtectionPlugin,
  type ProtectionSchemas,
  type UndeleteCall,
  type VerifyCall,
  type VerifyReport,
} from 'karri/plugin';
import { Type } from 'typebox';
import { createHostVolumes, type HostType } from '../../protectables/host/volumes.ts';
import { readPercent } from './parameters.ts';
import { createProtectHooks } from './protect.ts';
import { createRestoreHooks } from './restore.ts';
import { keptLines, readSavedInfo, toSavedInfo } from './saved-info.ts';
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

  const verify: Hooks<VerifyCall, VerifyReport> = {
    main: async (call) => {
      const { snapshot, digest } = readSavedInfo(call.saved, kind, call.resource);
      const percent = readPercent(call.parameters);
      const { readBytes, damages } = await call.mover.verify(snapshot, { percent });
      return {
        percent,
        read_bytes: readBytes,
        // Every chunk was compared with its id, and the digest is made from the ids.
        digest: percent === 100 && damages.length === 0 ? digest : null,
        damages: damages.slice(0, keptLines),
        damage_count: damages.length,
      };
    },
  };

  const copy: Hooks<CopyCall> = {
    main: async (call) => {
      const { snapshot, name, format, mode } = readSavedInfo(call.saved, kind, call.resource);
      return toSavedInfo(await call.copySnapshot(snapshot), name, format, mode);
    },
    abandon: async (call) => {
      const copied = call.outcomes.main;
      if (copied !== undefined) await call.mover.forget(readSavedInfo(copied, kind, call.resource).snapshot);
    },
  };

  const forget: Hooks<DeleteCall> = {
    main: async (call) => {
      // A protect that failed early saved nothing, so there is nothing to delete.
      if (call.saved !== undefined) await call.mover.forget(readSavedInfo(call.saved, kind, call.resource).snapshot);
      return undefined;
    },
  };

  const undelete: Hooks<UndeleteCall> = {
    main: async (call) => {
      await call.mover.undelete(readSavedInfo(call.saved, kind, call.resource).snapshot);
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
        copy,
        delete: forget,
        undelete,
        snapshotOf: (saved, resource) => ({ snapshot: readSavedInfo(saved, kind, resource).snapshot, kind }),
        close: async () => undefined,
      };
    },
  });
}
