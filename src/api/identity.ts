import type { FastifyRequest } from 'fastify';
import type { Caller } from '../model/caller.ts';

/** How a request becomes a caller. One strategy serves the whole service. */
export interface Identity {
  identify(request: FastifyRequest): Promise<Caller | Refusal> | Caller | Refusal;
}

/** The answer to a request whose caller is not known: each strategy has its own shape, none has Karbor's fault body. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * For development: the token is `USER:PROJECT`, or one word that is both; everyone is an administrator. A request
 * without a token is told one to use.
 */
export function createNoauthIdentity(): Identity {
  return {
    identify(request) {
      const token = header(request, 'x-auth-token');
      if (token === undefined) {
        const user = header(request, 'x-auth-user') ?? 'admin';
        const project = header(request, 'x-auth-project-id') ?? 'admin';
        const headers = { 'x-auth-token': `${user}:${project}`, 'x-server-management-url': `${request.baseUrl}/v1/${project}` };
        return { status: 204, headers, body: '' };
      }
      const colon = token.indexOf(':');
      const userId = colon < 0 ? token : token.slice(0, colon);
      const projectId = (colon < 0 ? '' : token.slice(colon + 1)) || userId;
      return { userId, projectId, roles: ['admin'], isAdmin: true, requestId: request.id };
    },
  };
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
