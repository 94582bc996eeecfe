import { bad, oneOf, path, type Setting, wholeNumber } from './setting.ts';

const strategies = ['noauth', 'token', 'keystone'] as const;
const tlsSpeakers = ['none', 'proxy'] as const;

/** Who may come in, and how they are known. */
export interface AccessSettings {
  readonly auth: (typeof strategies)[number];
  readonly tls: (typeof tlsSpeakers)[number];
  /** No slash at the end. Undefined: what a request was sent to. */
  readonly publicUrl: string | undefined;
  readonly policyFile: string;
  readonly tokenCacheSeconds: number;
  /** Of one caller; 0: any number. */
  readonly requestsPerSecond: number;
  readonly keystoneUrl: string | undefined;
  readonly keystonePublicUrl: string | undefined;
  readonly keystoneUser: string | undefined;
  readonly keystonePassword: string | undefined;
  readonly keystoneProject: string;
  readonly keystoneUserDomain: string;
  readonly keystoneProjectDomain: string;
  readonly keystoneTimeoutSeconds: number;
}

const url = { allowed: 'an http:// or https:// address', parse: parseUrl };
const name = { allowed: 'a name', parse: (text: string): string | typeof bad => text || bad };

export const accessSettings: { readonly [Name in keyof AccessSettings]: Setting<AccessSettings[Name]> } = {
  auth: {
    variable: 'KARRI_AUTH',
    key: 'auth',
    fallback: 'noauth',
    meaning:
      'How callers are known: `keystone`, by their token of an OpenStack cloud; `token`, by one of `karri token create`; `noauth` trusts anybody, so it is refused on any address but loopback',
    ...oneOf(strategies),
  },
  tls: {
    variable: 'KARRI_TLS',
    key: 'tls',
    fallback: 'none',
    meaning:
      'Who speaks TLS: `proxy`, one in front of the service, whose X-Forwarded headers are believed; `none` is refused on any address but loopback, as tokens would be there for anybody to read',
    ...oneOf(tlsSpeakers),
  },
  publicUrl: {
    variable: 'KARRI_PUBLIC_URL',
    key: 'public_url',
    fallback: '',
    meaning: 'Where clients find the service, for links and the catalogue; not set: where a request was sent to',
    ...url,
  },
  policyFile: {
    variable: 'KARRI_POLICY_FILE',
    key: 'policy_file',
    fallback: 'STATE_DIR/policy.yaml',
    meaning: 'Rules in place of the usual ones, by name (`karri policy show`); the default is read where it is there',
    ...path,
  },
  tokenCacheSeconds: {
    variable: 'KARRI_TOKEN_CACHE_SECONDS',
    key: 'token_cache_seconds',
    fallback: '60',
    meaning: 'How long a checked token is believed; a revoked one works no longer than this',
    ...wholeNumber(0, 3600),
  },
  requestsPerSecond: {
    variable: 'KARRI_REQUESTS_PER_SECOND',
    key: 'requests_per_second',
    fallback: '0',
    meaning:
      'Requests of one user in one project, and refused ones of one address; five seconds of them may come at once; 0: any number',
    ...wholeNumber(0, 100_000),
  },
  keystoneUrl: {
    variable: 'KARRI_KEYSTONE_URL',
    key: 'keystone_url',
    fallback: '',
    meaning: 'Keystone to ask about tokens, such as `https://identity.example.org:5000/v3`',
    ...url,
  },
  keystonePublicUrl: {
    variable: 'KARRI_KEYSTONE_PUBLIC_URL',
    key: 'keystone_public_url',
    fallback: '',
    meaning: 'Keystone as callers reach it, named to those who come without a token; not set: KARRI_KEYSTONE_URL',
    ...url,
  },
  keystoneUser: {
    variable: 'KARRI_KEYSTONE_USER',
    key: 'keystone_user',
    fallback: '',
    meaning: "The service's own user, to ask as; not set: each token is asked about with itself",
    allowed: 'a name',
    parse: (text) => text || undefined,
  },
  keystonePassword: {
    variable: 'KARRI_KEYSTONE_PASSWORD',
    key: 'keystone_password',
    fallback: '',
    meaning: 'Its password',
    allowed: 'a password',
    isSecret: true,
    parse: (text) => text || undefined,
  },
  keystoneProject: {
    variable: 'KARRI_KEYSTONE_PROJECT',
    key: 'keystone_project',
    fallback: 'service',
    meaning: 'Its project',
    ...name,
  },
  keystoneUserDomain: {
    variable: 'KARRI_KEYSTONE_USER_DOMAIN',
    key: 'keystone_user_domain',
    fallback: 'Default',
    meaning: 'Name of its domain',
    ...name,
  },
  keystoneProjectDomain: {
    variable: 'KARRI_KEYSTONE_PROJECT_DOMAIN',
    key: 'keystone_project_domain',
    fallback: 'Default',
    meaning: "Name of its project's domain",
    ...name,
  },
  keystoneTimeoutSeconds: {
    variable: 'KARRI_KEYSTONE_TIMEOUT_SECONDS',
    key: 'keystone_timeout_seconds',
    fallback: '5',
    meaning: 'How long Keystone may take to answer; then the caller is not let in (503)',
    ...wholeNumber(1, 60),
  },
};

function parseUrl(text: string): string | undefined | typeof bad {
  if (text === '') return undefined;
  const parsed = URL.parse(text);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '') return bad;
  return parsed.search === '' && parsed.hash === '' ? text.replace(/\/+$/, '') : bad;
}
