import { open, stat } from 'node:fs/promises';
import { Fault, type Hooks, type Json, type ProtectCall } from 'karri/plugin';
import type { HostType, HostVolumes } from '../../protectables/host/volumes.ts';
import { fileFault } from './file-fault.ts';
import { type BitmapOptions, protectContents } from './guest-contents.ts';
import { type Parameters, readChoice, readCount, readName, readPatterns } from './parameters.ts';
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
  const mode = stats.isFile() ? stats.mode & 0o777 : null;
  const format = await findFormat(path);
  const { contents, bitmap } = readContents(call.parameters);
  if (format === 'qcow2' && contents) {
    const written = await protectContents(call, path, bitmap);
    // Restored it is a raw image, and what the guest wrote must never be taken for the header of a qcow2.
    return toSavedInfo(written, name.replace(/\.qcow2$/, '.img'), 'raw', mode);
  }
  return toSavedInfo(await call.mover.writeVolume({ path }), name, format, mode);
}

function readContents(parameters: Parameters): { readonly contents: boolean; readonly bitmap: BitmapOptions | undefined } {
  const contents = readChoice(parameters, 'qcow2', ['file', 'contents']) === 'contents';
  const name = readName(parameters, 'bitmap');
  const fullReadEvery = readCount(parameters, 'full_read_every', 10);
  if (name !== undefined && !contents) {
    throw new Fault('invalid', 'host.bad_parameter', 'The parameter bitmap is of use only with qcow2: contents.', {
      details: { parameter: 'bitmap' },
    });
  }
  return { contents, bitmap: name === undefined ? undefined : { name, fullReadEvery } };
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
