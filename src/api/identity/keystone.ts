import { Type } from 'typebox';
import type { Clock } from '../../base/clock.ts';
import { type Identity, readToken, refuseToken } from './identity.ts';
import { type KeystoneClient, readAnswer } from './keystone-client.ts';
import { createTokenCache, type TokenFacts } from './token-cache.ts';

export interface KeystoneIdentityOptions {
  readonly client: KeystoneClient;
  /** Where callers get tokens; named in every 401. */
  readonly publicUrl: string;
  /** How long Keystone's word on a token is believed; a revoked one works no longer than this. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
}

const named = Type.Object({ id: Type.String({ minLength: 1 }), domain: Type.Object({ id: Type.String() }) });

const tokenSchema = Type.Object({
  token: Type.Object({
    expires_at: Type.String(),
    user: named,
    // Not there in a token of a domain, of the system, or of nothing: no path can name its project.
    project: Type.Optional(named),
    roles: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
  }),
});

/**
 * Callers of an OpenStack cloud: `X-Auth-Token` is shown to Keystone v3, by the service's own user where there is one, else
 * by the token itself. Whatever keeps Keystone from answering keeps callers out (503).
 */
export function createKeystoneIdentity({ client, publicUrl, maxAgeMs, clock }: KeystoneIdentityOptions): Identity {
  const refusal = refuseToken(`Keystone uri="${publicUrl}"`);
  const check = createTokenCache((token) => validate(client, token), { clock, maxAgeMs });
  return {
    async identify(request) {
      const token = readToken(request);
      const facts = token === undefined ? undefined : await check(token);
      if (token === undefined || facts === undefined) return refusal;
      return { ...facts.holder, token, requestId: request.id };
    },
  };
}

async function validate(client: KeystoneClient, token: string): Promise<TokenFacts | undefined> {
  const question = { method: 'GET', path: '/auth/tokens?nocatalog', headers: { 'x-subject-token': token } } as const;
  const answer = client.hasAccount
    ? await client.sendAsService(question)
    : await client.send({ ...question, headers: { ...question.headers, 'x-auth-token': token } });
  // 404 to the service's user, 401 or 403 to the token that asked about itself: in each case no good.
  if ([401, 403, 404].includes(answer.status)) return undefined;
  const { expires_at: expiresAt, user, project, roles = [] } = readAnswer(answer, tokenSchema).token;
  const end = Date.parse(expiresAt);
  return {
    holder: {
      userId: user.id,
      projectId: project?.id ?? '',
      roles: roles.map(({ name }) => name),
      userDomainId: user.domain.id,
      ...(project === undefined ? {} : { projectDomainId: project.domain.id }),
    },
    // An end that cannot be read has passed.
    expiresAt: Number.isNaN(end) ? 0 : end,
  };
}
