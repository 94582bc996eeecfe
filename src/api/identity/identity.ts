import type { FastifyRequest } from 'fastify';
import type { Identified } from '../../model/caller.ts';

/** How a request becomes a caller. One strategy serves the whole service. */
export interface Identity {
  /** @throws unavailable when it cannot be found out: nobody is let in on a guess */
  identify(request: FastifyRequest): Promise<Identified | Refusal> | Identified | Refusal;
}

/** The answer to a request whose caller is not known: each strategy has its own shape, none has Karbor's fault body. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** 401 in the shape of OpenStack's token middleware. It never says which of no, bad, old and revoked token it was. */
export function refuseToken(wwwAuthenticate: string): Refusal {
  return {
    status: 401,
    headers: { 'www-authenticate': wwwAuthenticate, 'content-type': 'application/json' },
    body: JSON.stringify({
      error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
    }),
  };
}

const maxTokenLength = 8192;

/** The token of the request; undefined also for text that can be none, so that nobody has to be asked about it. */
export function readToken(request: FastifyRequest): string | undefined {
  const token = header(request, 'x-auth-token');
  return token !== undefined && token.length <= maxTokenLength && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
}

export function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
