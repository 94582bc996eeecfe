import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Fault } from '../../base/faults.ts';
import { codecRaw, codecZstd, compress, decompress } from './compression.ts';

/** One root key of a repository with what is derived from it once. */
export interface RootKey {
  /** 32 hex digits. */
  readonly id: string;
  readonly secret: Buffer;
}

const nonceBytes = 12;
export const tagBytes = 16;

export function deriveKey(root: RootKey, use: 'chunk id' | 'subject' | 'owner' | 'local cache'): Buffer {
  return Buffer.from(hkdfSync('sha256', root.secret, new Uint8Array(0), `karri ${use}`, 32));
}

export function derivePackKey(root: RootKey, packId: string): Buffer {
  return Buffer.from(hkdfSync('sha256', root.secret, Buffer.from(packId, 'hex'), 'karri pack', 32));
}

export function randomId(): string {
  return randomBytes(16).toString('hex');
}

/** Which folder a subject's snapshots lie in; tells an onlooker nothing about the subject. */
export function subjectHash(root: RootKey, subject: string): string {
  return createHmac('sha256', deriveKey(root, 'subject')).update(subject).digest('hex').slice(0, 32);
}

/** Ten digits that the names of all snapshots of an owner have; tell an onlooker nothing about the owner. */
export function ownerHash(root: RootKey, owner: string): string {
  return createHmac('sha256', deriveKey(root, 'owner')).update(owner).digest('hex').slice(0, 10);
}

/** Length-prefixed parts, so that no two lists of parts give the same bytes. */
export function joinParts(...parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part;
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

export function seal(key: Buffer, nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array): { sealed: Buffer; tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associated);
  const sealed = cipher.update(plain);
  cipher.final();
  return { sealed, tag: cipher.getAuthTag() };
}

/** Undefined when the tag does not fit. */
export function open(
  key: Buffer,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
  tag: Uint8Array,
): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(associated);
  decipher.setAuthTag(tag);
  const plain = decipher.update(sealed);
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

/**
 * Sealed objects (indexes, snapshots, documents); FORMAT.md, "Sealed objects":
 *
 *     0   8  "KARRIOBJ"        16  16  root key id
 *     8   1  version 1         32  12  nonce
 *     9   1  codec             44   n  ciphertext
 *     10  2  zero              44+n 16 tag
 *     12  4  raw length
 */
const objectMagic = Buffer.from('KARRIOBJ');
const objectHeaderBytes = 44;
export const maxObjectBytes = 64 * 1024 * 1024;

export type ObjectKind = 'index' | 'snapshot' | 'gc' | 'bad' | `document:${string}`;

export function sealObject(root: RootKey, projectId: string, kind: ObjectKind, name: string, plain: Uint8Array): Buffer {
  if (plain.length > maxObjectBytes - objectHeaderBytes - tagBytes) {
    throw new Fault(
      'unsupported',
      'repository.object_too_large',
      `The ${kind} ${name} has ${plain.length} bytes; nobody could read it back.`,
    );
  }
  const { codec, payload } = compress(plain, 'default');
  const header = Buffer.alloc(objectHeaderBytes);
  objectMagic.copy(header);
  header.writeUInt8(1, 8);
  header.writeUInt8(codec, 9);
  header.writeUInt32LE(plain.length, 12);
  header.write(root.id, 16, 'hex');
  randomBytes(nonceBytes).copy(header, 32);
  const key = objectKey(root, kind, name);
  const { sealed, tag } = seal(key, header.subarray(32, 44), objectAssociated(header, projectId, kind, name), payload);
  return Buffer.concat([header, sealed, tag]);
}

/** Undefined when a byte is wrong, the key is unknown, or the object was sealed for another project, kind or name. */
export function openObject(
  roots: ReadonlyMap<string, RootKey>,
  projectId: string,
  kind: ObjectKind,
  name: string,
  bytes: Buffer,
): OpenedObject | undefined {
  if (bytes.length < objectHeaderBytes + tagBytes || bytes.length > maxObjectBytes) return undefined;
  const header = bytes.subarray(0, objectHeaderBytes);
  if (!header.subarray(0, 8).equals(objectMagic) || header[8] !== 1) return undefined;
  const root = roots.get(header.toString('hex', 16, 32));
  const codec = header.readUInt8(9);
  const rawLength = header.readUInt32LE(12);
  if (root === undefined || rawLength > maxObjectBytes || (codec !== codecRaw && codec !== codecZstd)) return undefined;
  const sealed = bytes.subarray(objectHeaderBytes, bytes.length - tagBytes);
  const associated = objectAssociated(header, projectId, kind, name);
  const payload = open(
    objectKey(root, kind, name),
    header.subarray(32, 44),
    associated,
    sealed,
    bytes.subarray(bytes.length - tagBytes),
  );
  const plain = payload && decompress(codec, payload, rawLength);
  return plain && { root, plain: Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength) };
}

export interface OpenedObject {
  readonly root: RootKey;
  readonly plain: Buffer;
}

function objectKey(root: RootKey, kind: string, name: string): Buffer {
  return Buffer.from(hkdfSync('sha256', root.secret, joinParts(kind, name), 'karri object', 32));
}

function objectAssociated(header: Uint8Array, projectId: string, kind: string, name: string): Buffer {
  return joinParts(header, projectId, kind, name);
}
