import type { Identity } from '../api/identity/identity.ts';
import { createKeystoneIdentity } from '../api/identity/keystone.ts';
import { createKeystoneClient, type KeystoneClient } from '../api/identity/keystone-client.ts';
import { createNoauthIdentity } from '../api/identity/noauth.ts';
import { createTokenIdentity } from '../api/identity/token.ts';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';
import type { Config } from '../config/config.ts';
import type { TokenStore } from '../db/token-store.ts';

/** The strategy that the configuration asks for. */
export function createIdentity(config: Config, tokens: TokenStore, clock: Clock): Identity {
  const maxAgeMs = config.tokenCacheSeconds * 1000;
  switch (config.auth) {
    case 'noauth':
      return createNoauthIdentity();
    case 'token':
      return createTokenIdentity({ find: (hash) => tokens.find(hash), maxAgeMs, clock });
    case 'keystone': {
      const publicUrl = config.keystonePublicUrl ?? config.keystoneUrl ?? '';
      return createKeystoneIdentity({ client: createConfiguredKeystone(config, clock), publicUrl, maxAgeMs, clock });
    }
  }
}

/** @throws invalid `config.no_keystone` when no URL is set */
export function createConfiguredKeystone(config: Config, clock: Clock): KeystoneClient {
  const { keystoneUrl, keystoneUser: user, keystonePassword: password } = config;
  if (keystoneUrl === undefined) {
    throw new Fault('invalid', 'config.no_keystone', 'No Keystone is known.', { help: 'Set KARRI_KEYSTONE_URL.' });
  }
  const names = {
    project: config.keystoneProject,
    userDomain: config.keystoneUserDomain,
    projectDomain: config.keystoneProjectDomain,
  };
  const account = user === undefined || password === undefined ? undefined : { user, password, ...names };
  return createKeystoneClient({ url: keystoneUrl, timeoutMs: config.keystoneTimeoutSeconds * 1000, clock, account });
}
