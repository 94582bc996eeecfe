import type { Clock } from '../../base/clock.ts';
import { type AccessToken, hashToken } from '../../model/access-token.ts';
import { type Identity, readToken, refuseToken } from './identity.ts';
import { createTokenCache } from './token-cache.ts';

export interface TokenIdentityOptions {
  /** By the hash of its text. */
  find(hash: Buffer): Promise<AccessToken | undefined>;
  /** A revoked token works no longer than this. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
}

/** Callers with a token that the operator made (`karri token create`). */
export function createTokenIdentity({ find, maxAgeMs, clock }: TokenIdentityOptions): Identity {
  const refusal = refuseToken('Token realm="karri"');
  const check = createTokenCache(
    async (text) => {
      const token = await find(hashToken(text));
      if (token === undefined) return undefined;
      const { userId, projectId, roles, expiresAt } = token;
      return { holder: { userId, projectId, roles }, expiresAt: expiresAt ?? undefined };
    },
    { clock, maxAgeMs },
  );
  return {
    async identify(request) {
      const text = readToken(request);
      const facts = text === undefined ? undefined : await check(text);
      return facts === undefined ? refusal : { ...facts.holder, requestId: request.id };
    },
  };
}
