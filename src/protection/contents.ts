import { Fault } from '../base/faults.ts';
import { canonicalUuid, isUuidLike } from '../base/ids.ts';
import type { Caller } from '../model/caller.ts';
import type { Checkpoint, CheckpointResource } from '../model/checkpoint.ts';
import type { ContentsEntry } from '../model/contents.ts';
import type { Snapshot } from '../plugin/protection.ts';
import type { Repository, StoredBytes, TreeEntry } from '../repository/contract.ts';
import type { ContentsBytes, ContentsOf, ContentsService } from './contract.ts';
import type { ProtectionDeps } from './deps.ts';
import { fromPathText, toPathText } from './path-text.ts';
import { getProtection } from './protect.ts';
import { writeTar } from './tar.ts';
import { getVisibleCheckpoint } from './visible.ts';

/** What a checkpoint holds, looked into where it lies. */
export function createContentsService(deps: ProtectionDeps): ContentsService {
  const open = async (caller: Caller, of: ContentsOf, kind: Snapshot['kind']): Promise<Opened> => {
    const { checkpoint } = await getVisibleCheckpoint(deps, caller, of.providerId, of.checkpointId);
    const resource = findResource(checkpoint, of);
    if (resource.saved === undefined || !isReadable(checkpoint, resource)) throw notReadable(checkpoint, resource);
    const provider = deps.providers.get(of.providerId);
    const { type, id, name } = resource;
    const snapshot = getProtection(provider, type).snapshotOf?.(resource.saved, { type, id, name, extra_info: null });
    if (snapshot === undefined) {
      throw new Fault('unsupported', 'contents.closed', `What a checkpoint holds of a ${type} cannot be looked into.`, {
        help: 'Restore it instead.',
      });
    }
    if (snapshot.kind !== kind) throw otherKind(resource, snapshot.kind);
    return { name, snapshot: snapshot.snapshot, repository: await provider.repository(checkpoint.projectId, { create: false }) };
  };

  return {
    async list(caller, of, { path, recursive, marker, limit }, signal) {
      const { repository, snapshot } = await open(caller, of, 'tree');
      const startAfter = marker === undefined ? {} : { startAfter: fromPathText(marker) };
      const query = { folder: fromPathText(path), recursive, limit, ...startAfter };
      return (await repository.listTree(snapshot, query, { signal })).map(toContentsEntry);
    },

    async getFile(caller, of, path, signal) {
      const { repository, snapshot } = await open(caller, of, 'tree');
      const bytes = fromPathText(path);
      return asContents(lastName(bytes), await repository.getFile(snapshot, bytes, { signal }));
    },

    async getVolume(caller, of, signal) {
      const { repository, snapshot, name } = await open(caller, of, 'volume');
      return asContents(name, await repository.getVolume(snapshot, { signal }));
    },

    async getArchive(caller, of, path, signal) {
      const { repository, snapshot, name } = await open(caller, of, 'tree');
      const folder = fromPathText(path);
      return {
        name: `${folder.length === 0 ? name : lastName(folder)}.tar`,
        bytes: writeTar(repository.readTree(snapshot, folder, { signal }), folder),
      };
    },
  };
}

interface Opened {
  /** Of the resource. */
  readonly name: string;
  readonly snapshot: string;
  readonly repository: Repository;
}

/** @throws {Fault} not-found `contents.unknown_resource`, invalid `contents.ambiguous_resource` */
function findResource({ id, resources }: Checkpoint, { resourceId, type }: ContentsOf): CheckpointResource {
  const spell = (text: string): string => (isUuidLike(text) ? canonicalUuid(text) : text);
  const found = resources.filter((each) => spell(each.id) === spell(resourceId) && (type === undefined || each.type === type));
  const [resource, other] = found;
  if (resource === undefined) {
    throw new Fault('not-found', 'contents.unknown_resource', `Checkpoint ${id} holds no resource ${resourceId}.`, {
      help: 'Show the checkpoint: its resources are listed there.',
    });
  }
  if (other === undefined) return resource;
  const types = found.map((each) => each.type).join(', ');
  throw new Fault('invalid', 'contents.ambiguous_resource', `Checkpoint ${id} holds several resources ${resourceId}: ${types}.`, {
    help: 'Say which type is meant.',
  });
}

/** A checkpoint that failed may hold some of its resources all the same. */
function isReadable({ status }: Checkpoint, resource: CheckpointResource): boolean {
  return status === 'available' || (status === 'error' && resource.status === 'available');
}

function notReadable({ id, status }: Checkpoint, { type, id: resourceId }: CheckpointResource): Fault {
  const message =
    status === 'available' || status === 'error'
      ? `Checkpoint ${id} holds nothing of ${type} ${resourceId}.`
      : `Checkpoint ${id} is ${status}; only an available one can be looked into.`;
  return new Fault('invalid', 'contents.not_available', message);
}

function otherKind({ type, id }: CheckpointResource, kind: Snapshot['kind']): Fault {
  return kind === 'volume'
    ? new Fault('invalid', 'contents.no_directory', `${type} ${id} is a volume: it has bytes, but no files.`, {
        help: 'Read it with `raw`.',
      })
    : new Fault('invalid', 'contents.no_volume', `${type} ${id} is a directory: it has files, but no bytes of its own.`, {
        help: 'Read it with `entries`, `file` or `tar`.',
      });
}

function asContents(name: string, { sizeBytes, contentId, read }: StoredBytes): ContentsBytes {
  return { name, sizeBytes, contentId, read: (range, signal) => read(range, { signal }) };
}

const entryTypes: Readonly<Record<TreeEntry['type'], ContentsEntry['type']>> = {
  file: 'file',
  folder: 'directory',
  symlink: 'symlink',
  hardlink: 'hardlink',
  fifo: 'fifo',
  character: 'character_device',
  block: 'block_device',
};

function toContentsEntry({ path, type, sizeBytes, mode, uid, gid, mtimeNs, target }: TreeEntry): ContentsEntry {
  return {
    name: lastName(path),
    path: toPathText(path),
    type: entryTypes[type],
    sizeBytes,
    attributes: type === 'hardlink' ? null : { mode, uid, gid, mtimeNs },
    target: target.length === 0 ? null : toPathText(target),
  };
}

function lastName(path: Buffer): string {
  return toPathText(path.subarray(path.lastIndexOf('/') + 1));
}
