import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { createBLAKE3 } from 'hash-wasm';
import { check, createCursor, parts, Refused } from './reader-bytes.ts';

const maxObjectBytes = 64 << 20;
const nameForms = [
  /^keys\/[0-9a-f]{32}\/[0-9a-f]{32}$/,
  /^packs\/([0-9a-f]{2})\/\1[0-9a-f]{30}$/,
  /^indexes\/[0-9a-f]{32}$/,
  /^snapshots\/[0-9a-f]{32}\/[0-9a-f]{32}$/,
  /^forgotten\/[0-9a-f]{32}\/[0-9a-f]{32}$/,
  /^gc\/[0-9a-f]{8}-[0-9a-f]{8}$/,
  /^bad\/[0-9a-f]{32}$/,
];

/** Snapshots first: what they need was written before them, and so is found by what is listed after them. */
const kinds = ['snapshots', 'forgotten', 'gc', 'bad', 'indexes', 'packs', 'keys'] as const;

export interface RootKey {
  readonly id: string;
  derive(salt: Buffer | string, info: string): Buffer;
  /** BLAKE3 keyed with the chunk id key; of a chunk it is the chunk id. */
  hash(...bytes: readonly Buffer[]): Buffer;
  subjectFolder(subject: string): string;
}

/** The folder of one repository and the keys that open what is in it. */
export interface Vault {
  readonly project: string;
  /** Only objects with a name of the format; all others are a stranger's. */
  listObjects(kind: (typeof kinds)[number]): string[];
  readObject(name: string): Buffer;
  /** By the 16 bytes that name it. `what` is named when it does not open. */
  getRoot(id: Buffer, what: string): RootKey;
}

export async function openVault(folder: string, project: string, providerKey: Buffer): Promise<Vault> {
  const folders = kinds.map((kind) => join(folder, kind)).filter((kind) => existsSync(kind));
  check(!existsSync(join(folder, 'keys', 'destroyed')), 'the keys of the repository were destroyed');
  const entries = folders.flatMap((kind) => readdirSync(kind, { recursive: true, withFileTypes: true }));
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const names = files
    .map((file) => file.slice(join(folder, '/').length))
    .filter((name) => nameForms.some((form) => form.test(name)));
  const roots = new Map<string, RootKey>();
  const vault: Vault = {
    project,
    listObjects: (kind) => names.filter((name) => name.startsWith(`${kind}/`)).sort(),
    readObject(name) {
      check(names.includes(name), `${name} is not there`);
      return readFileSync(join(folder, name));
    },
    getRoot(id, what) {
      const root = roots.get(id.toString('hex'));
      check(root !== undefined, `${what} is sealed under a root key that did not open`);
      return root;
    },
  };
  const refusals: string[] = [];
  for (const name of vault.listObjects('keys')) {
    const keyId = name.slice(5, 37);
    try {
      roots.set(keyId, await deriveKeys(keyId, openSlot(vault, name, providerKey)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusals.push(error.message); // each root key has two slots: one may be lost
    }
  }
  check(roots.size > 0, `no slot gives a root key: ${refusals.join('; ') || 'there is none'}`);
  return vault;
}

function openSlot({ readObject, project }: Vault, name: string, providerKey: Buffer): Buffer {
  const slot = readObject(name);
  check(slot.length === 117, `${name} has ${slot.length} bytes in place of 117`);
  check(createHash('sha256').update(slot.subarray(0, 85)).digest().equals(slot.subarray(85)), `${name} is damaged`);
  const header = slot.subarray(0, 25);
  check(header.toString('latin1') === 'KARRIKEY\x01blake3'.padEnd(25, '\0'), `${name} is of another kind or version`);
  const [, keyId = '', slotId = ''] = name.split('/');
  return unseal(providerKey, slot.subarray(25, 85), parts(header, project, keyId, slotId), name);
}

async function deriveKeys(id: string, secret: Buffer): Promise<RootKey> {
  const derive = (salt: Buffer | string, info: string): Buffer => Buffer.from(hkdfSync('sha256', secret, salt, info, 32));
  const hasher = await createBLAKE3(256, derive('', 'karri chunk id'));
  const subjectKey = derive('', 'karri subject');
  return {
    id,
    derive,
    hash(...bytes) {
      hasher.init();
      for (const part of bytes) hasher.update(part);
      return Buffer.from(hasher.digest('binary'));
    },
    subjectFolder: (subject) => createHmac('sha256', subjectKey).update(subject).digest('hex').slice(0, 32),
  };
}

/** An index, a snapshot or a document: its bytes, and the root key it stands under. */
export function openObject(
  vault: Vault,
  file: string,
  kind: string,
  name: string,
): { readonly raw: Buffer; readonly root: RootKey } {
  const bytes = vault.readObject(file);
  const header = createCursor(bytes, file);
  check(header.take(9).toString('latin1') === 'KARRIOBJ\x01', `${file} is of another kind or version`);
  const codec = header.u8();
  check(header.take(2).readUInt16LE() === 0, `${file} has a header that is not known`);
  const rawLength = header.u32();
  check(rawLength <= maxObjectBytes, `${file} would have ${rawLength} bytes`);
  const root = vault.getRoot(header.take(16), file);
  const key = root.derive(parts(kind, name), 'karri object');
  const plain = unseal(key, bytes.subarray(32), parts(bytes.subarray(0, 44), vault.project, kind, name), file);
  return { raw: unpack(codec, plain, rawLength, file), root };
}

/** Opens `nonce ‖ ciphertext ‖ tag`. */
export function unseal(key: Buffer, sealed: Buffer, associated: Buffer, what: string): Buffer {
  check(sealed.length >= 28, `${what} is too short to be sealed`);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(associated).setAuthTag(sealed.subarray(-16));
  const opened = decipher.update(sealed.subarray(12, -16));
  try {
    decipher.final();
  } catch {
    throw new Refused(`${what} is not what was sealed there, or the provider key or the project is another`);
  }
  return opened;
}

export function unpack(codec: number, bytes: Buffer, rawLength: number, what: string): Buffer {
  check(codec === 0 || codec === 1, `${what} has a codec that is not known: ${codec}`);
  const raw = codec === 0 ? bytes : decompress(bytes, rawLength, what);
  check(raw.length === rawLength, `${what} has ${raw.length} raw bytes in place of ${rawLength}`);
  return raw;
}

function decompress(bytes: Buffer, rawLength: number, what: string): Buffer {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: Math.max(rawLength, 1) });
  } catch {
    throw new Refused(`${what} does not decompress to ${rawLength} bytes`);
  }
}
