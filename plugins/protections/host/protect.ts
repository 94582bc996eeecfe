import { open, stat } from 'node:fs/promises';
import type { Hooks, Json, ProtectCall } from 'karri/plugin';
import type { HostType, HostVolumes } from '../../protectables/host/volumes.ts';
import { fileFault } from './file-fault.ts';
import { readPatterns } from './parameters.ts';
import { type SavedInfo, toSavedInfo } from './saved-info.ts';

export function createProtectHooks(type: HostType, volumes: HostVolumes): Hooks<ProtectCall> {
  return {
    main: async (call) => {
      const volume = await volumes.get(call.resource.id, call.resource.name);
      try {
        return type === 'Host::Directory'
          ? await protectTree(call, volume.path, volume.name)
          : await protectImage(call, volume.path, volume.name);
      } catch (error) {
        throw fileFault(error, volume.path);
      }
    },
  };
}

async function protectTree(call: ProtectCall, path: string, name: string): Promise<Json> {
  const include = readPatterns(call.parameters, 'include');
  const exclude = readPatterns(call.parameters, 'exclude');
  const written = await call.mover.writeTree({ path, ...(include && { include }), ...(exclude && { exclude }) });
  return toSavedInfo(written, name, 'tree', null);
}

async function protectImage(call: ProtectCall, path: string, name: string): Promise<Json> {
  const stats = await stat(path);
  const format = await findFormat(path);
  const written = await call.mover.writeVolume({ path });
  return toSavedInfo(written, name, format, stats.isFile() ? stats.mode & 0o777 : null);
}

/** By content, not by name: an image that is called `*.img` may well be a qcow2. */
async function findFormat(path: string): Promise<SavedInfo['format']> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString('latin1') === 'QFI\xfb' ? 'qcow2' : 'raw';
  } finally {
    await file.close();
  }
}
