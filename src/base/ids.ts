import { createHash, randomUUID } from 'node:crypto';

export function newId(): string {
  return randomUUID();
}

/** Karbor's idea of "UUID-like": 32 hex digits once hyphens, braces and a `urn:uuid:` prefix are gone. */
export function isUuidLike(text: string): boolean {
  return /^[0-9a-f]{32}$/i.test(bareHex(text));
}

/** The canonical form (lower case, hyphens) of a UUID-like text. */
export function canonicalUuid(text: string): string {
  const hex = bareHex(text).toLowerCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** RFC 9562 version 5: the same name in the same namespace is the same id on every machine. */
export function uuidV5(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(bareHex(namespace), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return canonicalUuid(bytes.toString('hex'));
}

function bareHex(text: string): string {
  return text.replace(/^urn:uuid:/i, '').replace(/[-{}]/g, '');
}
