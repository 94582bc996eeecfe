import type { Stats } from 'node:fs';
import { chmod, readdir, stat } from 'node:fs/promises';
import { Fault, type Hooks, isFault, type Json, type RestoreCall, type Restored } from 'karri/plugin';
import { findDeviceSize } from '../../protectables/host/device-size.ts';
import { hasCode } from '../../protectables/host/paths.ts';
import type { HostType, HostVolumes } from '../../protectables/host/volumes.ts';
import { fileFault } from './file-fault.ts';
import { checkMount, mountVolume } from './mounts.ts';
import { readText } from './parameters.ts';
import { keptLines, readSavedInfo } from './saved-info.ts';
import { createStaging, type Staging, targetExists } from './staging.ts';
import { chooseTarget, type Target } from './target.ts';

export interface HostRestoreOptions {
  readonly type: HostType;
  readonly volumes: HostVolumes;
  /** Absolute paths at which a restore may mount what it made. */
  readonly mountPoints: readonly string[];
}

export function createRestoreHooks(options: HostRestoreOptions): Hooks<RestoreCall> {
  const { type, volumes, mountPoints } = options;
  const kind = type === 'Host::Directory' ? 'tree' : 'volume';

  const openCall = async (call: RestoreCall) => {
    const saved = readSavedInfo(call.saved, kind, call.resource);
    const target = await chooseTarget(type, saved, call.parameters, volumes);
    return {
      saved,
      target,
      staging: createStaging<Restored>(target, subjectOf(call)),
      mountPoint: readText(call.parameters, 'mount_point'),
    };
  };

  const main = async (call: RestoreCall): Promise<Json> => {
    refuseOtherCloud(call);
    const { saved, target, staging, mountPoint } = await openCall(call);
    if (mountPoint !== undefined) await checkMount(mountPoint, mountPoints, saved.format);
    try {
      let result = await staging.findResult();
      if (result === undefined) {
        const standing = await findStanding(target.path);
        if (kind === 'tree') await refuseFolder(standing, target);
        else if (standing !== undefined) {
          await refuseImage(standing, target, saved.size_bytes);
          // Its bytes are rewritten where they are: devices and files that something has open keep their identity.
          result = await call.mover.restoreVolume(saved.snapshot, { path: target.path, overwrite: true });
          await call.made(target.id);
          return outcomeOf(target, result);
        }
        result = await restoreBeside(call, saved, staging);
      }
      await staging.putInPlace();
      await call.made(target.id);
      return outcomeOf(target, result);
    } catch (error) {
      throw fileFault(error, target.path);
    }
  };

  const restoreBeside = async (
    call: RestoreCall,
    saved: ReturnType<typeof readSavedInfo>,
    staging: Staging<Restored>,
  ): Promise<Restored> => {
    const path = await staging.begin();
    const result =
      kind === 'tree'
        ? await call.mover.restoreTree(saved.snapshot, { path })
        : await call.mover.restoreVolume(saved.snapshot, { path });
    if (saved.mode !== null) await chmod(path, saved.mode);
    await staging.keepResult(path, result);
    return result;
  };

  return {
    main,
    complete: async (call) => {
      const { target, staging, mountPoint } = await openCall(call);
      try {
        if (mountPoint !== undefined) await mountVolume(type, target.path, mountPoint);
        await staging.discard();
      } catch (error) {
        throw fileFault(error, target.path);
      }
      return undefined;
    },
    abandon: async (call) => {
      const opened = await openCall(call).catch((error: unknown) => {
        // A restore whose target cannot be chosen was refused before it touched anything.
        if (isFault(error)) return undefined;
        throw error;
      });
      await opened?.staging.discard();
    },
  };
}

/** The same in every hook and every retry of one operation on one resource; step numbers differ between hooks. */
function subjectOf(call: RestoreCall): string {
  const operation = call.stepId.split('/')[0] ?? call.stepId;
  return `${operation} ${call.resource.type}#${call.resource.id}`;
}

function refuseOtherCloud(call: RestoreCall): void {
  if (call.restoreTarget === null) return;
  throw new Fault('unsupported', 'host.restore_target', `Volumes of a host cannot be restored to ${call.restoreTarget}.`, {
    help: 'Ask the Karri service of the host that shall have them, without restore_target; it sees the same checkpoints.',
  });
}

async function findStanding(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
}

async function refuseFolder(standing: Stats | undefined, target: Target): Promise<void> {
  if (standing === undefined) return;
  if (!standing.isDirectory()) throw wrongStanding(target.path, 'is no folder, and a folder cannot take its place');
  if (!target.overwrite && (await readdir(target.path)).length > 0) throw targetExists(target.path);
}

async function refuseImage(standing: Stats, target: Target, sizeBytes: number): Promise<void> {
  if (!standing.isFile() && !standing.isBlockDevice()) throw wrongStanding(target.path, 'is neither a file nor a block device');
  if (!target.overwrite) throw targetExists(target.path);
  const roomBytes = standing.isFile() ? standing.size : await findDeviceSize(BigInt(standing.rdev));
  // Where the platform does not tell a device's size, the mover refuses one that is too small.
  if (roomBytes === null || roomBytes >= sizeBytes) return;
  throw new Fault('conflict', 'host.target_too_small', `${target.path} has ${roomBytes} bytes; the volume has ${sizeBytes}.`, {
    details: { path: target.path, room_bytes: roomBytes, size_bytes: sizeBytes },
    help: 'Give it more room, or restore under another name.',
  });
}

function wrongStanding(path: string, what: string): Fault {
  return new Fault('conflict', 'host.wrong_target', `${path} ${what}.`, { help: 'Move it away, or restore under another name.' });
}

function outcomeOf(target: Target, restored: Restored): Json {
  return {
    id: target.id,
    path: target.path,
    size_bytes: restored.sizeBytes,
    digest: restored.digest,
    files: restored.files ?? null,
    warnings: restored.warnings.slice(0, keptLines),
    warning_count: restored.warnings.length,
  };
}
