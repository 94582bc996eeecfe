import { BlockList, isIP } from 'node:net';
import { Fault } from '../base/faults.ts';
import type { SettingOrigin, Settings } from './config.ts';
import { refuseOpenSecret } from './secrets.ts';
import { settingNames, settings } from './settings.ts';

/**
 * Combinations that would let strangers in, or let them read what they need to come in.
 * @throws forbidden `config.unsafe_noauth`, `config.unsafe_plain`, `config.open_secret`; invalid `config.incomplete_keystone`
 */
export function refuseUnsafe(
  values: Settings,
  origins: Readonly<Record<keyof Settings, SettingOrigin>>,
  file: string | undefined,
): void {
  const { auth, host, tls } = values;
  const outside = isLoopback(host) ? undefined : `KARRI_HOST is ${host}`;
  const proxied = tls === 'proxy' ? 'KARRI_TLS is proxy, which lets others in' : undefined;
  if (auth === 'noauth' && (outside ?? proxied) !== undefined) {
    throw new Fault(
      'forbidden',
      'config.unsafe_noauth',
      `KARRI_AUTH is noauth, which trusts every caller, and ${outside ?? proxied}.`,
      {
        details: { host },
        help: 'Listen on a loopback address (127.0.0.1, ::1) with no proxy in front, or set KARRI_AUTH to keystone or token.',
      },
    );
  }
  if (outside !== undefined && tls === 'none') {
    throw new Fault('forbidden', 'config.unsafe_plain', `${outside}, and tokens would go over the network for anybody to read.`, {
      details: { host },
      help: 'Put a proxy that speaks TLS in front and set KARRI_TLS to proxy, or listen on a loopback address.',
    });
  }
  refuseIncompleteKeystone(values);
  const hasSecret = settingNames.some((name) => settings[name].isSecret && origins[name].from === 'file');
  if (file !== undefined && hasSecret) refuseOpenSecret(file);
}

function refuseIncompleteKeystone({ auth, keystoneUrl, keystoneUser, keystonePassword }: Settings): void {
  const missing =
    auth === 'keystone' && keystoneUrl === undefined
      ? 'KARRI_AUTH is keystone, and KARRI_KEYSTONE_URL is not set'
      : (keystoneUser === undefined) === (keystonePassword === undefined)
        ? undefined
        : 'of KARRI_KEYSTONE_USER and KARRI_KEYSTONE_PASSWORD only one is set';
  if (missing !== undefined) throw new Fault('invalid', 'config.incomplete_keystone', `The settings are incomplete: ${missing}.`);
}

function isLoopback(host: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  const version = isIP(host);
  return version === 0 ? host === 'localhost' : loopback.check(host, version === 6 ? 'ipv6' : 'ipv4');
}
