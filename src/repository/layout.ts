import { Fault } from '../base/faults.ts';

/**
 * Where things lie, seen from the repository's root:
 *
 *     keys/<key-id>/<slot-id>          a root key, wrapped by the provider's key
 *     keys/destroyed                   the root keys were destroyed on purpose: nobody makes a new one here
 *     packs/<aa>/<pack-id>             sealed blocks of chunks; <aa> = first two digits, so that no folder of a file bank grows without bound
 *     indexes/<index-id>               which chunk lies in which pack
 *     snapshots/<subject>/<id>         one protect of one subject
 *     forgotten/<subject>/<id>         a snapshot that was forgotten and can be had back for a while
 *     gc/<generation>-<random>         what one garbage collection found; both 8 hex digits
 *     bad/<pack-id>                    this pack was found damaged: nobody stores less because of what lies in it
 *
 * All other ids are 32 lower-case hex digits. Objects are written once and never changed.
 */
export const keysPrefix = 'keys/';
export const packsPrefix = 'packs/';
export const indexesPrefix = 'indexes/';
export const snapshotsPrefix = 'snapshots/';
export const forgottenPrefix = 'forgotten/';
export const gcPrefix = 'gc/';
export const badPrefix = 'bad/';

/** No slot has that name, so older readers pass over it. */
export const destroyedKey = `${keysPrefix}destroyed`;

export function slotKey(keyId: string, slotId: string): string {
  return `${keysPrefix}${keyId}/${slotId}`;
}

export function packKey(packId: string): string {
  return `${packsPrefix}${packId.slice(0, 2)}/${packId}`;
}

export function indexKey(indexId: string): string {
  return `${indexesPrefix}${indexId}`;
}

export function snapshotKey(snapshotId: string): string {
  const [subject, id] = splitSnapshotId(snapshotId);
  return `${snapshotsPrefix}${subject}/${id}`;
}

export function forgottenKey(snapshotId: string): string {
  const [subject, id] = splitSnapshotId(snapshotId);
  return `${forgottenPrefix}${subject}/${id}`;
}

export function gcKey(name: string): string {
  return `${gcPrefix}${name}`;
}

export function badKey(packId: string): string {
  return `${badPrefix}${packId}`;
}

const idPattern = /^[0-9a-f]{32}$/;

/** The last part of the key when it is an id; undefined for a stranger's object, which nobody touches. */
export function findId(key: string): string | undefined {
  const id = key.slice(key.lastIndexOf('/') + 1);
  return idPattern.test(id) ? id : undefined;
}

/** `packs/<aa>/<pack-id>` → the id; undefined for a stranger's object. */
export function findPackId(key: string): string | undefined {
  const id = findId(key);
  return id !== undefined && key === packKey(id) ? id : undefined;
}

/** `gc/<generation>-<random>` → what follows the slash, and the generation; undefined for a stranger's object. */
export function findGcName(key: string): { readonly name: string; readonly generation: number } | undefined {
  const name = key.slice(gcPrefix.length);
  return /^[0-9a-f]{8}-[0-9a-f]{8}$/.test(name) ? { name, generation: Number.parseInt(name.slice(0, 8), 16) } : undefined;
}

/** `snapshots/<subject>/<id>` or `forgotten/<subject>/<id>` → `<subject>-<id>`; undefined for a stranger's object. */
export function findSnapshotId(key: string): string | undefined {
  const [, subject, id, ...more] = key.split('/');
  if (subject === undefined || id === undefined || more.length > 0) return undefined;
  return idPattern.test(subject) && idPattern.test(id) ? `${subject}-${id}` : undefined;
}

/** `keys/<key-id>/<slot-id>` → both; undefined for a stranger's object. */
export function findSlot(key: string): { readonly keyId: string; readonly slotId: string } | undefined {
  const [keyId, slotId, ...more] = key.slice(keysPrefix.length).split('/');
  if (keyId === undefined || slotId === undefined || more.length > 0) return undefined;
  return idPattern.test(keyId) && idPattern.test(slotId) ? { keyId, slotId } : undefined;
}

/** @throws {Fault} `repository.snapshot_absent` when the text cannot name a snapshot */
function splitSnapshotId(snapshotId: string): [subject: string, id: string] {
  const [subject, id, ...more] = snapshotId.split('-');
  if (subject === undefined || id === undefined || more.length > 0 || !idPattern.test(subject) || !idPattern.test(id)) {
    throw new Fault('not-found', 'repository.snapshot_absent', `"${snapshotId}" is not the name of a snapshot.`);
  }
  return [subject, id];
}
