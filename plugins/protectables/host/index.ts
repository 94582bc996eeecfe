import { defineProtectablePlugin, type Protectable, type ProtectablePlugin, type Resource, throwIfAborted } from 'karri/plugin';
import { Type } from 'typebox';
import { createHostVolumes, type HostType, type HostVolume } from './volumes.ts';

const configSchema = Type.Object({});

/** Folders of the host Karri runs on. Volumes of the host belong to no project: whoever may use Karri here may protect them. */
export const hostDirectoryProtectable = defineHostProtectable('Host::Directory', 'host-directory');

/** Image files of the host Karri runs on, and block devices that the operator names. */
export const hostBlockProtectable = defineHostProtectable('Host::Block', 'host-block');

function defineHostProtectable(type: HostType, name: string): ProtectablePlugin<typeof configSchema> {
  return defineProtectablePlugin({
    name,
    type,
    parentTypes: [],
    configSchema,
    open: async (_config, context): Promise<Protectable> => {
      const volumes = createHostVolumes(type, context);
      return {
        list: async ({ signal }) => {
          throwIfAborted(signal);
          return (await volumes.list()).map(toResource);
        },
        find: async (id, { signal }) => {
          throwIfAborted(signal);
          const volume = await volumes.find(id);
          return volume === undefined ? undefined : toResource(volume);
        },
        listDependents: async () => [],
        close: async () => undefined,
      };
    },
  });
}

function toResource(volume: HostVolume): Resource {
  return {
    type: volume.type,
    id: volume.id,
    name: volume.name,
    extra_info: {
      root: volume.root,
      path: volume.shownPath,
      ...(volume.sizeBytes === null ? {} : { size_bytes: volume.sizeBytes }),
    },
  };
}
