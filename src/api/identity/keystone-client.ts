import { type Static, type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Clock } from '../../base/clock.ts';
import { Fault, isFault } from '../../base/faults.ts';

export interface KeystoneAccount {
  readonly user: string;
  readonly password: string;
  readonly project: string;
  /** Names, as the ones above. */
  readonly userDomain: string;
  readonly projectDomain: string;
}

export interface KeystoneClientOptions {
  /** `https://identity.example.org:5000/v3` */
  readonly url: string;
  /** Of one question, from the connection to the last byte. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Whom the service asks as. Undefined: nothing can be asked but with a token at hand. */
  readonly account: KeystoneAccount | undefined;
}

export interface KeystoneAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined where there is no JSON. */
  readonly body: unknown;
}

export interface KeystoneRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** Below the URL, with a slash in front. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface KeystoneClient {
  readonly hasAccount: boolean;
  /** Any answer but that of a Keystone in trouble. @throws unavailable `keystone.away`, timeout `keystone.slow` */
  send(request: KeystoneRequest): Promise<KeystoneAnswer>;
  /** The same as the service's own user, with a token that is fetched when it is needed. @throws also unavailable `keystone.refused` */
  sendAsService(request: KeystoneRequest): Promise<KeystoneAnswer>;
}

/** A token is renewed a little before its end, so that none ends on its way. */
const renewalMs = 60_000;

const ownToken = Type.Object({ token: Type.Object({ expires_at: Type.String() }) });

/** Keystone v3 over `fetch`, which keeps connections. Nothing that it throws or says holds a token or a password. */
export function createKeystoneClient({ url, timeoutMs, clock, account }: KeystoneClientOptions): KeystoneClient {
  const base = url.replace(/\/+$/, '');
  let own: { readonly token: string; readonly until: number } | undefined;
  let renewing: Promise<string> | undefined;

  const sendOnce = async ({ method, path, headers, body }: KeystoneRequest, signal: AbortSignal): Promise<KeystoneAnswer> => {
    const response = await fetch(`${base}${path}`, {
      method,
      // A redirect would carry the tokens to wherever it points.
      redirect: 'error',
      signal,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status >= 500 || response.status === 429)
      throw new Fault('unavailable', 'keystone.away', `Keystone answers ${response.status} to ${method} ${path}.`);
    return { status: response.status, headers: response.headers, body: parseJson(text) };
  };

  const send = async (request: KeystoneRequest): Promise<KeystoneAnswer> => {
    const signal = AbortSignal.timeout(timeoutMs);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await sendOnce(request, signal);
      } catch (error) {
        if (signal.aborted) {
          throw new Fault('timeout', 'keystone.slow', `Keystone did not answer in ${timeoutMs} ms.`, { help: lookAfterKeystone });
        }
        if (isFault(error)) throw error;
        // A connection that was kept may have been closed from the other side: a question may be asked twice.
        if (attempt === 1 && request.method === 'GET') continue;
        throw new Fault('unavailable', 'keystone.away', 'Keystone cannot be reached.', { cause: error, help: lookAfterKeystone });
      }
    }
  };

  const renew = async (): Promise<string> => {
    if (account === undefined) throw refused('there is no user to ask as');
    const answer = await send({ method: 'POST', path: '/auth/tokens?nocatalog', body: { auth: passwordAuth(account) } });
    const token = answer.headers.get('x-subject-token');
    if (answer.status !== 201 || token === null || !Value.Check(ownToken, answer.body))
      throw refused(`it answers ${answer.status} to user ${account.user}`);
    own = { token, until: Date.parse(answer.body.token.expires_at) - renewalMs };
    return token;
  };
  const ownTokenNow = (): Promise<string> => {
    if (own !== undefined && clock.now() < own.until) return Promise.resolve(own.token);
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };

  return {
    hasAccount: account !== undefined,
    send,
    async sendAsService(request) {
      for (let attempt = 1; ; attempt += 1) {
        const token = await ownTokenNow();
        const answer = await send({ ...request, headers: { ...request.headers, 'x-auth-token': token } });
        if (answer.status === 403) throw refused(`it answers 403 to ${request.method} ${request.path}`);
        if (answer.status !== 401) return answer;
        // Taken back before its time: once more with a new one.
        if (own?.token === token) own = undefined;
        if (attempt === 2) throw refused('it answers 401 to a fresh token');
      }
    },
  };
}

const lookAfterKeystone = 'See whether the Keystone of KARRI_KEYSTONE_URL runs and can be reached from here.';

function refused(why: string): Fault {
  return new Fault('unavailable', 'keystone.refused', `Keystone refuses this service: ${why}.`, {
    help: 'Check KARRI_KEYSTONE_USER, its password, project and domains, and that it may validate tokens (role admin or service).',
  });
}

function passwordAuth({ user, password, project, userDomain, projectDomain }: KeystoneAccount): unknown {
  return {
    identity: { methods: ['password'], password: { user: { name: user, domain: { name: userDomain }, password } } },
    scope: { project: { name: project, domain: { name: projectDomain } } },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Whoever needs a body says what is missing in it.
  }
}

/** The body as the schema wants it. @throws unavailable `keystone.away` */
export function readAnswer<Schema extends TSchema>({ status, body }: KeystoneAnswer, schema: Schema): Static<Schema> {
  if (Value.Check(schema, body)) return body;
  throw new Fault('unavailable', 'keystone.away', `Keystone answers ${status} with something else than what was asked for.`, {
    help: 'KARRI_KEYSTONE_URL must be that of the v3 API.',
  });
}
