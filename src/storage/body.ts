import type { Body } from './object-store.ts';

export function bodyParts(body: Body): readonly Uint8Array[] {
  return body instanceof Uint8Array ? [body] : body;
}

export function bodySizeBytes(body: Body): number {
  return bodyParts(body).reduce((sum, piece) => sum + piece.length, 0);
}

/** The body in one buffer. A body of one part is not copied, so the caller must not change it. */
export function joinBody(body: Body): Buffer {
  const parts = bodyParts(body);
  const [only] = parts;
  if (only && parts.length === 1) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  return Buffer.concat(parts);
}
