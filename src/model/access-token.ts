import { createHash, randomBytes } from 'node:crypto';

/** A token that the operator made: whoever has its text is this user of this project. The text itself is kept nowhere. */
export interface AccessToken {
  readonly id: string;
  readonly name: string;
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly createdAt: number;
  /** Null: it does not expire. */
  readonly expiresAt: number | null;
}

/** 256 random bits behind a prefix by which scanners know a secret that has strayed. */
export function newTokenText(): string {
  return `karri_${randomBytes(32).toString('base64url')}`;
}

/**
 * What is kept in place of the text. One round of SHA-256, unsalted, is enough: slow hashes are for what people think up,
 * and nobody guesses 256 random bits; a slow one would be paid at every request.
 */
export function hashToken(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
